"""Sections of a stored message: which octets BODY[...] and `;SECTION=` name, as pieces.

A section is meant of trace + content: the trace belongs to every section that begins at the
message's own header.  Nothing is read here: pieces() names extents of the content, and only
selected header fields are octets already.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mailbox_server.mime.header_fields import select
from mailbox_server.mime.structure import SectionText, Structure, section_range

HEADER_OCTETS: Final = 1 << 20
"""Fields are selected within the first MiB of a header, as far as it was read at delivery."""


class SectionKind(enum.Enum):
    """Which octets of a part are meant (RFC 9051 §6.4.5.1)."""

    WHOLE = ""
    HEADER = "HEADER"
    HEADER_FIELDS = "HEADER.FIELDS"
    HEADER_FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Partial:
    """`<start.count>`: octets from start, at most count (1 or more)."""

    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Section:
    """Octets of one message.

    parts: part numbers, () for the message itself.
    names: header field names in lower case, for the HEADER_FIELDS kinds.
    """

    parts: tuple[int, ...] = ()
    kind: SectionKind = SectionKind.WHOLE
    names: frozenset[bytes] = frozenset()
    partial: Partial | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """Octets [start, end) of the content."""

    start: int
    end: int


Piece = bytes | Extent


@dataclass(frozen=True, slots=True)
class Stored:
    """The columns of one message that sections of its content need.

    size: of trace and content.  parts: only for sections with part numbers.
    """

    content: int
    trace: bytes
    size: int
    header_octets: int
    parts: Structure | None

    @property
    def content_octets(self) -> int:
        """Length of the content alone."""
        return self.size - len(self.trace)


_FIELDS: Final = (SectionKind.HEADER_FIELDS, SectionKind.HEADER_FIELDS_NOT)
_TEXTS: Final = MappingProxyType(
    {
        SectionKind.WHOLE: SectionText.ALL,
        SectionKind.HEADER: SectionText.HEADER,
        SectionKind.HEADER_FIELDS: SectionText.HEADER,
        SectionKind.HEADER_FIELDS_NOT: SectionText.HEADER,
        SectionKind.TEXT: SectionText.TEXT,
        SectionKind.MIME: SectionText.MIME,
    }
)


def header_extent(section: Section, stored: Stored) -> Extent | None:
    """What of the header must be read before pieces() can select its fields."""
    if section.kind not in _FIELDS:
        return None
    start, end = 0, stored.header_octets
    if section.parts:
        ranges = _ranges(section, stored, SectionText.HEADER)
        if not ranges:
            return None
        [(start, end)] = ranges
    return Extent(start, min(end, start + HEADER_OCTETS))


def pieces(section: Section, stored: Stored, header: bytes) -> list[Piece] | None:
    """The section's octets in order, cut to its partial; None where it does not exist.

    header: what header_extent asked for, else b"".
    """
    whole = _whole(section, stored, header)
    partial = section.partial
    if whole is None or partial is None:
        return whole
    return cut(whole, partial.start, partial.start + partial.count)


def _whole(section: Section, stored: Stored, header: bytes) -> list[Piece] | None:
    kind = section.kind
    keep = kind is not SectionKind.HEADER_FIELDS_NOT
    if section.parts:
        ranges = _ranges(section, stored, _TEXTS[kind])
        if ranges is None:
            return None
        if kind in _FIELDS:
            return [select(header, section.names, keep=keep)]
        return [Extent(start, end) for start, end in ranges]
    if kind in _FIELDS:
        return [select(stored.trace + header, section.names, keep=keep)]
    if kind is SectionKind.HEADER:
        return [stored.trace, Extent(0, stored.header_octets)]
    if kind is SectionKind.TEXT:
        return [Extent(stored.header_octets, stored.content_octets)]
    if kind is SectionKind.WHOLE:
        return [stored.trace, Extent(0, stored.content_octets)]
    return None


def _ranges(section: Section, stored: Stored, text: SectionText) -> list[tuple[int, int]] | None:
    assert stored.parts is not None, "part numbers want the part table"
    return section_range(stored.parts, section.parts, text)


def length(found: Sequence[Piece]) -> int:
    """Octets of all pieces."""
    return sum(len(p) if isinstance(p, bytes) else p.end - p.start for p in found)


def cut(whole: Sequence[Piece], start: int, end: int) -> list[Piece]:
    """Octets [start, end) of all pieces."""
    kept: list[Piece] = []
    position = 0
    for piece in whole:
        size = len(piece) if isinstance(piece, bytes) else piece.end - piece.start
        low, high = max(start - position, 0), min(end - position, size)
        if low < high:
            if isinstance(piece, bytes):
                kept.append(piece[low:high])
            else:
                kept.append(Extent(piece.start + low, piece.start + high))
        position += size
    return kept
