"""A migration for which the disk has no room: the old store stays, and nothing is left behind."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ports import Silence
from mailbox_server.store import migration
from mailbox_server.store.migration_child import upgrade
from mailbox_server.store.schema.version import OLDEST_PROGRAM, SCHEMA_VERSION
from mailbox_server.store.settings import StoreSettings
from tests.contract.conftest import TurnedClock
from tests.contract.test_migration import scripts_with
from tests.faults.loop_disk import EXT4_TO_FILL, LoopDisk

MEBIBYTE: Final = 1024 * 1024
FOREIGN: Final = "not-ours"
ROWS: Final = 4_000
SWELLING: Final = (
    'op.execute("CREATE TABLE ballast (octets BLOB NOT NULL) STRICT")',
    'op.execute("INSERT INTO ballast SELECT octets FROM weight")',
)
"""A revision that writes as much as the store has."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    """A mounted disk on which store, backup and what the migration writes find room."""
    made = LoopDisk(tmp_path / "disk", tmp_path / "data", EXT4_TO_FILL, 48)
    with closing(made):
        made.mount()
        yield made


@pytest.fixture
def store(disk: LoopDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An older store of eight MiB."""
    path = disk.target / migration.DATABASE
    migration.create(path, StoreSettings())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE weight (octets BLOB NOT NULL) STRICT")
        connection.executemany("INSERT INTO weight VALUES (randomblob(2000))", [()] * ROWS)
        connection.commit()
    scripts = scripts_with(tmp_path, "\n    ".join(SWELLING))

    def migrate(found: Path) -> None:
        try:
            upgrade(found, scripts)
        except sa.exc.OperationalError as error:
            raise StoreUnavailable(f"the migration failed: {error.orig}") from error

    monkeypatch.setattr(migration, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    monkeypatch.setattr(migration, "migrate", migrate)
    return path


def is_as_it_was(path: Path) -> bool:
    """Whether the store has its version and all rows, and is sound."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT count(*), sum(length(octets)) FROM weight").fetchone()
        sound = connection.execute("PRAGMA integrity_check").fetchone()
    return (
        migration.version_of(path) == (SCHEMA_VERSION, OLDEST_PROGRAM)
        and rows == (ROWS, 2000 * ROWS)
        and sound == ("ok",)
    )


@pytest.mark.parametrize(
    ("room", "said"),
    [
        pytest.param(MEBIBYTE, "no backup could be made", id="a-little"),
        pytest.param(6 * MEBIBYTE, "no backup could be made", id="half-a-backup"),
        pytest.param(13 * MEBIBYTE, "the migration failed", id="half-a-migration"),
    ],
)
def test_without_room_the_old_store_stays(
    disk: LoopDisk, store: Path, room: int, said: str
) -> None:
    clock = TurnedClock()
    kept_free = disk.target / "kept-free"
    kept_free.write_bytes(bytes(room))
    disk.fill(FOREIGN)
    kept_free.unlink()
    before = disk.free_octets
    # A supervisor starts it again and again.
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=f"{said}.*full"):
            migration.prepare(disk.target, StoreSettings(), clock, Silence())
        clock.turn(seconds=5)
        assert is_as_it_was(store)
        assert list((disk.target / migration.BACKUPS).glob("*")) == []
    assert before - disk.free_octets < MEBIBYTE

    (disk.target / FOREIGN).unlink()
    migration.prepare(disk.target, StoreSettings(), clock, Silence())
    assert migration.version_of(store) == (SCHEMA_VERSION + 1, 1)
    (copy,) = (disk.target / migration.BACKUPS).iterdir()
    assert is_as_it_was(copy)
