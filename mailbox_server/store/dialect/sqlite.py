"""SQLite connections: how they are opened, what is set on them, how transactions begin.

Only the writer's connection ever makes a checkpoint: SQLite 3.7.0 to 3.51.2 can corrupt a
database when two connections checkpoint while a third commits.  So automatic checkpoints
are off on all, and readers close before the writer (closing the last connection makes one).
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.pool import NullPool

from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.store.settings import StoreSettings

BEGIN_READING: Final = "BEGIN"
# A deferred transaction that comes to write fails at once if somebody else wrote meanwhile.
BEGIN_WRITING: Final = "BEGIN IMMEDIATE"
LAST_NUMBER: Final = "SELECT seq FROM sqlite_sequence WHERE name = ?"
"""The highest number that a numbered table ever gave; no row where it gave none."""
_SYNCHRONOUS_FULL: Final = 2
_ZEROS: Final = 1024 * 1024


def members(name: str) -> sa.Select[tuple[str]]:
    """The members of a JSON array of strings that is given as that parameter."""
    return sa.select(sa.func.json_each(sa.bindparam(name)).table_valued("value").c.value)


def member_pairs(name: str) -> sa.Select[tuple[str, int]]:
    """The members of a JSON array of [string, number] that is given as that parameter."""
    value = sa.func.json_each(sa.bindparam(name)).table_valued("value").c.value
    first, second = (sa.func.json_extract(value, path) for path in ("$[0]", "$[1]"))
    return sa.select(first, second)


def numbers(name: str) -> sa.Select[tuple[int]]:
    """The members of a JSON array of numbers that is given as that parameter."""
    return sa.select(sa.func.json_each(sa.bindparam(name)).table_valued("value").c.value)


def records(name: str, fields: Sequence[str]) -> sa.Subquery:
    """The members of a JSON array of arrays that is given as that parameter, as rows.

    One statement over many values is one step for the thread that runs it; between two
    steps it lets other threads go first, for milliseconds where they are busy.
    """
    value = sa.func.json_each(sa.bindparam(name)).table_valued("value").c.value
    places: list[sa.ColumnElement[str]] = [
        sa.literal_column(f"'$[{place}]'") for place in range(len(fields))
    ]
    columns = zip(fields, places, strict=True)
    return sa.select(
        *(sa.func.json_extract(value, place).label(field) for field, place in columns)
    ).subquery(name)


def gathered(*columns: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """All rows as one JSON array of arrays, for the reason of records; no octets."""
    return sa.func.json_group_array(sa.func.json_array(*columns))


def octets(text: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
    """What lies in a text column, UTF-8 or not: as text a cursor does not fetch the latter."""
    return sa.cast(text, sa.LargeBinary)


class GuardedCursor(sqlite3.Cursor):
    """A cursor that refuses to run a statement outside a transaction.

    After a full disk or an interrupt SQLite may have rolled back on its own; a statement
    run then would commit by itself.
    """

    def execute(self, sql: str, parameters: Any = (), /) -> "GuardedCursor":
        """As sqlite3.Cursor.execute; AssertionError outside a transaction."""
        if not self.connection.in_transaction and self.connection.guarded:  # type: ignore[attr-defined]
            raise AssertionError("a statement outside any transaction")
        super().execute(sql, parameters)
        return self

    def executemany(self, sql: str, parameters: Any, /) -> "GuardedCursor":
        """As sqlite3.Cursor.executemany; AssertionError outside a transaction."""
        if not self.connection.in_transaction and self.connection.guarded:  # type: ignore[attr-defined]
            raise AssertionError("a statement outside any transaction")
        super().executemany(sql, parameters)
        return self


class SqliteConnection(sqlite3.Connection):
    """A connection whose cursors are guarded once guarded is set."""

    guarded = False

    def cursor(self, factory: Any = GuardedCursor) -> Any:
        """A cursor that keeps to transactions."""
        return super().cursor(factory)

    def control(self) -> sqlite3.Cursor:
        """A cursor for the door's own BEGIN, SAVEPOINT, COMMIT and pragmas."""
        return super().cursor(sqlite3.Cursor)


def _connect(path: Path, settings: StoreSettings) -> SqliteConnection:
    connection = sqlite3.connect(
        f"file:{_quoted(path)}?mode=rwc",
        uri=True,
        timeout=settings.busy_wait,
        isolation_level=None,
        check_same_thread=False,
        factory=SqliteConnection,
        cached_statements=512,
    )
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _must_be(connection: sqlite3.Connection, pragma: str, wanted: object) -> None:
    found = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    if found != wanted:
        raise StoreUnavailable(f"SQLite does not keep {pragma} = {wanted!r}: it says {found!r}")


