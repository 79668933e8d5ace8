"""The index's file: its tables, how it is opened, and when it is not ours.

    segment    a range of message ids, first to upto, in full-text tables of its own:
               text_<number> of bodies and head_<number> of headers by trigrams, with a
               vocabulary of each, and word_<number> of the words of bodies.  The last
               segment grows.  stale: it is to be made anew.  replaces: the one that it
               will stand for once it is whole; until then nobody asks it.
    field      values of INDEXED_FIELDS, a line each, and the message of each line, in
               blocks of an account's; the last block of each grows
    probe      what the database said of some messages, to know whether it is the same one

Full-text rows are never deleted: messages that are gone are found in vain, until their
segment is made anew.

Nothing waits for the disk but folding the log: what a crash takes away is only added again,
because each commit holds with its rows how far it came.  Only the writer's connection
makes checkpoints, as in store.dialect.sqlite.
"""

import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

APPLICATION: Final = 0x6D627869
LAYOUT: Final = 3
"""Rises when the tables change, and when other text goes into them of the same message."""

_NAME: Final = re.compile(r"search-(\d{1,9})\.db\Z")
_SIDES: Final = ("", "-wal", "-shm")
_LOG_OCTETS: Final = 16 * 1024 * 1024
_WRITER_CACHE_KIB: Final = 2 * 1024
_READER_CACHE_KIB: Final = 2 * 1024
_BUSY_SECONDS: Final = 2.0
_GRAMS_IN_MEMORY: Final = 1024 * 1024

TABLES: Final = """
CREATE TABLE segment (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    first INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    stale INTEGER NOT NULL DEFAULT 0,
    replaces INTEGER
) STRICT;
CREATE TABLE field (
    account INTEGER NOT NULL,
    field INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    number INTEGER NOT NULL,
    messages BLOB NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (account, field, segment, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX field_segment ON field (segment);
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
}
"""Of the full-text tables, by the beginnings of their names."""


class NotOurs(Exception):
    """The file is no index of this program."""


def named(data: Path) -> list[Path]:
    """The index files in a data folder, the newest last."""
    found = [(int(match[1]), path) for path in data.iterdir() if (match := _NAME.match(path.name))]
    return [path for _, path in sorted(found)]


def next_name(data: Path) -> Path:
    """A name that no index file has: files of the old name may still be open."""
    numbers = [0, *(int(match[1]) for path in data.iterdir() if (match := _named(path)))]
    return data / f"search-{max(numbers) + 1}.db"


def _named(path: Path) -> re.Match[str] | None:
    name = path.name
    for side in _SIDES[1:]:
        name = name.removesuffix(side)
    return _NAME.match(name)


def remove(data: Path, keep: Path | None = None) -> None:
    """Remove index files, and what lies beside them, but for one.  Raises OSError."""
    for path in list(data.iterdir()):
        match = _named(path)
        if match is not None and (keep is None or match[0] != keep.name):
            path.unlink(missing_ok=True)


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open the writing connection; makes the tables in a new file.

    Raises sqlite3.Error, NotOurs, OSError.
    """
    # Only who runs the server may read it, whatever the mask is.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = _connect(path, "rw")
    try:
        application = _pragma(connection, "application_id")
        layout = _pragma(connection, "user_version")
        if (application, layout) == (0, 0) and not _pragma(connection, "page_count"):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(
                f"BEGIN; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {LAYOUT};"
                f"{TABLES} COMMIT;"
            )
        elif (application, layout) != (APPLICATION, LAYOUT):
            raise NotOurs("another program's file, or one of another version")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_OCTETS}")
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    except BaseException:  # whatever it is, the file must be free
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write, and makes no checkpoint when it goes last.

    Raises sqlite3.Error.
    """
    connection = _connect(path, "ro")
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def make_tables(connection: sqlite3.Connection, number: int) -> None:
    """Make the full-text tables of a segment."""
    for kind, tokenizer in _TOKENIZERS.items():
        table = f"{kind}_{number}"
        connection.execute(
            f"CREATE VIRTUAL TABLE {table} USING fts5(words, content='', columnsize=0, "
            f"detail=none, tokenize='{tokenizer}')"
        )
        connection.execute(f"CREATE VIRTUAL TABLE {table}_grams USING fts5vocab({table}, instance)")
        connection.execute(
            f"INSERT INTO {table}({table}, rank) VALUES ('hashsize', {_GRAMS_IN_MEMORY})"
        )


def drop_tables(connection: sqlite3.Connection, number: int) -> None:
    """Drop them, as far as they are there."""
    for kind in _TOKENIZERS:
        connection.execute(f"DROP TABLE IF EXISTS {kind}_{number}_grams")
        connection.execute(f"DROP TABLE IF EXISTS {kind}_{number}")


def live_segments(connection: sqlite3.Connection) -> Sequence[tuple[int, int]]:
    """(number, upto) of the segments that may be asked, oldest first."""
    return connection.execute(
        "SELECT number, upto FROM segment WHERE replaces IS NULL ORDER BY first"
    ).fetchall()
