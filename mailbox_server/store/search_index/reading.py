"""Asks the index which messages may match; on the connection of one reader thread.

Whatever fails here, the answer is that the index does not know: then all is scanned.

What questions of an account have in common is kept while nobody writes the index: its
segments, what waits, vocabularies, sketches and values of fields, as far as there is room.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from mailbox_server.model.ids import AccountId
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.derived_reading import DerivedReader, Rows, Sight
from mailbox_server.store.ports import Candidates
from mailbox_server.store.search_index import field_values, full_text, layout
from mailbox_server.store.search_index.brief_reading import Briefs
from mailbox_server.store.search_index.briefs import Parts
from mailbox_server.store.search_index.field_block import Columns, ValueSeeker, check
from mailbox_server.store.search_index.field_values import OCTETS_MOST, FieldBlocks, ValueTable
from mailbox_server.store.search_index.layout import Live
from mailbox_server.store.search_index.needles import AllOf, Question, more, word

MOST: Final = 500_000
"""Messages that are told apart from the others; of more than that, looking at all is as good."""
MANY: Final = 200
"""Messages that take longer to look at than asking for the word among them."""
_ROWS: Final = 10_000
_ID_OCTETS: Final = 40
"""Of memory, that an id takes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Messages of whose texts of these kinds, text and head, the answers are.

    question: of full-text tables.  parts: of short texts.
    """

    kinds: tuple[str, ...]
    question: Question
    parts: Parts


class IndexReader(DerivedReader):
    """One reader of the index, used by one thread at a time; it opens the file when asked."""

    def __init__(self, place: DerivedPlace) -> None:
        super().__init__(place, layout.READER_CACHE_KIB)

    def maybe(
        self, account: AccountId, wanted: Wanted, needle: str | None = None
    ) -> Candidates | None:
        """Messages of the account that are wanted, or may be, and some few of others.

        needle: what bodies with a word that begins so match for sure, where many may.
        """
        return self.ask(lambda sight: _maybe(sight, account, wanted, needle), None)

    def field(self, account: AccountId, field: int, needle: str) -> Candidates | None:
        """Messages of the account with the normalized needle in a field of INDEXED_FIELDS."""
        return self.ask(lambda sight: _by_field(sight, account, field, needle), None)

    def recalled_field(self, account: AccountId, field: int, needle: str) -> Candidates | None:
        """The same of what is kept, at once; None where that does not do.  In any thread."""
        return self.recall(lambda sight: _by_field(sight, account, field, needle), None)


def _maybe(
    sight: Sight, account: AccountId, wanted: Wanted, needle: str | None
) -> Candidates | None:
    segments = _live(sight)
    found: set[int] = set(_waiting(sight, segments, account))
    sure: set[int] = set()
    asked = Briefs(sight, account, wanted.parts)
    for segment in segments:
        for kind in wanted.kinds:
            if f"brief{kind}" in segment.tables:
                briefs = asked.found(segment.number, kind)
                # The text of a header is more than TEXT looks into.
                (sure if kind == "text" else found).update(briefs.sure)
                found.update(briefs.maybe)
            found.update(_more(sight, segment, kind, account))
            for rows in _asked(sight, segment, kind, wanted.question):
                found.update(row[0] for row in rows)
                if len(found) + len(sure) > MOST:
                    return None
    if needle is not None and len(found) > MANY and (words := word(account, needle)) is not None:
        for segment in segments:
            for rows in _matches(sight, segment, "word", words):
                sure.update(row[0] for row in rows)
    return Candidates(sorted(sure), sorted(found - sure), _upto(segments))


def _live(sight: Sight) -> Sequence[Live]:
    live: Sequence[Live] | None = sight.kept("live")
    if live is None:
        live = layout.live_segments(sight.rows)
        sight.keep("live", live, sum(_ID_OCTETS * len(each.tables) for each in live))
    return live


def _waiting(sight: Sight, segments: Sequence[Live], account: AccountId) -> Sequence[int]:
    """Messages of which the segments say nothing."""
    key = "waiting", account
    waiting: Sequence[int] | None = sight.kept(key)
    if waiting is None:
        asked = "SELECT message FROM waiting WHERE segment = ? AND account = ?"
        rows = (row for each in segments for row in sight.rows(asked, (each.number, account)))
        waiting = [row[0] for row in rows]
        sight.keep(key, waiting, _ID_OCTETS * len(waiting))
    return waiting


def _more(sight: Sight, segment: Live, kind: str, account: AccountId) -> Sequence[int]:
    """Messages of which texts of a kind may hold more than is indexed."""
    if kind not in segment.tables:
        return ()
    key = "more", segment.number, kind, account
    found: Sequence[int] | None = sight.kept(key)
    if found is None:
        found = [row[0] for rows in _matches(sight, segment, kind, more(account)) for row in rows]
        sight.keep(key, found, _ID_OCTETS * len(found))
    return found


def _upto(segments: Sequence[Live]) -> int:
    return segments[-1].upto if segments else 0


def _asked(sight: Sight, segment: Live, kind: str, question: Question) -> Iterator[Rows]:
    if kind not in segment.tables:
        return
    table = f"{kind}_{segment.number}"
    if isinstance(question, AllOf):
        yield from full_text.all_of(sight, table, question)
        return
    cursor = sight.execute(
        f"SELECT doc FROM {table}_grams WHERE term >= ? AND term < ?",
        (question.first, question.beyond),
    )
    while rows := cursor.fetchmany(_ROWS):
        yield rows


def _matches(sight: Sight, segment: Live, kind: str, expression: str) -> Iterator[Rows]:
    if kind in segment.tables:
        yield from full_text.matches(sight, f"{kind}_{segment.number}", expression)


class _Field(NamedTuple):
    """What is kept of one field of an account.

    maybe: ascending ids of messages of which more may be said elsewhere.
    """

    values: FieldBlocks | ValueTable
    maybe: Sequence[int]
    upto: int

    @property
    def octets(self) -> int:
        return self.values.octets + _ID_OCTETS * len(self.maybe)


def _by_field(sight: Sight, account: AccountId, field: int, needle: str) -> Candidates | None:
    """None where they are too many."""
    key, seeker = ("field", account, field), ValueSeeker(needle)
    kept: _Field | None = sight.kept(key)
    if kept is None:
        return _in_blocks(sight, account, field, seeker)
    values = kept.values
    found: list[int] = []
    for some in values.found(seeker, sight.goes_through):
        sight.goes_through((len(found) + len(some)) * field_values.FOUND_COST)
        found += some
    if isinstance(values, FieldBlocks) and values.is_asked_again():
        sight.later(partial(_make_table, sight, key, kept, values))
    return _told(found, kept.maybe, kept.upto)


def _make_table(sight: Sight, key: Hashable, kept: _Field, blocks: FieldBlocks) -> None:
    table = blocks.table(sight.keeps_most - (kept.octets - blocks.octets))
    if table is not None:
        changed = kept._replace(values=table)
        sight.keep(key, changed, changed.octets)


def _told(found: list[int], maybe: Sequence[int], upto: int) -> Candidates | None:
    if len(found) > MOST:
        return None
    found.sort()
    return Candidates(found, sorted({*maybe}.difference(found)) if maybe else [], upto)


def _in_blocks(
    sight: Sight, account: AccountId, field: int, seeker: ValueSeeker
) -> Candidates | None:
    segments = _live(sight)
    live = {each.number for each in segments}
    found: list[int] = []
    blocks: list[Columns] = []
    octets = 0
    for segment, number, base, lines, stored in sight.execute(
        "SELECT segment, number, base, lines, checksum FROM field WHERE account = ? AND field = ?",
        (account, field),
    ):
        if segment in live:
            columns = Columns(base, lines)
            check(stored, (account, field, segment, number), columns)
            found += seeker.messages(columns)
            if len(found) > MOST:
                return None
            octets += len(lines)
            if octets <= OCTETS_MOST:
                blocks.append(columns)
    elsewhere = {*_waiting(sight, segments, account)}
    for each in segments:
        elsewhere.update(_more(sight, each, "head", account))
    maybe, upto = sorted(elsewhere), _upto(segments)
    if octets <= OCTETS_MOST:
        kept = _Field(FieldBlocks(blocks), maybe, upto)
        sight.keep(("field", account, field), kept, kept.octets)
    return _told(found, maybe, upto)