def connect_writer(path: Path, settings: StoreSettings) -> SqliteConnection:
    """Open the one writing connection; makes an empty database where there is none.

    Raises StoreUnavailable when the settings that make commits durable do not hold.
    """
    connection = _connect(path, settings)
    try:
        if not connection.execute("PRAGMA page_count").fetchone()[0]:
            # Both count for a new file only, and the first would write to any other at each
            # start.  Incremental: what is deleted can be given back to the file system in
            # steps; it costs a delivery nothing that could be measured.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute(f"PRAGMA page_size = {settings.page_octets}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Debian's SQLite would write zeros over all that is deleted: a full disk could not
        # even be emptied.  FAST does so only in pages that are written anyway.
        connection.execute("PRAGMA secure_delete = FAST")
        connection.execute(f"PRAGMA journal_size_limit = {2 * settings.log_octets}")
        connection.execute(f"PRAGMA cache_size = -{settings.writer_cache_octets // 1024}")
        _must_be(connection, "journal_mode", "wal")
        _must_be(connection, "synchronous", _SYNCHRONOUS_FULL)
        _must_be(connection, "foreign_keys", 1)
        _must_be(connection, "wal_autocheckpoint", 0)
    except BaseException:  # whatever failed, the connection must go
        close_untrusted(connection, path)
        raise
    return connection


def raise_numbers(connection: sqlite3.Connection, tables: Iterable[str], by: int) -> None:
    """Let numbered tables give their next numbers from that much further on."""
    for table in tables:
        raised = connection.execute(
            "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = ?", (by, table)
        )
        if not raised.rowcount:
            connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, by))


def lay_out_log(path: Path, octets: int) -> None:
    """Make the log's file that large already, in zeros; before the first write.

    A commit that overwrites syncs in about half the time of one that makes the file grow,
    because the file system has nothing to note down.  SQLite stops reading a log where a
    frame's checksum fails, so zeros behind its frames are nothing to it; and its locks lie
    on the other files, so opening and closing this one takes none away.  Raises OSError.
    """
    descriptor = os.open(f"{path}-wal", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        while size < octets:
            size += os.pwrite(descriptor, bytes(min(_ZEROS, octets - size)), size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect_to_look(path: Path) -> sqlite3.Connection:
    """Open a connection that may go last: it makes no checkpoint when it is closed.

    Only the open file decides that, not query_only: without the right to write there is no
    lock that a checkpoint needs.
    """
    return sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, isolation_level=None)


def close_untrusted(connection: sqlite3.Connection, path: Path) -> None:
    """Close the writer's connection after a sync has failed, whoever else is still open.

    The last connection to close makes a checkpoint, and its sync would seem to confirm what
    the failed one did not; so it is not the last one.
    """
    try:
        with closing(connect_to_look(path)) as other:
            other.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.close()
    except sqlite3.Error:  # a disk that cannot even be read
        connection.close()


def connect_reader(path: Path, settings: StoreSettings) -> SqliteConnection:
    """Open a connection that cannot write."""
    connection = _connect(path, settings)
    connection.execute(f"PRAGMA cache_size = -{settings.reader_cache_octets // 1024}")
    connection.execute(f"PRAGMA mmap_size = {settings.mapped_octets}")
    connection.execute("PRAGMA query_only = ON")
    return connection


def engine_over(connection: SqliteConnection) -> sa.Engine:
    """An engine whose only connection is the given one."""
    return sa.create_engine(
        "sqlite://",
        creator=lambda: connection,
        poolclass=NullPool,
        pool_reset_on_return=None,
        query_cache_size=1_000,
        # Addresses and text of messages must get into no log and no answer.
        hide_parameters=True,
    )


def checkpoint(control: sqlite3.Cursor) -> tuple[int, int]:
    """Fold the log into the database as far as readers allow: (frames in it, frames done).

    Waits for nobody.  Only on the writer's connection, between transactions.
    """
    _, frames, done = control.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return frames, done


def give_back(control: sqlite3.Cursor, pages: int) -> bool:
    """Take so many free pages out of the database; a checkpoint then frees them.

    Between transactions.  False when no page was free.
    """
    if not control.execute("PRAGMA freelist_count").fetchone()[0]:
        return False
    # execute() would stop after the first page: each is a row without columns.
    control.executescript(f"PRAGMA incremental_vacuum({pages})")
    return True


def free_octets(connection: sqlite3.Connection) -> int:
    """Room inside the database file that deleted rows left."""
    control = sqlite3.Cursor(connection)
    pages: int = control.execute("PRAGMA freelist_count").fetchone()[0]
    size: int = control.execute("PRAGMA page_size").fetchone()[0]
    control.close()
    return pages * size


def unsound(cursor: DBAPICursor, most: int) -> list[tuple[str, str]]:
    """What SQLite itself finds wrong: (check, what it says), at most so many of each."""
    cursor.execute(f"PRAGMA integrity_check({most})")
    found = [("the database file is sound", row[0]) for row in cursor.fetchall()]
    if found == [("the database file is sound", "ok")]:
        found = []
    cursor.execute("PRAGMA foreign_key_check")
    found += [("foreign keys hold", repr(row)) for row in cursor.fetchmany(most)]
    cursor.close()
    return found
