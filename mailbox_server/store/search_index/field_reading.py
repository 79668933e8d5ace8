"""Asks for the messages of an account by a value of one header field.

The first question reads the field's blocks, and they are kept.  With the next one all fields of
the account are made ready, beside the answers: who searches by a sender searches by a subject,
too, and mail programs often do both at once.
"""

from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from mailbox_server.model.ids import AccountId
from mailbox_server.store.derived_reading import Sight
from mailbox_server.store.ports import Candidates
from mailbox_server.store.search_index import standing
from mailbox_server.store.search_index.field_block import Columns, ValueSeeker, check
from mailbox_server.store.search_index.field_values import (
    OCTETS_A_QUESTION,
    OCTETS_MOST,
    FieldBlocks,
    FieldTable,
)
from mailbox_server.store.search_index.header_text import INDEXED_FIELDS

MOST: Final = 500_000
"""Messages that are told apart from the others; of more than that, looking at all is as good."""


class _Field(NamedTuple):
    """What is kept of one field of an account.

    maybe: ascending ids of messages of which more may be said elsewhere.
    """

    values: FieldBlocks | FieldTable
    maybe: Sequence[int]
    upto: int

    @property
    def octets(self) -> int:
        return self.values.octets + standing.ID_OCTETS * len(self.maybe)


def by_field(sight: Sight, account: AccountId, field: int, needle: str) -> Candidates | None:
    """Messages with the normalized needle in the field; None where they are too many.

    Raises sqlite3.Error.
    """
    key, seeker = _key(account, field), ValueSeeker(needle)
    kept: _Field | None = sight.kept(key)
    if kept is None:
        return _in_blocks(sight, account, field, seeker)
    values = kept.values
    found = values.found(seeker, sight.goes_through)
    if isinstance(values, FieldBlocks) and values.is_asked_again():
        sight.later(partial(_make_table, sight, key, kept, values))
        sight.later_reading(partial(_make_ready, account))
    return _told(found, kept.maybe, kept.upto)


def _key(account: AccountId, field: int) -> Hashable:
    return "field", account, field


def _told(found: Sequence[int], maybe: Sequence[int], upto: int) -> Candidates | None:
    if len(found) > MOST:
        return None
    return Candidates(found, sorted({*maybe}.difference(found)) if maybe else [], upto)


def _in_blocks(
    sight: Sight, account: AccountId, field: int, seeker: ValueSeeker
) -> Candidates | None:
    """As they are read: of many there is no room for all."""
    found: list[int] = []
    blocks: list[Columns] = []
    octets = 0
    for columns in _stored(sight, account, field):
        found += seeker.messages(columns)
        if len(found) > MOST:
            return None
        octets += len(columns.lines)
        if octets <= OCTETS_MOST:
            blocks.append(columns)
    kept = _field_of(sight, account, blocks)
    if octets <= OCTETS_MOST:
        sight.keep(_key(account, field), kept, kept.octets)
    return _told(sorted(found), kept.maybe, kept.upto)


def _stored(sight: Sight, account: AccountId, field: int) -> Iterator[Columns]:
    """The blocks of a field.  Raises sqlite3.Error."""
    of_live = {each.number for each in standing.live(sight)}
    for segment, number, base, lines, stored in sight.execute(
        "SELECT segment, number, base, lines, checksum FROM field WHERE account = ? AND field = ?",
        (account, field),
    ):
        if segment in of_live:
            columns = Columns(base, lines)
            check(stored, (account, field, segment, number), columns)
            yield columns


def _field_of(sight: Sight, account: AccountId, blocks: Sequence[Columns]) -> _Field:
    segments = standing.live(sight)
    elsewhere = {*standing.waiting(sight, segments, account)}
    for each in segments:
        elsewhere.update(standing.holding_more(sight, each, "head", account))
    return _Field(FieldBlocks(blocks), sorted(elsewhere), standing.upto(segments))


def _make_ready(account: AccountId, sight: Sight) -> None:
    """Read the fields that nobody asked for yet, and have all made ready that are not large."""
    for field in range(len(INDEXED_FIELDS)):
        key = _key(account, field)
        kept: _Field | None = sight.kept(key)
        if kept is None:
            kept = _read_if_small(sight, account, field)
        if kept is not None and isinstance(kept.values, FieldBlocks):
            sight.later(partial(_make_small_table, sight, key, kept, kept.values))


def _read_if_small(sight: Sight, account: AccountId, field: int) -> _Field | None:
    asked = "SELECT total(length(lines)) FROM field WHERE account = ? AND field = ?"
    ((octets,),) = sight.rows(asked, (account, field))
    if octets > OCTETS_A_QUESTION:
        return None
    kept = _field_of(sight, account, [*_stored(sight, account, field)])
    sight.keep(_key(account, field), kept, kept.octets)
    return kept


def _make_small_table(sight: Sight, key: Hashable, kept: _Field, blocks: FieldBlocks) -> None:
    if sight.kept(key) is kept and blocks.octets <= OCTETS_A_QUESTION:
        _make_table(sight, key, kept, blocks)


def _make_table(sight: Sight, key: Hashable, kept: _Field, blocks: FieldBlocks) -> None:
    table = blocks.table(sight.keeps_most - (kept.octets - blocks.octets))
    if table is not None:
        changed = kept._replace(values=table)
        sight.keep(key, changed, changed.octets)
