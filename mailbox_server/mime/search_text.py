"""Gather what search looks through: header fields, names of attachments, and body text.

All is normalized by `text.normalize`, as queries are.  Entries are parted by line feeds,
which normalized text does not hold, so that no needle is found across two of them.

RFC 9051 §6.4.4 lets servers search more flexibly than octet by octet: the preamble and
epilogue of a multipart, the attributes of HTML tags, and of MIME headers all but names and
descriptions are not looked at, because no reader is shown them.
"""

import re
from dataclasses import dataclass

from mailbox_server.mime.attachment import file_name
from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.header_fields import HeaderFields, header_lines
from mailbox_server.mime.structure import Part, Structure
from mailbox_server.mime.text import TEXT_CHARACTERS, Read, ReadText, normalize

HEADER_CHARACTERS = 64 * 1024
NAMES = 1_000
HEADER_OCTETS = 1024 * 1024
EMBEDDED_OCTETS = 1024 * 1024
"""Header octets of embedded messages that are read at delivery."""

# Encoded words, and controls that become spaces.
_TAKES_READING = re.compile(rb"=\?|[\0-\x08\x0e-\x1b\x7f]")

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


@dataclass(frozen=True, slots=True)
class SearchText:
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
    if needle.isascii() and header.isascii() and not _TAKES_READING.search(header):
        # What is nowhere in the block as it stands is in no field of it.
        merged = " ".join(header.decode("ascii").split()).lower()
        if needle not in merged:
            return False
    return any(needle in normalize(_line_text(line)) for line in header_lines(header))


def _line_text(line: bytes) -> str:
    name, colon, value = line.partition(b":")
    if colon and name.isascii():
        return f"{name.decode('ascii').strip()}: {decode_words(value)}"
    return decode_words(line)


def part_names(structure: Structure, part: Part) -> tuple[str, ...]:
    """The name and the description of a part as text; of a message that is one text, none."""
    root = structure.root
    if not root.children and root.media_type == b"text":
        return ()
    if part.parameters or part.disposition_parameters or part.description:
        return file_name(part) or "", decode_words(part.description or b"")
    return ()


def embedded_header(part: Part, read: Read) -> tuple[list[str], bool]:
    """The header fields of the message in a message/rfc822 part as text, and whether cut."""
    inner = part.children[0]
    octets = inner.body_start - inner.header_start
    header = read(inner.header_start, min(octets, HEADER_OCTETS))
    return [_line_text(line) for line in header_lines(header)], octets > HEADER_OCTETS


def search_text(
    structure: Structure, fields: HeaderFields, texts: list[ReadText], read: Read
) -> SearchText:
    """The searchable text of a message whose text parts were read."""
    found = [decode_words(value) for name in SEARCHED_FIELDS for value in fields.each(name)[:10]]
    named: list[str] = []
    is_cut = any(each.is_cut for each in texts)
    octets_left = EMBEDDED_OCTETS
    for part in structure.root.walk():
        if len(named) > NAMES:
            is_cut = True
            break
        named += part_names(structure, part)
        if part.is_message:
            octets_left -= part.children[0].body_start - part.children[0].header_start
            if octets_left < 0:
                is_cut = True
            else:
                named += embedded_header(part, read)[0]
    header = "\n".join([normalize(each) for each in found if each])
    texts_and_names = [*named, *(each.text for each in texts)]
    body = "\n".join([normalize(each).strip() for each in texts_and_names if each])
    is_cut = is_cut or len(body) > TEXT_CHARACTERS
    return SearchText(header[:HEADER_CHARACTERS], body[:TEXT_CHARACTERS], is_cut)
