"""Bring a store's schema to what this program knows, before anything else opens it.

A new store is made from the tables at once.  An older one is copied to `backups/`, synced,
and then migrated by Alembic in a child process, so that Alembic never loads into the
server.  A newer one is used where it says that this program may, and refused otherwise.
The caller holds the lock on the data folder.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.errors import SchemaTooNew, StoreUnavailable
from mailbox_server.model.ports import Clock, Events
from mailbox_server.store.dialect import sqlite
from mailbox_server.store.dialect.trouble import Trouble, trouble_of
from mailbox_server.store.schema import metadata
from mailbox_server.store.schema.version import OLDEST_PROGRAM, SCHEMA_VERSION, schema
from mailbox_server.store.settings import StoreSettings

DATABASE: Final = "mail.sqlite3"
BACKUPS: Final = "backups"
CHILD: Final = "mailbox_server.store.migration_child"
_VERSION: Final = "SELECT version, oldest_program FROM schema"
_COLUMNS: Final = (
    "SELECT held.name, columns.name FROM sqlite_master AS held, pragma_table_info(held.name) AS "
    "columns WHERE held.type = 'table'"
)
_HAS_TABLES: Final = "SELECT count(*) FROM sqlite_master WHERE type = 'table'"


def prepare(data: Path, settings: StoreSettings, clock: Clock, events: Events) -> None:
    """Make the database, or bring it up to date.

    Raises SchemaTooNew, StoreUnavailable (a backup or migration that failed leaves the
    store as it was).
    """
    path = data / DATABASE
    if path.is_symlink():
        raise StoreUnavailable(f"{path} is a symbolic link")
    found = version_of(path)
    if found is None:
        create(path, settings)
        return
    version, oldest_program = found
    if oldest_program > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"{path} has schema {version} and needs a program of schema {oldest_program} or "
            f"newer; this one has {SCHEMA_VERSION}"
        )
    if version >= SCHEMA_VERSION:
        check_columns(path)
        return
    stamp = clock.now().strftime("%Y%m%dT%H%M%SZ")
    copy = backup(path, data / BACKUPS / f"schema-{version}-{stamp}.sqlite3")
    events.info("store.migration.begin", version=version, to=SCHEMA_VERSION, backup=str(copy))
    try:
        migrate(path)
    except StoreUnavailable:
        # The store is as it was.  Who starts again and again would fill the disk with copies.
        copy.unlink()
        raise
    check_columns(path)
    events.info("store.migration.done", version=SCHEMA_VERSION)


def check_columns(path: Path) -> None:
    """Look whether every column that is used is there.

    A store made between two releases may say a version and lack what came to it later;
    every write would fail.  Raises StoreUnavailable.
    """
    with closing(sqlite.connect_to_look(path)) as connection:
        there = set(connection.execute(_COLUMNS))
    for name, table in metadata.tables.items():
        missing = [column.name for column in table.columns if (name, column.name) not in there]
        if missing:
            raise StoreUnavailable(
                f"{path} has no column {name}.{missing[0]}: it was made by a program that was "
                "never released, which alone can read it; begin with an empty data folder"
            )


def version_of(path: Path) -> tuple[int, int] | None:
    """The schema's version and oldest program; None where there is no store yet.

    Raises StoreUnavailable where the file is something else.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        if Path(f"{path}-journal").exists():
            _undo(path)
        # A writing connection would make a checkpoint when it is closed, and nobody would
        # hear that its sync has failed.
        with closing(sqlite.connect_to_look(path)) as connection:
            if not connection.execute(_HAS_TABLES).fetchone()[0]:
                return None
            row: tuple[int, int] | None = connection.execute(_VERSION).fetchone()
    except sqlite3.Error as error:
        trouble = trouble_of(error)
        if trouble in (Trouble.DAMAGED, Trouble.OTHER):
            raise StoreUnavailable(f"{path} is not a store of mailbox-server: {error}") from error
        raise StoreUnavailable(f"{path} cannot be read: {error}") from error
    if row is None:
        raise StoreUnavailable(f"{path} says no schema version")
    return row


def _undo(path: Path) -> None:
    """Take back what was begun before the file kept a log: a store that was never made."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(_HAS_TABLES).fetchone()


def create(path: Path, settings: StoreSettings) -> None:
    """Make all tables in one transaction; a crash leaves an empty database.

    Database errors and OSError leave.
    """
    # The permissions must be right before the first octet is in it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    driver = sqlite.connect_writer(path, settings)
    connection = sqlite.engine_over(driver).connect()
    try:
        driver.execute(sqlite.BEGIN_WRITING)
        metadata.create_all(connection, checkfirst=False)
        connection.execute(
            sa.insert(schema),
            {"id": 1, "version": SCHEMA_VERSION, "oldest_program": OLDEST_PROGRAM},
        )
        driver.execute("COMMIT")
        # Closing would do it as well, but would not tell that a sync has failed.
        sqlite.checkpoint(driver.control())
    except BaseException:  # whatever failed, nothing may seem to be confirmed
        sqlite.close_untrusted(driver, path)
        raise
    connection.close()


def backup(path: Path, copy: Path) -> Path:
    """Copy the database with SQLite's own means; on the disk when this returns.

    Raises StoreUnavailable.
    """
    try:
        copy.parent.mkdir(mode=0o700, exist_ok=True)
        _copy(path, copy)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            _part_of(copy).unlink()
        raise StoreUnavailable(f"no backup could be made before the migration: {error}") from error
    return copy


def _part_of(copy: Path) -> Path:
    """Under which name a copy is made."""
    return copy.with_suffix(".part")


def _copy(path: Path, copy: Path) -> None:
    part = _part_of(copy)
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as target:
        source.execute("PRAGMA wal_autocheckpoint = 0")
        # What is not whole counts for nothing: no journal, and one sync when it is.
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        source.backup(target)
    _sync(part)
    part.rename(copy)
    _sync(copy.parent)
    _sync(copy.parent.parent)


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def migrate(path: Path) -> None:
    """Run the migrations in a child process.  Raises StoreUnavailable with what it said."""
    child = subprocess.run(
        [sys.executable, "-m", CHILD, str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode != 0:
        said = child.stderr.strip().splitlines()
        raise StoreUnavailable(f"the migration failed: {said[-1] if said else 'no reason given'}")
