"""Staged contents whose write succeeds, fails, is given up, or whose outcome nobody knows."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.errors import (
    CommitUnknown,
    MailboxMissing,
    StoreUnavailable,
    SyncFailed,
    TooBusy,
)
from mailbox_server.model.ids import ContentId
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import WriteTx
from mailbox_server.store.settings import StoreSettings
from tests.contract.test_contents import files_of, keeping, settled, some_octets, staged, whole

OpenStore = Callable[..., Any]
# In memory; in a file while received, then rows; a file for good.
SIZES = [1_000, 300_000, 700_000]


def unheld(store: SqliteStore) -> bool:
    return store._staging.used == 0 and store.held_files == frozenset()


@pytest.mark.parametrize("after", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE])
@pytest.mark.parametrize("size", SIZES)
async def test_a_commit_that_stands_after_its_sync_failed_has_its_octets(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch, size: int, after: int
) -> None:
    store = await open_store()
    control = store._writer._group._control
    numbers: list[ContentId] = []

    class Unsynced:
        def execute(self, sql: str, /) -> object:
            done = control.execute(sql)
            if sql == "COMMIT":
                error = sqlite3.OperationalError("injected")
                error.sqlite_errorcode = after
                raise error
            return done

    content = await staged(store, some_octets(size))
    keep = keeping(content)
    monkeypatch.setattr(store._writer._group, "_control", Unsynced())
    with pytest.raises(SyncFailed):
        await store.write(lambda tx: numbers.append(keep(tx)), (content,))
    await settled(store)
    assert unheld(store)
    await store.close()
    again = await open_store()
    assert await whole(again, numbers[0]) == some_octets(size)


@pytest.mark.parametrize("size", SIZES)
async def test_a_bug_of_the_writer_leaves_the_file_to_the_sweep(
    store: SqliteStore, data: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def fail(members: list[Any]) -> None:
        raise KeyError("a bug")

    content = await staged(store, some_octets(size))
    with monkeypatch.context() as patch:
        patch.setattr(store._writer._group, "run", fail)
        with pytest.raises(CommitUnknown):
            await store.write(keeping(content), (content,))
    await settled(store)
    assert unheld(store)
    assert len(files_of(data)) == (1 if content.file else 0)


@pytest.mark.parametrize("size", SIZES)
async def test_a_write_given_up_by_its_caller_keeps_what_it_keeps(
    store: SqliteStore, size: int
) -> None:
    held, go_on = threading.Event(), threading.Event()

    def wait(tx: WriteTx) -> None:
        held.set()
        assert go_on.wait(30)

    first = asyncio.ensure_future(store.write(wait))
    await asyncio.to_thread(held.wait, 30)
    numbers: list[ContentId] = []
    content = await staged(store, some_octets(size))
    keep = keeping(content)
    writing = asyncio.ensure_future(store.write(lambda tx: numbers.append(keep(tx)), (content,)))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert not unheld(store)
    go_on.set()
    await first
    await store.write(lambda tx: None)
    assert await whole(store, numbers[0]) == some_octets(size)
    assert unheld(store)


@pytest.mark.parametrize("size", SIZES)
async def test_a_write_given_up_at_shutdown_keeps_what_it_keeps(
    open_store: OpenStore, size: int
) -> None:
    store = await open_store()
    numbers: list[ContentId] = []
    content = await staged(store, some_octets(size))
    keep = keeping(content)
    writing = asyncio.ensure_future(store.write(lambda tx: numbers.append(keep(tx)), (content,)))
    await asyncio.sleep(0)
    writing.cancel()
    await store.close()
    again = await open_store()
    assert await whole(again, numbers[0]) == some_octets(size)


@pytest.mark.parametrize("size", SIZES)
async def test_what_a_write_refuses_or_does_not_keep_is_dropped(
    store: SqliteStore, data: Path, size: int
) -> None:
    refused, unused = [await staged(store, some_octets(size)) for _ in range(2)]

    def refuse(tx: WriteTx) -> None:
        keeping(refused)(tx)
        raise MailboxMissing("gone")

    with pytest.raises(MailboxMissing):
        await store.write(refuse, (refused,))
    await store.write(lambda tx: None, (unused,))
    await settled(store)
    assert unheld(store)
    assert files_of(data) == []


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_never_queued_is_dropped(
    open_store: OpenStore, data: Path, size: int
) -> None:
    store = await open_store(StoreSettings(reserve_octets=0, low_room_octets=0, most_waiting=0))
    content = await staged(store, some_octets(size))
    with pytest.raises(TooBusy):
        await store.write(keeping(content), (content,))
    await settled(store)
    assert unheld(store)
    assert files_of(data) == []
    late = await staged(store, some_octets(size))
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.write(keeping(late), (late,))
