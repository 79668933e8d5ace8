"""Gather what search looks through: header fields, names of attachments, and body text.

All is normalized by `text.normalize`, as queries are.  Entries are parted by line feeds,
which normalized text does not hold, so that no needle is found across two of them.
"""

import re
from dataclasses import dataclass

from mailbox_server.mime.attachment import file_name
from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.header_fields import HeaderFields, named_values
from mailbox_server.mime.structure import Structure
from mailbox_server.mime.text import TEXT_CHARACTERS, ReadText, normalize

HEADER_CHARACTERS = 64 * 1024
NAMES = 1_000

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
    body: names and descriptions of its attachments and the texts of its parts, one a
        line; BODY looks here, TEXT in both (RFC 9051 §6.4.4).
    """

    header: str
    body: str


def header_holds(header: bytes, needle: str) -> bool:
    """Whether a field of a header block, its name included, holds the normalized needle."""
    if needle.isascii() and header.isascii() and not _TAKES_READING.search(header):
        # What is nowhere in the block as it stands is in no field of it.
        merged = " ".join(header.decode("ascii").split()).lower()
        if needle not in merged:
            return False
    return any(
        needle in normalize(f"{name.decode('ascii')}: {decode_words(value)}")
        for name, value in named_values(header)
    )


def search_text(structure: Structure, fields: HeaderFields, texts: list[ReadText]) -> SearchText:
    """The searchable text of a message whose text parts were read."""
    found = [decode_words(value) for name in SEARCHED_FIELDS for value in fields.each(name)[:10]]
    named: list[str] = []
    root = structure.root
    if root.children or root.media_type != b"text":
        for part in root.walk():
            if part.parameters or part.disposition_parameters or part.description:
                named.append(file_name(part) or "")
                named.append(decode_words(part.description or b""))
            if len(named) > NAMES:
                break
    header = "\n".join([normalize(each) for each in found if each])
    texts_and_names = [*named, *(each.text for each in texts)]
    body = "\n".join([normalize(each).strip() for each in texts_and_names if each])
    return SearchText(header[:HEADER_CHARACTERS], body[:TEXT_CHARACTERS])
