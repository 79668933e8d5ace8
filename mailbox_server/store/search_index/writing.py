"""Writes the index: adds messages to its segments, replaces segments; on one thread.

Each call is one transaction.  sqlite3.Error passes, and leaves the file as it was before.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.store.derived_file import PAGE_OCTETS, DerivedFileWriter
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.search_index import layout
from mailbox_server.store.search_index.brief_writing import Brief, put_briefs
from mailbox_server.store.search_index.briefs import is_brief
from mailbox_server.store.search_index.field_block import (
    Columns,
    FieldBlock,
    check,
    checksum,
)
from mailbox_server.store.search_index.needles import marked

MESSAGES_A_SEGMENT: Final = 50_000
BRIEF_CHARACTERS: Final = 256 * 1024
"""Of short texts that are taken apart at once, of which words take sixteen octets for each."""
TOGETHER: Final = 50
"""Messages added at once that teach a segment its words."""
PROBES_KEPT: Final = 64
_MERGED_PAGES: Final = 250
"""Of a full-text table that are written at once when its parts are merged: some 40 ms."""
_FREE_PART: Final = 20
"""Of a file of which more than one page in so many is free, those are given back."""
_LOG_PAGES: Final = 2_000
"""From so many on the log is folded in."""
_LOG_PART: Final = 8
_LOG_PAGES_LEAST: Final = 64
"""When mail pauses, the log is folded in if it is more than one in so many pages, and these."""


Waiting = tuple[int, AccountId]
"""A message and its account."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message to be added.

    body, header: the texts; has_more_text, has_more_header: whether they may hold more.
    fields: the values of each of INDEXED_FIELDS; no value holds a line feed.
    """

    message: int
    account: AccountId
    received: int
    size: int
    body: str
    has_more_text: bool
    header: str
    has_more_header: bool
    fields: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that came, of which nothing has been read yet."""

    message: int
    account: AccountId
    received: int
    size: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Message ids first to upto, of which so many were live when they came.

    together: messages that were added with many others, from which words are learned.
    begun: seconds since 1970.  replaces: the number of the segment it is to stand for.
    """

    number: int
    first: int
    upto: int
    messages: int
    together: int
    begun: int
    is_stale: bool
    replaces: int | None


_TEXTS: Final[Mapping[str, Callable[[Entry], tuple[str, bool]]]] = {
    "text": lambda each: (each.body, each.has_more_text),
    "head": lambda each: (each.header, each.has_more_header),
}
"""The texts of a message by kind, and whether they may hold more."""
_PIECES: Final[Mapping[str, Callable[[Entry], Iterator[str]]]] = {
    "text": lambda each: marked(each.account, each.body, is_more=each.has_more_text),
    "head": lambda each: marked(each.account, each.header, is_more=each.has_more_header),
    "word": lambda each: marked(each.account, each.body, is_more=False),
}
"""What goes into the full-text tables of texts that are not brief, by their beginnings."""


class IndexWriter(DerivedFileWriter):
    """The index's one writer.  Raises sqlite3.Error, NotOurs, OSError."""

    def __init__(self, place: DerivedPlace, path: Path) -> None:
        super().__init__(place, path, layout.FILE.connect_writer(path, layout.make), _LOG_PAGES)

    def segments(self) -> list[Segment]:
        """All of them, by ascending ids; one that replaces another comes after it."""
        rows = self._connection.execute(
            "SELECT number, first, upto, messages, together, begun, stale, replaces FROM segment "
            "ORDER BY first, number"
        ).fetchall()
        if not all(isinstance(each, int) for row in rows for each in row[:-1]):
            raise layout.SegmentsDamaged("a segment's row holds what is no number")
        segments = [
            Segment(number, first, upto, messages, together, begun, bool(stale), replaces)
            for number, first, upto, messages, together, begun, stale, replaces in rows
        ]
        layout.check_ranges((each.first, each.upto) for each in segments if each.replaces is None)
        return segments

    def growing(self, now: int) -> Segment:
        """The segment that takes what comes next, begun where there is none with room."""
        live = [each for each in self.segments() if each.replaces is None]
        if live and live[-1].messages < MESSAGES_A_SEGMENT:
            return live[-1]
        with self._writing():
            number = self._begin(live[-1].upto + 1 if live else 1, now, replaces=None)
        return self._segment(number)

    def replacement(self, stale: Segment, now: int) -> Segment:
        """The segment that is to stand for a stale one, begun where there is none yet."""
        for each in self.segments():
            if each.replaces == stale.number:
                return each
        with self._writing():
            number = self._begin(stale.first, now, replaces=stale.number)
        return self._segment(number)

    def waiting(
        self, segment: int, accounts: Collection[AccountId]
    ) -> dict[AccountId, Sequence[tuple[int, int]]]:
        """Those of a segment that wait, of some accounts: ascending messages and octets."""
        return {
            account: self._connection.execute(
                "SELECT message, octets FROM waiting WHERE segment = ? AND account = ? "
                "ORDER BY message",
                (segment, account),
            ).fetchall()
            for account in accounts
        }

    def accounts_waiting(self, segment: int) -> list[AccountId]:
        """The accounts of which messages of a segment wait."""
        rows = self._connection.execute(
            "SELECT DISTINCT account FROM waiting WHERE segment = ?", (segment,)
        )
        return [AccountId(account) for (account,) in rows]

    def is_blank(self, segment: int) -> bool:
        """Whether a segment has nothing but messages that wait."""
        found = self._connection.execute(
            "SELECT 1 FROM field WHERE segment = ? LIMIT 1", (segment,)
        )
        return found.fetchone() is None

    def count_waiting(self, segment: int) -> int:
        """How many messages of a segment wait."""
        count: int = self._connection.execute(
            "SELECT count(*) FROM waiting WHERE segment = ?", (segment,)
        ).fetchone()[0]
        return count

    def wait(self, segment: int, arrivals: Sequence[Arrival], upto: int) -> None:
        """Have messages that came next wait; ids up to upto are done then."""
        with self._writing():
            self._connection.executemany(
                "INSERT INTO waiting VALUES (?, ?, ?, ?)",
                ((segment, each.account, each.message, each.size) for each in arrivals),
            )
            self._connection.execute(
                "UPDATE segment SET upto = ?, messages = messages + ? WHERE number = ?",
                (upto, len(arrivals), segment),
            )
            for each in arrivals[-1:]:
                self._connection.execute(
                    "INSERT OR REPLACE INTO probe VALUES (?, ?, ?)",
                    (each.message, each.received, each.size),
                )
                self._connection.execute(
                    "DELETE FROM probe WHERE message NOT IN "
                    "(SELECT message FROM probe ORDER BY message DESC LIMIT ?)",
                    (PROBES_KEPT,),
                )

    def put(self, segment: Segment, entries: Sequence[Entry], done: Sequence[Waiting]) -> None:
        """Add messages that waited, by ascending ids; of those done the others are gone."""
        is_together = len(entries) >= TOGETHER or segment.replaces is not None
        with self._writing():
            self._put(segment.number, entries)
            self._connection.executemany(
                "DELETE FROM waiting WHERE segment = ? AND account = ? AND message = ?",
                ((segment.number, account, message) for message, account in done),
            )
            if is_together:
                self._connection.execute(
                    "UPDATE segment SET together = together + ? WHERE number = ?",
                    (len(entries), segment.number),
                )

    def tables(self, segment: int) -> Sequence[str]:
        """The full-text tables of a segment, by the beginnings of their names."""
        row = self._connection.execute("SELECT tables FROM segment WHERE number = ?", (segment,))
        tables: str = row.fetchone()[0]
        return tables.split()

    def merge(self, segment: int, table: str, *, begins: bool) -> bool:
        """Merge the parts in which a full-text table was written some more; whether there is more.

        A trigram is looked for in each part.  begins: of all that there are now, one is made.
        """
        before, name = self._connection.total_changes, f"{table}_{segment}"
        pages = -_MERGED_PAGES if begins else _MERGED_PAGES
        with self._writing():
            self._connection.execute(
                f"INSERT INTO {name}({name}, rank) VALUES ('merge', ?)", (pages,)
            )
        # The statement itself is one.
        return self._connection.total_changes - before > 1

    def put_in_place(self, replacement: Segment) -> None:
        """Let a whole replacement stand for its segment, and drop that one."""
        with self._writing():
            assert replacement.replaces is not None
            layout.drop_segment(self._connection, replacement.replaces)
            self._connection.execute(
                "UPDATE segment SET replaces = NULL WHERE number = ?", (replacement.number,)
            )
        self._give_back()

    def make_stale(self, numbers: Sequence[int]) -> None:
        """Have segments made anew; what was begun of that before is begun again."""
        with self._writing():
            for number in numbers:
                for (begun,) in self._connection.execute(
                    "SELECT number FROM segment WHERE replaces = ?", (number,)
                ).fetchall():
                    layout.drop_segment(self._connection, begun)
                self._connection.execute("UPDATE segment SET stale = 1 WHERE number = ?", (number,))

    def rest(self) -> None:
        """Give memory and room on the disk back that only writing takes."""
        pages, free = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count")
        )
        if free * _FREE_PART > pages:
            self._give_back()
        log_pages = min(_LOG_PAGES, max(_LOG_PAGES_LEAST, pages // _LOG_PART))
        if self.log_octets() >= log_pages * PAGE_OCTETS:
            # Of a small file the log shall not be the larger part.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        super().rest()

    # ------------------------------------------------------------ inside

    def _give_back(self) -> None:
        # execute() would stop after the first page: each is a row without columns.
        self._connection.executescript("PRAGMA incremental_vacuum")

    def _begin(self, first: int, now: int, replaces: int | None) -> int:
        cursor = self._connection.execute(
            "INSERT INTO segment (first, upto, messages, together, begun, replaces) "
            "VALUES (?, ?, 0, 0, ?, ?)",
            (first, first - 1, now, replaces),
        )
        number = cursor.lastrowid
        assert number is not None
        return number

    def _segment(self, number: int) -> Segment:
        return next(each for each in self.segments() if each.number == number)

    def _put(self, number: int, entries: Sequence[Entry]) -> None:
        for kind, text_of in _TEXTS.items():
            briefs: list[Brief] = []
            characters = 0
            others: list[Entry] = []
            for each in entries:
                text, is_more = text_of(each)
                if is_more or not is_brief(text):
                    others.append(each)
                elif text:
                    briefs.append(Brief(each.message, each.account, text, len(each.body)))
                    characters += len(text)
                if characters >= BRIEF_CHARACTERS:
                    self._put_briefs(number, kind, briefs)
                    briefs, characters = [], 0
            if briefs:
                self._put_briefs(number, kind, briefs)
            if others:
                self._put_pieces(number, kind, others)
        self._put_fields(number, entries)

    def _have_table(self, number: int, kind: str) -> None:
        """Make a full-text table where it is not there."""
        tables = self.tables(number)
        if kind not in tables:
            layout.make_table(self._connection, number, kind)
            self._connection.execute(
                "UPDATE segment SET tables = ? WHERE number = ?",
                (" ".join([*tables, kind]), number),
            )

    def _put_briefs(self, number: int, kind: str, briefs: Sequence[Brief]) -> None:
        self._have_table(number, f"brief{kind}")
        put_briefs(self._connection, number, kind, briefs)

    def _put_pieces(self, number: int, kind: str, entries: Sequence[Entry]) -> None:
        for table in (kind, "word") if kind == "text" else (kind,):
            self._have_table(number, table)
            pieces = _PIECES[table]
            # What is added to a row that is there is found in it too: without columns and
            # places a row is nothing but its terms.
            self._connection.executemany(
                f"INSERT INTO {table}_{number} (rowid, words) VALUES (?, ?)",
                ((each.message, piece) for each in entries for piece in pieces(each)),
            )

    def _put_fields(self, number: int, entries: Sequence[Entry]) -> None:
        lines: defaultdict[tuple[AccountId, int], list[Entry]] = defaultdict(list)
        for each in entries:
            for field, values in enumerate(each.fields):
                if values:
                    lines[each.account, field].append(each)
        for (account, field), new in lines.items():
            block, last = self._last_block(number, account, field)
            for each in new:
                if not last.has_room(each.message):
                    self._put_block(number, account, field, block, last)
                    block, last = block + 1, FieldBlock()
                last.add(each.message, each.fields[field])
            self._put_block(number, account, field, block, last)

    def _last_block(self, number: int, account: AccountId, field: int) -> tuple[int, FieldBlock]:
        row = self._connection.execute(
            "SELECT number, base, lines, checksum FROM field "
            "WHERE account = ? AND field = ? AND segment = ? ORDER BY number DESC LIMIT 1",
            (account, field, number),
        ).fetchone()
        if row is None:
            return 1, FieldBlock()
        place, base, lines, stored = row
        columns = Columns(base, lines)
        check(stored, (account, field, number, place), columns)
        return place, FieldBlock(columns)

    def _put_block(
        self, number: int, account: AccountId, field: int, place: int, block: FieldBlock
    ) -> None:
        key = (account, field, number, place)
        columns = block.columns()
        self._connection.execute(
            "INSERT OR REPLACE INTO field VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*key, *columns, checksum(key, columns)),
        )
