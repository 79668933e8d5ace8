"""The index's file and its tables.

    segment    a range of message ids, first to upto, in full-text tables of its own:
               text_<number> of bodies and head_<number> of headers by trigrams, with the
               terms of each, and word_<number> of the words of these bodies;
               brieftext_<number> and briefhead_<number> of short texts (briefs) by those of
               their words that are in the vocabulary.  The last segment grows.  together:
               messages of which the vocabulary was learned.  tables: those of the full-text
               tables that are there, made for the first text that goes into them.  stale:
               it is to be made anew.  replaces: the one that it will stand for once it is
               whole; until then nobody asks it.
    vocabulary the words that a segment knows in short texts of a kind (text or head), and those
               of nearly all headers
    sketched   blocks of sketches of an account's short texts of a kind, of the words that
               are not in the vocabulary; one of each width grows
    sketch     the slices of a block, from SLICES_MOST times its number on
    field      values of INDEXED_FIELDS and the messages of each, in blocks of an account's
               (field_block); the last block of each grows
    waiting    messages of a segment of which it has nothing else yet, but that they came, and
               how large they are
    probe      what the database said of some messages, to know whether it is the same one

Full-text rows are never deleted: messages that are gone are found in vain, until their
segment is made anew.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from unicodedata import unidata_version

from mailbox_server.store.derived_file import DerivedFile

LAYOUT: Final = 10
"""Rises when the tables change, and when other text goes into them of the same message."""

_UNICODE: Final = int("".join(f"{int(each):02}" for each in unidata_version.split(".")))
"""What are letters, and so words, changes with it."""
FILE: Final = DerivedFile("search", 0x6D627869, LAYOUT * 1_000_000 + _UNICODE)
SLICES_MOST: Final = 1 << 20
"""Of a block of sketches."""
READER_CACHE_KIB: Final = 2 * 1024
"""Holds what questions to 100,000 messages read beside what is kept (reading)."""
_GRAMS_IN_MEMORY: Final = 1024 * 1024

_TABLES: Final = """
CREATE TABLE segment (
    number INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    together INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    tables TEXT NOT NULL DEFAULT '',
    stale INTEGER NOT NULL DEFAULT 0,
    replaces INTEGER
) STRICT;
CREATE TABLE field (
    account INTEGER NOT NULL,
    field INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    number INTEGER NOT NULL,
    base INTEGER NOT NULL,
    lines BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (account, field, segment, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX field_segment ON field (segment);
CREATE TABLE vocabulary (
    segment INTEGER NOT NULL,
    kind TEXT NOT NULL,
    lines TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (segment, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE sketched (
    number INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    kind TEXT NOT NULL,
    segment INTEGER NOT NULL,
    width INTEGER NOT NULL,
    texts INTEGER NOT NULL,
    first INTEGER NOT NULL,
    messages BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX sketched_place ON sketched (segment, account, kind, width);
CREATE TABLE sketch (
    id INTEGER PRIMARY KEY,
    bits BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE waiting (
    segment INTEGER NOT NULL,
    account INTEGER NOT NULL,
    message INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    PRIMARY KEY (segment, account, message)
) STRICT, WITHOUT ROWID;
CREATE TABLE probe (
    message INTEGER PRIMARY KEY,
    received INTEGER NOT NULL,
    size INTEGER NOT NULL
) STRICT;
"""
_TOKENIZERS: Final[Mapping[str, str]] = {
    "text": "trigram case_sensitive 1",
    "head": "trigram case_sensitive 1",
    "word": "ascii",
    "brieftext": "ascii",
    "briefhead": "ascii",
}
"""Of the full-text tables, by the beginnings of their names."""


class SegmentsDamaged(sqlite3.DatabaseError):
    """What stands there of the segments does not fit together."""


@dataclass(frozen=True, slots=True)
class Live:
    """A segment that is asked; tables: the full-text tables that it has, by their beginnings."""

    number: int
    upto: int
    tables: frozenset[str]


def make(connection: sqlite3.Connection) -> None:
    """Make the tables of a new file."""
    for statement in filter(str.strip, _TABLES.split(";")):
        connection.execute(statement)


def make_table(connection: sqlite3.Connection, number: int, kind: str) -> None:
    """Make a full-text table of a segment; kind: what its name begins with."""
    table = f"{kind}_{number}"
    connection.execute(
        f"CREATE VIRTUAL TABLE {table} USING fts5(words, content='', columnsize=0, "
        f"detail=none, tokenize='{_TOKENIZERS[kind]}')"
    )
    connection.execute(f"CREATE VIRTUAL TABLE {table}_grams USING fts5vocab({table}, instance)")
    connection.execute(
        f"INSERT INTO {table}({table}, rank) VALUES ('hashsize', {_GRAMS_IN_MEMORY})"
    )


def drop_segment(connection: sqlite3.Connection, number: int) -> None:
    """Remove a segment and all that is of it, as far as it is there."""
    connection.execute("DELETE FROM segment WHERE number = ?", (number,))
    for (block,) in connection.execute(
        "SELECT number FROM sketched WHERE segment = ?", (number,)
    ).fetchall():
        drop_slices(connection, block)
    for table in ("field", "vocabulary", "sketched", "waiting"):
        connection.execute(f"DELETE FROM {table} WHERE segment = ?", (number,))
    for kind in _TOKENIZERS:
        connection.execute(f"DROP TABLE IF EXISTS {kind}_{number}_grams")
        connection.execute(f"DROP TABLE IF EXISTS {kind}_{number}")


def drop_slices(connection: sqlite3.Connection, block: int) -> None:
    """Remove the slices of a block."""
    first = block * SLICES_MOST
    connection.execute(
        "DELETE FROM sketch WHERE id BETWEEN ? AND ?", (first, first + SLICES_MOST - 1)
    )


def live_segments(select: Callable[[str], Sequence[Any]]) -> Sequence[Live]:
    """The segments that may be asked, oldest first.  Raises SegmentsDamaged.

    select: gives all rows of one.
    """
    rows = select(
        "SELECT number, first, upto, tables FROM segment WHERE replaces IS NULL ORDER BY first"
    )
    check_ranges([(first, upto) for _, first, upto, _ in rows])
    live = [Live(number, upto, frozenset(tables.split())) for number, _, upto, tables in rows]
    if not all(each.tables <= _TOKENIZERS.keys() for each in live):
        raise SegmentsDamaged("a segment has tables that there are none of")
    return live


def check_ranges(ranges: Iterable[tuple[int, int]]) -> None:
    """Raises SegmentsDamaged where those of the segments that are asked leave an id out.

    ranges: first and upto, ascending.
    """
    beyond = 1
    for first, upto in ranges:
        # A damaged row may hold anything.
        if first != beyond or not isinstance(upto, int) or upto < first - 1:
            raise SegmentsDamaged("a segment is not where the one before it ends")
        beyond = upto + 1
