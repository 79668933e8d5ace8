"""Asks for the messages of an account by a value of one header field.

The first question reads the field's blocks, and they are kept.  Beside the answers a table is
made of them; where they are many, which takes long, after some more questions.  With the second
question all fields of the account are made ready: who searches by a sender searches by a
subject, too, and mail programs often do both at once.

Where many accounts ask there is no room for all.  What would be let go of before it is asked again
is not worth making: then a table waits for one more question, and nothing is made ready.
"""

import itertools
from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from mailbox_server.model.ids import AccountId
from mailbox_server.store.derived_reading import Sight
from mailbox_server.store.ports import Candidates
from mailbox_server.store.search_index import standing
from mailbox_server.store.search_index.field_block import Columns, ValueSeeker, check
from mailbox_server.store.search_index.field_values import (
    FOUND_COST,
    OCTETS_MOST,
    FieldBlocks,
    FieldTable,
)
from mailbox_server.store.search_index.header_text import INDEXED_FIELDS

MOST: Final = 500_000
"""Messages that are told apart from the others; of more than that, looking at all is as good."""
OCTETS_A_QUESTION: Final = 512 * 1024
"""Of a field with as much a table is made after a question more for each; nobody else has it
made."""


class _Field(NamedTuple):
    """What is kept of one field of an account.

    maybe: ascending ids of messages of which more may be said elsewhere.  questions: their
    numbers; that which read the field has 0.
    """

    values: FieldBlocks | FieldTable
    maybe: Sequence[int]
    upto: int
    questions: Iterator[int]

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
    sight.goes_through(len(kept.maybe) * FOUND_COST)
    found = kept.values.found(seeker, sight.goes_through)
    number = next(kept.questions)
    if number == 1 and not sight.is_crowded:
        sight.later_reading(("ready", account), partial(_make_ready, account))
    _make_table_at(number, sight, key, kept)
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
    kept = _field_of(sight, account, blocks, itertools.count(1))
    if octets <= OCTETS_MOST:
        key = _key(account, field)
        sight.keep(key, kept, kept.octets)
        _make_table_at(0, sight, key, kept)
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


def _field_of(
    sight: Sight, account: AccountId, blocks: Sequence[Columns], questions: Iterator[int]
) -> _Field:
    segments = standing.live(sight)
    elsewhere = {*standing.waiting(sight, segments, account)}
    for each in segments:
        elsewhere.update(standing.holding_more(sight, each, "head", account))
    return _Field(FieldBlocks(blocks), sorted(elsewhere), standing.upto(segments), questions)


def _make_ready(account: AccountId, sight: Sight) -> None:
    """Read the fields that nobody asked for yet and have tables made of them, where they are
    small."""
    for field in range(len(INDEXED_FIELDS)):
        key = _key(account, field)
        if sight.kept(key) is None and _octets(sight, account, field) < OCTETS_A_QUESTION:
            blocks = [*_stored(sight, account, field)]
            kept = _field_of(sight, account, blocks, itertools.count(2))
            sight.keep(key, kept, kept.octets)
            _make_table_later(sight, key)


def _octets(sight: Sight, account: AccountId, field: int) -> float:
    asked = "SELECT total(length(lines)) FROM field WHERE account = ? AND field = ?"
    octets: float = sight.rows(asked, (account, field))[0][0]
    return octets


def _make_table_at(question: int, sight: Sight, key: Hashable, kept: _Field) -> None:
    """Have a table made beside the answers, where that is due with the question."""
    blocks = kept.values
    if not isinstance(blocks, FieldBlocks):
        return
    due = blocks.octets // OCTETS_A_QUESTION
    if question == (due + 1 if sight.is_crowded else due):
        _make_table_later(sight, key)


def _make_table_later(sight: Sight, key: Hashable) -> None:
    sight.later(("table", key), partial(_make_table, sight, key))


def _make_table(sight: Sight, key: Hashable) -> None:
    """Of blocks that are still kept: where many accounts ask, others may stand in their place."""
    kept: _Field | None = sight.kept(key)
    if kept is None or not isinstance(kept.values, FieldBlocks):
        return
    table = kept.values.table(sight.keeps_most - (kept.octets - kept.values.octets))
    if table is not None:
        changed = kept._replace(values=table)
        sight.keep(key, changed, changed.octets)
