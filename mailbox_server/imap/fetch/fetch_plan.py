"""What a FETCH needs of the store, worked out once a command from its items.

A section is answered from the cheapest source: header fields that clients list by from
their own column, whole and header sections by the stored lengths, deeper ones from the part
table (mime.sections).
"""

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mailbox_server.imap.grammar.fetch_items import (
    Attribute,
    BinarySection,
    BinarySize,
    BodySection,
    FetchItem,
)
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.mime.header_fields import FIRST_FIELDS, LISTED_FIELDS, merged
from mailbox_server.mime.sections import Section, SectionKind
from mailbox_server.store.ports import Column

_FROM_VIEW: Final = frozenset({Attribute.FLAGS, Attribute.UID, Attribute.MODSEQ})
_COLUMNS: Final = MappingProxyType(
    {
        Attribute.INTERNALDATE: (Column.DATED,),
        Attribute.SIZE: (Column.SIZE,),
        Attribute.ENVELOPE: (Column.ENVELOPE,),
        Attribute.BODY: (Column.BODY,),
        Attribute.BODYSTRUCTURE: (Column.BODY_STRUCTURE,),
        Attribute.EMAILID: (Column.MESSAGE,),
        Attribute.THREADID: (Column.THREAD,),
        Attribute.SAVEDATE: (Column.SAVED,),
        Attribute.PREVIEW: (Column.PREVIEW,),
    }
)
_LISTED: Final = (Column.LISTED, Column.LISTED_REST, Column.LISTED_ORDER)


class Source(enum.Enum):
    """Where a section's octets come from."""

    LISTED = "the columns of listed fields"
    OWN_HEADER = "trace and content, split by the stored header length"
    PARTS = "the content, by the part table"


@dataclass(frozen=True, slots=True)
class SectionPlan:
    """One section and its source.

    wanted: its octets.
    columns: where listed fields are: the first of them, the rest, or both with their order.
    pattern: finds the fields there, whose lines are fields one and all; None where all that is
        there is asked for.  Both only for Source.LISTED.
    """

    section: BodySection
    source: Source
    wanted: Section
    columns: tuple[Column, ...] = ()
    pattern: re.Pattern[bytes] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the message as it is."""
        section = self.section
        return section.kind is SectionKind.WHOLE and not (section.parts or section.partial)


@dataclass(frozen=True, slots=True)
class BinaryPlan:
    """A part that is decoded (RFC 3516 §4.2), found by the part table."""

    section: BinarySection | BinarySize

    @property
    def is_whole(self) -> bool:
        """Never answered as the message is: NUL in it wants another form."""
        return False


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """How to answer one FETCH.

    columns: to ask of the store where rows hold all of it; empty where the view has it all.
    named_by: UID for UIDFETCH responses (RFC 9586 §3.3).
    """

    items: tuple[Attribute | SectionPlan | BinaryPlan, ...]
    columns: tuple[Column, ...]
    named_by: By = By.NUMBER

    @property
    def needs_store(self) -> bool:
        """Whether anything is not in the view."""
        return bool(self.columns)

    @property
    def sections(self) -> list[SectionPlan | BinaryPlan]:
        """The items that are sections."""
        return [item for item in self.items if not isinstance(item, Attribute)]

    @property
    def listed(self) -> tuple[Column, ...]:
        """The columns of listed fields: where one is None, only the content will do."""
        return tuple(column for column in self.columns if column in _LISTED)

    @property
    def is_in_rows(self) -> bool:
        """Whether rows hold all of it, but for messages with too many listed fields."""
        return all(
            isinstance(section, SectionPlan) and section.source is Source.LISTED
            for section in self.sections
        )

    @property
    def from_content(self) -> "FetchPlan":
        """The same items, every section read from the content."""
        items = [
            SectionPlan(item.section, Source.OWN_HEADER, item.wanted)
            if isinstance(item, SectionPlan) and item.source is Source.LISTED
            else item
            for item in self.items
        ]
        return _with_columns(items, self.named_by)


def plan(items: Sequence[FetchItem], named_by: By = By.NUMBER) -> FetchPlan:
    """Work out the sources of all items."""
    whole = _with_columns([_plan_item(item) for item in items], named_by)
    return whole if whole.is_in_rows else whole.from_content


def _plan_item(item: FetchItem) -> Attribute | SectionPlan | BinaryPlan:
    match item:
        case Attribute():
            return item
        case BodySection():
            return _plan_section(item)
        case _:
            return BinaryPlan(item)


def _with_columns(items: Sequence[Attribute | SectionPlan | BinaryPlan], named_by: By) -> FetchPlan:
    columns: dict[Column, None] = {}
    for item in items:
        if isinstance(item, Attribute):
            columns.update(dict.fromkeys(_COLUMNS.get(item, ())))
        else:
            columns.update(dict.fromkeys(_section_columns(item)))
    return FetchPlan(tuple(items), tuple(columns), named_by)


def _plan_section(section: BodySection) -> SectionPlan:
    names = frozenset(name.lower() for name in section.fields)
    wanted = Section(section.parts, section.kind, names, section.partial)
    if section.parts:
        return SectionPlan(section, Source.PARTS, wanted)
    if section.kind is not SectionKind.HEADER_FIELDS or not names <= LISTED_FIELDS:
        return SectionPlan(section, Source.OWN_HEADER, wanted)
    if names.isdisjoint(FIRST_FIELDS):
        columns: tuple[Column, ...] = (Column.LISTED_REST,)
    else:
        columns = (Column.LISTED,) if names <= FIRST_FIELDS else _LISTED
    pattern = None if names == FIRST_FIELDS else _fields_named(names)
    return SectionPlan(section, Source.LISTED, wanted, columns, pattern)


def _fields_named(names: frozenset[bytes]) -> re.Pattern[bytes]:
    either = b"|".join(re.escape(name) for name in sorted(names))
    return re.compile(rb"(?mi)^(?:%b)[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*" % either)


def _section_columns(section: SectionPlan | BinaryPlan) -> tuple[Column, ...]:
    own = (Column.CONTENT, Column.SIZE, Column.TRACE, Column.HEADER_OCTETS)
    if isinstance(section, BinaryPlan) or section.source is Source.PARTS:
        return (*own, Column.PARTS)
    return section.columns if section.source is Source.LISTED else own


def listed_octets(section: SectionPlan, *columns: bytes) -> bytes:
    """The octets of a section of listed fields, cut to its partial.

    columns: what stands in section.columns, none of them None.
    """
    listed = merged(*columns) if columns[1:] else columns[0]
    found = listed if section.pattern is None else b"".join(section.pattern.findall(listed))
    partial = section.section.partial
    whole = found + b"\r\n"
    return whole if partial is None else whole[partial.start : partial.start + partial.count]
