"""FETCH responses by columns: one template a plan, filled for a whole block of messages.

A response is cut where content octets stand in it: form, octets, form, octets, ..., form.
What the view or a row holds is put into the forms, whatever octets come from content stay
as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, Final

from mailbox_server.imap.fetch.fetch_plan import (
    BinaryPlan,
    FetchPlan,
    SectionPlan,
    Source,
    listed_octets,
)
from mailbox_server.imap.grammar.fetch_items import Attribute, BinarySize
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.responses import CRLF, string
from mailbox_server.imap.views.selected import SightColumns
from mailbox_server.mime.internal_date import date_time
from mailbox_server.model.ids import message_object_id, thread_object_id
from mailbox_server.model.message import InternalDate
from mailbox_server.store.ports import Column

Columns = Sequence[Sequence[Any]]
"""The columns of rows: UIDs, then those of the plan."""

_Make = Callable[[SightColumns, Columns], tuple[Sequence[object], ...]]

_OF_VIEW: Final = MappingProxyType(
    {
        Attribute.FLAGS: b"FLAGS (%b)",
        Attribute.UID: b"UID %d",
        Attribute.MODSEQ: b"MODSEQ (%d)",
    }
)
_OF_ROW: Final = MappingProxyType(
    {
        Attribute.INTERNALDATE: (b"INTERNALDATE %b", Column.DATED),
        Attribute.SIZE: (b"RFC822.SIZE %d", Column.SIZE),
        Attribute.ENVELOPE: (b"ENVELOPE %b", Column.ENVELOPE),
        Attribute.BODY: (b"BODY %b", Column.BODY),
        Attribute.BODYSTRUCTURE: (b"BODYSTRUCTURE %b", Column.BODY_STRUCTURE),
    }
)

_MADE: Final[MappingProxyType[Attribute, tuple[bytes, Column, Callable[[Any], bytes]]]] = (
    MappingProxyType(
        {
            Attribute.EMAILID: (
                b"EMAILID (%b)",
                Column.MESSAGE,
                lambda number: message_object_id(number).encode("ascii"),
            ),
            Attribute.THREADID: (
                b"THREADID (%b)",
                Column.THREAD,
                lambda number: thread_object_id(number).encode("ascii"),
            ),
            Attribute.SAVEDATE: (
                b"SAVEDATE %b",
                Column.SAVED,
                lambda seconds: date_time(InternalDate(seconds)),
            ),
            Attribute.PREVIEW: (
                b"PREVIEW %b",
                Column.PREVIEW,
                lambda text: string(text.encode("utf-8")),
            ),
        }
    )
)
"""Items that are made of a column's value as they are told."""


