"""A sync that fails is heard of, and no later one seems to confirm what it did not."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.address import Domain
from mailbox_server.model.errors import StoreUnavailable, SyncFailed
from mailbox_server.store import migration
from mailbox_server.store.dialect import sqlite
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import ReadTx
from mailbox_server.store.settings import StoreSettings

OpenStore = Callable[..., Any]
HERE = Domain.parse("example.org")


def hosted(tx: ReadTx) -> list[Domain]:
    return [found.domain for found in tx.domains.all()]


def log_octets(data: Path) -> int:
    """How long the log is; 0 where it was folded and removed."""
    log = data / f"{migration.DATABASE}-wal"
    return log.stat().st_size if log.exists() else 0


def failed_sync(*_: object) -> Any:
    """As SQLite says it."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    raise error


@pytest.fixture
async def killed(store: SqliteStore, data: Path, clock: Any) -> Path:
    """A data folder as a killed process leaves it, its last commit in the log."""
    await store.write(lambda tx: tx.domains.add(HERE, None, clock.now()))
    copy = data.with_name("killed")
    shutil.copytree(data, copy)
    await store.close()
    assert log_octets(copy)
    shutil.rmtree(data)
    copy.rename(data)
    return data


async def test_closing_after_a_failed_sync_syncs_nothing(
    store: SqliteStore, open_store: OpenStore, data: Path, clock: Any
) -> None:
    await store.write(lambda tx: tx.domains.add(HERE, None, clock.now()))
    store._writer.die(SyncFailed("the disk did not confirm a write"))
    await store.close()
    assert log_octets(data)
    again = await open_store()
    assert await again.read(hosted) == [HERE]
    await again.close()
    assert not log_octets(data)


def test_looking_at_the_version_leaves_the_log_alone(killed: Path) -> None:
    before = log_octets(killed)
    assert migration.version_of(killed / migration.DATABASE) is not None
    assert log_octets(killed) == before


async def test_a_log_that_cannot_be_folded_at_start_is_heard_of(
    killed: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = log_octets(killed)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "checkpoint", failed_sync)
        with pytest.raises(StoreUnavailable):
            await open_store()
    assert log_octets(killed) == before
    assert await (await open_store()).read(hosted) == [HERE]


async def test_a_new_store_that_was_not_synced_is_not_used(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "checkpoint", failed_sync)
        with pytest.raises(StoreUnavailable):
            await open_store()
    assert await (await open_store()).read(hosted) == []


@pytest.mark.parametrize(("number", "starts"), [(errno.ENOSPC, True), (errno.EIO, False)])
async def test_room_for_the_log_may_be_missing_but_not_its_sync(
    number: int, starts: bool, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "lay_out_log", fail)
        if starts:
            await open_store()
        else:
            with pytest.raises(StoreUnavailable):
                await open_store()


async def test_a_full_disk_does_not_keep_the_lock_from_its_holder(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        store = await open_store()
    assert await store.read(hosted) == []


def test_connecting_writes_nothing_to_a_store_that_is_there(killed: Path) -> None:
    path = killed / migration.DATABASE
    log = path.with_name(f"{path.name}-wal")
    before = log.read_bytes()
    sqlite.close_untrusted(sqlite.connect_writer(path, StoreSettings()), path)
    assert log.read_bytes() == before
