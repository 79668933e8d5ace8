"""The file of attached texts: its tables, how it is opened, and when it is not ours.

    state      one row: the message id up to which all was looked at, and the kinds that are read
    document   what was read of a content: all its documents' texts, a line each, and what
               became of each document
    holder     the messages that hold such a content
    trigram    a full-text table of the texts by trigrams, with a vocabulary; a row a message,
               so that each is marked with its account (search_index.needles)
    probe      what the database said of some messages, to know whether it is the same one

A message that is gone is deleted from all of it, with the text that was put in; what is left
of it inside the full-text table goes when that is optimized.

Nothing waits for the disk but folding the log: what a crash takes away is only read again,
because each commit holds how far it came.
"""

import os
import re
import sqlite3
from pathlib import Path
from typing import Final

APPLICATION: Final = 0x6D627861
LAYOUT: Final = 1
READERS: Final = 1
"""The version of the readers of documents: raised when they find more, or fail less."""

_NAME: Final = re.compile(r"attached-(\d{1,9})\.db(?:|-wal|-shm)\Z")
_LOG_OCTETS: Final = 16 * 1024 * 1024
_WRITER_CACHE_KIB: Final = 2 * 1024
_READER_CACHE_KIB: Final = 1024
_BUSY_SECONDS: Final = 2.0
_GRAMS_IN_MEMORY: Final = 1024 * 1024

_TABLES: Final = f"""
CREATE TABLE state (
    id INTEGER PRIMARY KEY,
    upto INTEGER NOT NULL,
    kinds TEXT NOT NULL
) STRICT;
CREATE TABLE document (
    content INTEGER PRIMARY KEY,
    outcomes TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE holder (
    message INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    content INTEGER NOT NULL
) STRICT;
CREATE INDEX holder_content ON holder (content);
CREATE TABLE probe (
    message INTEGER PRIMARY KEY,
    received INTEGER NOT NULL,
    size INTEGER NOT NULL
) STRICT;
CREATE VIRTUAL TABLE trigram USING fts5(
    words, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1'
);
CREATE VIRTUAL TABLE trigram_terms USING fts5vocab(trigram, instance);
INSERT INTO trigram(trigram, rank) VALUES ('hashsize', {_GRAMS_IN_MEMORY});
"""


class NotOurs(Exception):
    """The file is of another program, version or choice of kinds."""


def numbers(data: Path) -> dict[Path, int]:
    """The files of attached texts in a data folder, with what lies beside them."""
    return {path: int(match[1]) for path in data.iterdir() if (match := _NAME.match(path.name))}


def newest(data: Path) -> Path | None:
    """The file that lies there; None where there is none."""
    found = max(numbers(data).values(), default=0)
    path = _named(data, found)
    return path if found and path.exists() else None


def next_name(data: Path) -> Path:
    """A name that no such file has: files of the old name may still be open."""
    return _named(data, max(numbers(data).values(), default=0) + 1)


def _named(data: Path, number: int) -> Path:
    return data / f"attached-{number}.db"


def remove(data: Path, keep: Path | None = None) -> None:
    """Remove such files, but for one with what lies beside it.  Raises OSError."""
    for path in numbers(data):
        if keep is None or not path.name.startswith(keep.name):
            path.unlink(missing_ok=True)


def connect_writer(path: Path, kinds: str) -> sqlite3.Connection:
    """Open the writing connection; makes the tables in a new file.

    Raises sqlite3.Error, NotOurs, OSError.
    """
    # Only who runs the server may read it, whatever the mask is.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = _connect(path, "rw")
    version = LAYOUT * 1000 + READERS
    try:
        marks = (_pragma(connection, "application_id"), _pragma(connection, "user_version"))
        if marks == (0, 0) and not _pragma(connection, "page_count"):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN")
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {version}")
            for statement in filter(str.strip, _TABLES.split(";")):
                connection.execute(statement)
            connection.execute("INSERT INTO state VALUES (1, 0, ?)", (kinds,))
            connection.execute("COMMIT")
        elif marks != (APPLICATION, version):
            raise NotOurs("another program's file, or one of another version")
        elif connection.execute("SELECT kinds FROM state").fetchone() != (kinds,):
            raise NotOurs("made for other kinds of documents")
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
    )
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