class FetchLines:
    """Formats the responses of one plan, whose columns rows have behind their UID."""

    def __init__(self, plan: FetchPlan) -> None:
        self._place = {column: place for place, column in enumerate(plan.columns, 1)}
        self._forms: list[bytes] = []
        self._openings = [_opening_for(section) for section in plan.sections]
        self._makes: list[list[_Make]] = []
        form, makes = _NAMED[plan.named_by], list[_Make]([_NAMES[plan.named_by]])
        for place, item in enumerate(plan.items):
            space = b" " if place else b""
            if isinstance(item, BinaryPlan) or (
                isinstance(item, SectionPlan) and not plan.is_in_rows
            ):
                self._forms.append(form + space + _escaped(item.section.label) + b"%b")
                self._makes.append(makes)
                form, makes = b"", []
                continue
            text, make = self._item(item)
            form += space + text
            makes.append(make)
        self._forms.append(form + b"%b")
        self._makes.append(makes)

    def whole(self, sights: SightColumns, columns: Columns, ends: Sequence[bytes]) -> bytes:
        """The responses, where the plan has no octets of content; ends close them."""
        values = self._values(0, sights, columns)
        form = self._forms[0] * len(sights.uids)
        return form % tuple(chain.from_iterable(zip(*values, ends, strict=True)))

    def pieces(
        self,
        sights: SightColumns,
        columns: Columns,
        sections: Sequence[Sequence[bytes | None]],
        ends: Sequence[bytes],
    ) -> list[bytes]:
        """The responses in pieces, as many of each.

        sections: by message, octets by section; of a BINARY.SIZE its digits.
        """
        found: list[Sequence[bytes]] = []
        for place, octets in enumerate(zip(*sections, strict=True)):
            openings = list(map(self._openings[place], octets))
            found += (self._filled(place, sights, columns, openings), [o or b"" for o in octets])
        found.append(self._filled(len(self._forms) - 1, sights, columns, ends))
        return list(chain.from_iterable(zip(*found, strict=True)))

    def before(self, section: int, sights: SightColumns, columns: Columns, opening: bytes) -> bytes:
        """What stands before the octets of that section, for one message."""
        return self._filled(section, sights, columns, [opening])[0]

    def _filled(
        self, place: int, sights: SightColumns, columns: Columns, ends: Sequence[bytes]
    ) -> list[bytes]:
        form, values = self._forms[place], self._values(place, sights, columns)
        return [form % each for each in zip(*values, ends, strict=True)]

    def _values(self, place: int, sights: SightColumns, columns: Columns) -> list[Sequence[object]]:
        return [column for make in self._makes[place] for column in make(sights, columns)]

    # ------------------------------------------------------------ items

    def _item(self, item: Attribute | SectionPlan) -> tuple[bytes, _Make]:
        if isinstance(item, SectionPlan):
            return self._listed(item)
        if item in _OF_ROW:
            form, column = _OF_ROW[item]
            place = self._place[column]
            return form, lambda _, rows: (rows[place],)
        if item in _MADE:
            form, column, make = _MADE[item]
            place = self._place[column]
            return form, lambda _, rows: ([make(value) for value in rows[place]],)
        return _OF_VIEW[item], lambda sights, _: (of_view(item, sights),)

    def _listed(self, item: SectionPlan) -> tuple[bytes, _Make]:
        label, places = _escaped(item.section.label), [self._place[c] for c in item.columns]
        if item.source is Source.LISTED and item.pattern is None and not item.section.partial:
            # Just what the column holds: the most frequent list of all makes no octets anew.
            [place] = places
            return label + b" {%d}\r\n%b\r\n", lambda _, rows: (
                [len(octets) + len(CRLF) for octets in rows[place]],
                rows[place],
            )

        def make(_: SightColumns, rows: Columns) -> tuple[Sequence[object], ...]:
            parts = zip(*(rows[place] for place in places), strict=True)
            found = [listed_octets(item, *each) for each in parts]
            return [opening(len(octets)) for octets in found], found

        return label + b"%b%b", make


def of_view(item: Attribute, sights: SightColumns) -> Sequence[object]:
    """The column of FLAGS, UID or MODSEQ."""
    if item is Attribute.FLAGS:
        return sights.flags
    return sights.uids if item is Attribute.UID else sights.modseqs


def opening(octets: int | None, *, holds_nul: bool = False) -> bytes:
    """What stands between a section's label and its octets; NIL and "" are whole with it.

    What holds NUL is a literal8 (RFC 3516 §4.3).
    """
    if octets is None:
        return b" NIL"
    if holds_nul:
        return b" ~{%d}\r\n" % octets
    return b" {%d}\r\n" % octets if octets else b' ""'


def _opening_for(section: SectionPlan | BinaryPlan) -> Callable[[bytes | None], bytes]:
    if isinstance(section, SectionPlan):
        return lambda octets: opening(None if octets is None else len(octets))
    if isinstance(section.section, BinarySize):
        return lambda digits: b" "
    return lambda octets: (
        opening(None) if octets is None else opening(len(octets), holds_nul=b"\0" in octets)
    )


_NAMED: Final = MappingProxyType({By.NUMBER: b"* %d FETCH (", By.UID: b"* %d UIDFETCH ("})
_NAMES: Final[Mapping[By, _Make]] = MappingProxyType(
    {By.NUMBER: lambda sights, _: (sights.numbers,), By.UID: lambda sights, _: (sights.uids,)}
)


def _escaped(label: bytes) -> bytes:
    """Labels repeat what the client wrote."""
    return label.replace(b"%", b"%%")
