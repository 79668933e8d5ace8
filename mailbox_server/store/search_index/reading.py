"""Asks the index which messages may match; on the connection of one reader thread.

Whatever fails here, the answer is that the index does not know: then all is scanned.

What questions of an account have in common is kept while nobody writes the index: its
segments, what waits, vocabularies, sketches and values of fields, as far as there is room.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.derived_reading import DerivedReader, Rows, Sight
from mailbox_server.store.ports import Candidates
from mailbox_server.store.search_index import full_text, layout, standing
from mailbox_server.store.search_index.brief_reading import Briefs
from mailbox_server.store.search_index.briefs import Parts
from mailbox_server.store.search_index.field_reading import MOST, by_field
from mailbox_server.store.search_index.layout import Live
from mailbox_server.store.search_index.needles import AllOf, Question, word

MANY: Final = 200
"""Messages that take longer to look at than asking for the word among them."""
_ROWS: Final = 10_000


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
        return self.ask(lambda sight: by_field(sight, account, field, needle), None)

    def recalled_field(self, account: AccountId, field: int, needle: str) -> Candidates | None:
        """The same of what is kept, at once; None where that does not do.  In any thread."""
        return self.recall(lambda sight: by_field(sight, account, field, needle), None)


def _maybe(
    sight: Sight, account: AccountId, wanted: Wanted, needle: str | None
) -> Candidates | None:
    segments = standing.live(sight)
    found: set[int] = set(standing.waiting(sight, segments, account))
    sure: set[int] = set()
    asked = Briefs(sight, account, wanted.parts)
    for segment in segments:
        for kind in wanted.kinds:
            if f"brief{kind}" in segment.tables:
                briefs = asked.found(segment.number, kind)
                # The text of a header is more than TEXT looks into.
                (sure if kind == "text" else found).update(briefs.sure)
                found.update(briefs.maybe)
            found.update(standing.holding_more(sight, segment, kind, account))
            for rows in _asked(sight, segment, kind, wanted.question):
                found.update(row[0] for row in rows)
                if len(found) > MOST:
                    break
            if len(found) + len(sure) > MOST:
                return None
    if needle is not None and len(found) > MANY and (words := word(account, needle)) is not None:
        for segment in segments:
            for rows in _matches(sight, segment, "word", words):
                sure.update(row[0] for row in rows)
    return Candidates(sorted(sure), sorted(found - sure), standing.upto(segments))


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
