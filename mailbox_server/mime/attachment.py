"""Say which parts are attachments, and under what name they may be shown.

Names come from strangers: what is given out has no path, no controls, no marks that turn
the direction of writing, and at most NAME_CHARACTERS.
"""

import re
from urllib.parse import unquote_to_bytes

from mailbox_server.mime.charset import decode
from mailbox_server.mime.encoded_words import decode_words, without_controls
from mailbox_server.mime.structure import Parameters, Part, Structure

NAME_CHARACTERS = 255

_DIRECTION_MARKS = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SIGNATURES = (b"pgp-signature", b"pkcs7-signature", b"x-pkcs7-signature", b"pgp-encrypted")


def parameter_text(parameters: Parameters, name: bytes) -> str | None:
    """A parameter as text: the RFC 2231 form if there is one, else the plain one.

    Encoded words in a plain value are decoded, though RFC 2047 §5 forbids them there.
    """
    if not parameters:
        return None
    found = dict(parameters)
    extended = found.get(name + b"*")
    if extended is not None:
        charset, _, rest = extended.partition(b"'")
        _, quote, text = rest.partition(b"'")
        if not quote:
            charset, text = b"", extended
        label = charset.decode("ascii", "replace") or None
        return without_controls(decode(unquote_to_bytes(text), label, may_guess=False))
    plain = found.get(name)
    return None if plain is None else decode_words(plain)


def file_name(part: Part) -> str | None:
    """The name under which a part may be offered; None if it has none to speak of."""
    name = parameter_text(part.disposition_parameters, b"filename")
    if not name:
        name = parameter_text(part.parameters, b"name")
    if not name:
        return None
    name = _DIRECTION_MARKS.sub("", name).replace("\\", "/").rpartition("/")[2].strip(" .")
    if len(name) > NAME_CHARACTERS:
        # The end says what kind of file it is.
        stem, dot, ending = name.rpartition(".")
        ending = dot + ending if stem and len(ending) <= 20 else ""
        name = name[: NAME_CHARACTERS - len(ending)] + ending
    return name or None


def has_attachment(structure: Structure) -> bool:
    """Whether a reader should see a paper clip: something to download that is not shown.

    Signatures, what a multipart/related shows inside its text, and the alternatives of a
    text are not attachments unless they say that they are (RFC 8621 §4.1.4).
    """
    waiting: list[tuple[Part, bytes]] = [(structure.root, b"")]
    while waiting:
        part, holder = waiting.pop()
        if part.is_multipart:
            waiting.extend((child, part.media_subtype) for child in part.children)
        elif _is_attachment(part, holder):
            return True
    return False


def _is_attachment(part: Part, holder: bytes) -> bool:
    if part.disposition is not None:
        return part.disposition != b"inline"
    if part.media_subtype in _SIGNATURES or holder == b"alternative":
        return False
    if holder == b"related" and part.content_id is not None:
        return False
    if part.media_type == b"text" and part.media_subtype in (b"plain", b"html"):
        return file_name(part) is not None
    return holder != b"report"
