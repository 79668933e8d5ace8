"""The log is folded in time, whatever the rows are like and before room runs out."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.store import checkpoint
from mailbox_server.store.ports import WriteTx
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.contents import content_chunk
from mailbox_server.store.settings import MIB, StoreSettings

OpenStore = Callable[..., Any]


def large_row(number: int) -> Callable[[WriteTx], None]:
    """One row of a hundred pages."""

    def work(tx: WriteTx) -> None:
        assert isinstance(tx, Repositories)
        tx.sql.connection.execute(content_chunk.insert(), {"id": number, "octets": bytes(400_000)})

    return work


async def test_few_large_rows_fill_the_log_as_many_small_ones_do(
    open_store: OpenStore, data: Path
) -> None:
    store = await open_store(StoreSettings(log_octets=MIB, reserve_octets=0))
    for number in range(1, 41):
        await store.write(large_row(number))
    assert (data / "mail.sqlite3-wal").stat().st_size < 3 * MIB
    assert (data / "mail.sqlite3").stat().st_size > 12 * MIB


async def test_the_log_is_folded_while_there_is_still_room_for_it(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folded = threading.Event()
    fold = checkpoint.WriteAheadLog.fold

    def watched(log: checkpoint.WriteAheadLog) -> None:
        fold(log)
        folded.set()

    store = await open_store(StoreSettings(low_room_octets=0, reserve_octets=0))
    monkeypatch.setattr(checkpoint.WriteAheadLog, "fold", watched)
    await store.write(large_row(1))
    store._meter._low = 2**62
    store._meter._asked = None
    store.room()
    # Nothing is written any more, as where everybody is refused for want of room.
    assert await asyncio.to_thread(folded.wait, 30)


async def test_a_log_that_a_reader_holds_back_is_not_tried_after_every_commit(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    fold = checkpoint.WriteAheadLog.fold

    def counted(log: checkpoint.WriteAheadLog) -> None:
        tries.append(log.frames)
        fold(log)

    store = await open_store(StoreSettings(log_octets=4 * MIB, reserve_octets=0))
    held, go_on = threading.Event(), threading.Event()

    def hold(tx: Any) -> None:
        tx.domains.all()
        held.set()
        assert go_on.wait(30)

    reading = asyncio.create_task(store.read(hold))
    await asyncio.to_thread(held.wait, 30)
    monkeypatch.setattr(checkpoint.WriteAheadLog, "fold", counted)
    for number in range(1, 61):
        await store.write(large_row(number))
    go_on.set()
    await reading
    # 24 MB over a bound of 4 MiB, tried again at each quarter of it.
    assert 2 <= len(tries) <= 30
