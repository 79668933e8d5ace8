"""Gather what search looks through: header fields, names of attachments, and body text.

All is normalized by `normal_form.normalize`, as queries are.  Entries are parted by line feeds,
which normalized text does not hold, so that no needle is found across two of them.

RFC 9051 §6.4.4 lets servers search more flexibly than octet by octet: the preamble and
epilogue of a multipart, the attributes of HTML tags, and of MIME headers all but names and
descriptions are not looked at, because no reader is shown them.
"""

from collections.abc import Iterable
from types import MappingProxyType

import msgspec

from mailbox_server.mime.attachment import file_name
from mailbox_server.mime.encoded_words import VALUE_OCTETS, decode_words
from mailbox_server.mime.header_fields import HeaderFields, header_lines
from mailbox_server.mime.normal_form import TEXT_CHARACTERS, normalize, normalize_most
from mailbox_server.mime.structure import Part, Structure
from mailbox_server.mime.text import Read, ReadText

FIELDS_OF_A_NAME = 10
HEADER_CHARACTERS = 64 * 1024
NAMES = 1_000
HEADER_OCTETS = 1024 * 1024
EMBEDDED_OCTETS = 1024 * 1024
"""Header octets of embedded messages that are read at delivery."""

_CONTROLS_AS_SPACE = bytes(
    0x20 if octet in range(1, 0x20) or octet == 0x7F else octet for octet in range(256)
)
"""Without NUL, which parts the values."""

_SPACES = b"\t\n\v\f\r "
_KINDS = bytes(
    0x20 if octet in _SPACES else 0 if octet < 0x20 or octet == 0x7F else octet
    for octet in range(256)
)
"""White space as spaces, controls as NUL."""

SEARCHED_FIELDS = (
    b"subject",
    b"from",
    b"to",
    b"cc",
    b"bcc",
    b"reply-to",
    b"sender",
    b"comments",
    b"keywords",
    b"list-id",
    b"message-id",
    b"newsgroups",
    b"organization",
)
_PLACES = MappingProxyType({name: place for place, name in enumerate(SEARCHED_FIELDS)})


class SearchText(msgspec.Struct, frozen=True):
    """Normalized text of one message.

    header: decoded SEARCHED_FIELDS, one a line.
    body: names and descriptions of its attachments, the header fields of embedded messages
        and the texts of its parts, one a line; BODY looks here, TEXT in both (RFC 9051
        §6.4.4).
    is_cut: the body text is not all there is; text_seeking looks through the rest.
    """

    header: str
    body: str
    is_cut: bool


def header_holds(header: bytes, needle: str) -> bool:
    """Whether a field of a header block, its name included, holds the normalized needle.

    So does a line that is no field: a message without any header is one block of them.
    """
    lines: Iterable[bytes] = header_lines(header)
    if not (needle.isascii() and _stands_in(header, needle)):
        # In no field that stands in the block as it is read; few fields do not.
        if _is_lost(header):
            lines = [each for each in lines if _is_encoded(each) or _is_lost(each)]
        elif _is_encoded(header):
            lines = [each for each in lines if b"=?" in each or not each.isascii()]
        else:
            return False
    return any(needle in normalize(line_text(each)) for each in lines)


def _stands_in(header: bytes, needle: str) -> bool:
    """Whether a needle of ASCII is in a block as it stands, but for white space."""
    if " " not in needle:
        return needle.encode("ascii") in header.lower()
    return needle in " ".join(header.decode("latin-1").split()).lower() + " "


def _is_encoded(octets: bytes) -> bool:
    """Whether there are encoded words, or octets that are not of ASCII."""
    return not octets.isascii() or b"=?" in octets


def _is_lost(octets: bytes) -> bool:
    """Whether there are controls, or white space that names lose at their ends.

    A regular expression takes several times as long.
    """
    told = octets.translate(_KINDS)
    return b"\0" in told or b" :" in told


def line_text(line: bytes) -> str:
    """One of header_lines as TEXT looks into it, once normalized."""
    name, colon, value = line.partition(b":")
    if colon and name.isascii():
        space = " " if value[:1].isspace() else ""
        return f"{name.decode('ascii').strip()}:{space}{value_text(value)}"
    return value_text(line)


def value_text(value: bytes) -> str:
    """The value of a field as criteria look into it, once normalized: all of it."""
    return decode_words(value, HEADER_OCTETS)


def _may_name(root: Part) -> bool:
    """Whether parts may have names to be found by; a message that is one text has none."""
    return bool(root.children) or root.media_type != b"text"


def part_names(structure: Structure, part: Part) -> tuple[str, ...]:
    """The name and the description of a part as text; of a message that is one text, none."""
    if not _may_name(structure.root):
        return ()
    if part.parameters or part.disposition_parameters or part.description:
        return file_name(part) or "", decode_words(part.description or b"")
    return ()


def embedded_header(part: Part, read: Read) -> bytes:
    """The header of the message in a message/rfc822 part, at most HEADER_OCTETS of it."""
    inner = part.children[0]
    octets = inner.body_start - inner.header_start
    return read(inner.header_start, min(octets, HEADER_OCTETS))


def _header_text(values: list[bytes]) -> str:
    """Values of header fields as normalized text, one a line."""
    joined = b"\0".join(values)
    is_plain = joined.isascii() and b"=?" not in joined and len(joined) <= VALUE_OCTETS
    if is_plain and joined.count(b"\0") < max(len(values), 1):
        # Nothing to decode: all at once, which takes a third of the time.
        joined = joined.replace(b"\r\n", b"").replace(b"\n", b"")
        text = joined.translate(_CONTROLS_AS_SPACE).decode("ascii").lower()
        lines = map(str.strip, text.split("\0"))
        if "  " in text:
            lines = map(" ".join, map(str.split, lines))
        return "\n".join(filter(None, lines))
    return "\n".join([normalize(text) for each in values if (text := decode_words(each))])


def search_text(
    structure: Structure, fields: HeaderFields, texts: list[ReadText], read: Read
) -> SearchText:
    """The searchable text of a message whose text parts were read."""
    header = _header_text(fields.select(_PLACES, FIELDS_OF_A_NAME))
    named: list[str] = []
    is_cut = any(each.is_cut for each in texts)
    octets_left = EMBEDDED_OCTETS
    for part in structure.root.walk() if _may_name(structure.root) else ():
        if len(named) > NAMES:
            is_cut = True
            break
        named += part_names(structure, part)
        if part.is_message:
            octets_left -= part.children[0].body_start - part.children[0].header_start
            if octets_left < 0:
                is_cut = True
            else:
                named += map(line_text, header_lines(embedded_header(part, read)))
    named += [each.text for each in texts]
    normalized = [normalize_most(each) for each in named if each]
    body = "\n".join([text for text, _ in normalized])
    is_cut = is_cut or len(body) > TEXT_CHARACTERS or any(cut for _, cut in normalized)
    return SearchText(header[:HEADER_CHARACTERS], body[:TEXT_CHARACTERS], is_cut)
