"""Decode the encoded words of header values (RFC 2047), for people and for search.

The text has no controls left: no CR, LF or NUL can come out of an encoded word and into a
reply.  Addresses must never be read from it.  Work is linear in the octets that are read.
"""

import binascii
import re

from mailbox_server.mime.charset import decode

VALUE_OCTETS = 64 * 1024
"""What is read of a value that people are shown; search reads more."""

# Spaces and question marks that do not end the word are seen in Q text, though illegal.
_WORD = re.compile(rb"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,60})?\?([bBqQ])\?([^?\r\n]*)\?=")
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_CONTROLS = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]+")


def decode_words(value: bytes, most: int = VALUE_OCTETS) -> str:
    """A raw header value as text: unfolded, words decoded, controls as spaces.

    Words next to each other are joined without the space between them (RFC 2047 §6.2),
    before their charset is decoded, since some senders cut inside a character.  Octets
    outside of words are UTF-8 if they can be.  most: octets of the value that are read.
    """
    value = value[:most]
    if b"=?" not in value and value.isascii():
        plain = value.decode("ascii").strip()
        if plain.isprintable():
            return plain
    value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    if b"=?" not in value:
        return without_controls(decode(value, None, may_guess=False)).strip()
    pieces: list[tuple[str | None, bytes]] = []
    at = 0
    for word in _WORD.finditer(value):
        between = value[at : word.start()]
        if between.strip() or not pieces or pieces[-1][0] is None:
            pieces.append((None, between))
        charset = word[1].lower().decode("ascii", "replace")
        pieces.append((charset, _word_octets(word[2], word[3])))
        at = word.end()
    pieces.append((None, value[at:]))
    text: list[str] = []
    run: list[bytes] = []
    for index, (charset, octets) in enumerate(pieces):
        run.append(octets)
        if index + 1 == len(pieces) or pieces[index + 1][0] != charset:
            text.append(decode(b"".join(run), charset, may_guess=False))
            run.clear()
    return without_controls("".join(text)).strip()


def without_controls(text: str) -> str:
    """The text with each run of controls and line separators as one space."""
    return text if text.isprintable() else _CONTROLS.sub(" ", text)


def _word_octets(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(text, header=True)
    digits = _NO_BASE64.sub(b"", text)
    digits = digits[: len(digits) - 1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
