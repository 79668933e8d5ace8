"""The canonical forms of header fields and of the body that DKIM hashes (RFC 6376 §3.4).

White space is SP and HTAB, a line ends with CRLF; a CR or LF that stands alone is an octet
like any other.  What is kept of a body between two pieces is a few numbers, and no form of it
costs more than its length times the logarithm of a piece.
"""

import hashlib
from typing import Final

from mailbox_server.store.digesting import hash_on

_BLANK_LINES: Final = 4_096
"""So many line ends are hashed at once, where blank lines turned out to stand inside."""


def _single_spaced(text: bytes) -> bytes:
    """Each run of white space becomes one SP.

    Each turn halves the longest run, so that 200 KB of blanks take 18 turns.
    """
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """A header field in its relaxed form, without a line end (RFC 6376 §3.4.2).

    value: what follows the colon, folds and the line's end included.
    """
    return name.lower() + b":" + _single_spaced(value.replace(b"\r\n", b"")).strip(b" ")


class RelaxedBodyHash:
    """SHA-256 of a body in its relaxed form, fed as it flows (RFC 6376 §3.4.4).

    Any cut of the same octets gives the same digest.
    """

    __slots__ = ("_blank_lines", "_hash", "_held", "_is_empty")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._is_empty = True
        self._blank_lines = 0
        self._held = b""  # white space as one SP, and a CR, that may be part of a line's end

    def feed(self, octets: bytes) -> None:
        """Take the next octets of the body."""
        if not octets:
            return
        text = self._held + octets if self._held else octets
        text = _single_spaced(text).replace(b" \r\n", b"\r\n")
        end = len(text)
        if text.endswith(b"\r"):
            end -= 1
        if text.endswith(b" ", 0, end):
            end -= 1
        self._held, text = text[end:], text[:end]
        self._take(text)

    def _take(self, text: bytes) -> None:
        """Hash all but the line ends at the end, which may be ignored."""
        inner = text.rstrip(b"\r\n")
        # Within what was stripped a CR or LF may stand alone, and those count.
        ends = text[len(inner) :].replace(b"\r\n", b"E")
        kept = ends.rstrip(b"E")
        inner += kept.replace(b"E", b"\r\n")
        if inner:
            self._hash_blank_lines()
            hash_on(self._hash, inner)
            self._is_empty = False
        self._blank_lines += len(ends) - len(kept)

    def _hash_blank_lines(self) -> None:
        while self._blank_lines:
            count = min(self._blank_lines, _BLANK_LINES)
            self._hash.update(b"\r\n" * count)
            self._blank_lines -= count

    def digest(self) -> bytes:
        """The digest of all that was fed; once, at the end.

        The last line gets the CRLF that a transport would give it, and white space before
        that is ignored; a body of nothing but blank lines is empty.
        """
        if self._held.endswith(b"\r"):
            self._hash_blank_lines()
            self._hash.update(self._held)
            self._is_empty = False
        if not self._is_empty:
            self._hash.update(b"\r\n")
        return self._hash.digest()
