"""Asks the index which messages may match; on the connection of one reader thread.

Whatever fails here, the answer is that the index does not know: then all is scanned.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.store.derived_file import connect_reader
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.ports import Candidates
from mailbox_server.store.search_index import layout
from mailbox_server.store.search_index.brief_reading import briefs_with
from mailbox_server.store.search_index.briefs import Parts
from mailbox_server.store.search_index.field_block import Columns, ValueSeeker, check
from mailbox_server.store.search_index.layout import Live
from mailbox_server.store.search_index.needles import AllOf, Question, more

MOST: Final = 500_000
"""Messages that are told apart from the others; of more than that, looking at all is as good."""
MANY: Final = 200
"""Messages that take longer to look at than asking for the word among them."""
_ROWS: Final = 10_000

_Ask = Callable[[sqlite3.Connection], Candidates | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Messages of whose text of a kind, text or head, the answers are.

    question: of full-text tables.  parts: of short texts.
    """

    kind: str
    question: Question
    parts: Parts


class IndexReader:
    """One reader of the index, used by one thread at a time; it opens the file when asked."""

    def __init__(self, place: DerivedPlace) -> None:
        self._place = place
        self._path: Path | None = None
        self._connection: sqlite3.Connection | None = None

    def maybe(
        self, account: AccountId, wanted: tuple[Wanted, ...], word: AllOf | None = None
    ) -> Candidates | None:
        """Messages of the account of which any of wanted is so, or may be.

        word: what to ask of the words of bodies for those that match for sure, where many may.
        """
        return self._ask(lambda connection: _maybe(connection, account, wanted, word))

    def field(self, account: AccountId, field: int, needle: str) -> Candidates | None:
        """Messages of the account with the normalized needle in a field of INDEXED_FIELDS."""
        return self._ask(lambda connection: _by_field(connection, account, field, needle))

    def close(self) -> None:
        """Close the file; it is opened again when asked."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._path = None

    def _ask(self, ask: _Ask) -> Candidates | None:
        path = self._place.path
        if path != self._path:
            self.close()
        if path is None:
            return None
        try:
            if self._connection is None:
                self._connection, self._path = connect_reader(path, layout.READER_CACHE_KIB), path
            self._connection.execute("BEGIN")
            try:
                return ask(self._connection)
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            self.close()
            self._place.failed(path, error)
            return None


def _maybe(
    connection: sqlite3.Connection,
    account: AccountId,
    wanted: tuple[Wanted, ...],
    word: AllOf | None,
) -> Candidates | None:
    found: set[int] = set()
    sure: set[int] = set()
    segments = layout.live_segments(connection)
    for segment in segments:
        found.update(_waiting(connection, segment, account))
        for each in wanted:
            if f"brief{each.kind}" in segment.tables:
                briefs = briefs_with(connection, segment.number, each.kind, account, each.parts)
                # The text of a header is more than TEXT looks into.
                (sure if each.kind == "text" else found).update(briefs.sure)
                found.update(briefs.maybe)
            for rows in _asked(connection, segment, each.kind, account, each.question):
                found.update(row[0] for row in rows)
                if len(found) + len(sure) > MOST:
                    return None
    if word is not None and len(found) > MANY:
        for segment in segments:
            for rows in _matches(connection, segment, "word", word):
                sure.update(row[0] for row in rows)
    return Candidates(sorted(sure), sorted(found - sure), _upto(segments))


def _waiting(connection: sqlite3.Connection, segment: Live, account: AccountId) -> Iterator[int]:
    """Messages of which the segment says nothing."""
    rows = connection.execute(
        "SELECT message FROM waiting WHERE segment = ? AND account = ?", (segment.number, account)
    )
    return (row[0] for row in rows)


def _upto(segments: Sequence[Live]) -> int:
    return segments[-1].upto if segments else 0


def _asked(
    connection: sqlite3.Connection,
    segment: Live,
    kind: str,
    account: AccountId,
    question: Question,
) -> Iterator[list[tuple[int]]]:
    if isinstance(question, AllOf):
        yield from _matches(connection, segment, kind, question)
        return
    yield from _matches(connection, segment, kind, more(account))
    if kind not in segment.tables:
        return
    cursor = connection.execute(
        f"SELECT doc FROM {kind}_{segment.number}_grams WHERE term >= ? AND term < ?",
        (question.first, question.beyond),
    )
    while rows := cursor.fetchmany(_ROWS):
        yield rows


def _matches(
    connection: sqlite3.Connection, segment: Live, kind: str, question: AllOf
) -> Iterator[list[tuple[int]]]:
    if kind not in segment.tables:
        return
    table = f"{kind}_{segment.number}"
    cursor = connection.execute(
        f"SELECT rowid FROM {table} WHERE {table} MATCH ?", (question.expression,)
    )
    while rows := cursor.fetchmany(_ROWS):
        yield rows


def _by_field(
    connection: sqlite3.Connection, account: AccountId, field: int, needle: str
) -> Candidates | None:
    segments = layout.live_segments(connection)
    live = {each.number for each in segments}
    found: list[int] = []
    blocks = connection.execute(
        "SELECT segment, number, base, lines, checksum FROM field WHERE account = ? AND field = ?",
        (account, field),
    )
    seeker = ValueSeeker(needle)
    for segment, number, base, lines, stored in blocks:
        if segment in live:
            columns = Columns(base, lines)
            check(stored, (account, field, segment, number), columns)
            found += seeker.messages(columns)
            if len(found) > MOST:
                return None
    maybe: set[int] = set()
    for each in segments:
        maybe.update(_waiting(connection, each, account))
        for rows in _matches(connection, each, "head", more(account)):
            maybe.update(row[0] for row in rows)
    return Candidates(sorted(found), sorted(maybe.difference(found)), _upto(segments))
