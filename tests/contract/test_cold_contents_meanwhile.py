"""Cold contents: others read, collect and sweep meanwhile, and compressing is broken off."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.errors import ContentMissing, SyncFailed
from mailbox_server.store import content_files
from mailbox_server.store.collection import Collected, collect, sweep
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import ReadTx
from mailbox_server.store.schema.contents import CHUNK_OCTETS
from tests.contract.test_cold_contents import KIB, compress, is_sound, kept, rows, spoil, text
from tests.contract.test_contents import files_of, releasing, seconds, settled, whole

# ---------------------------------------------------------------- others at work


@pytest.mark.parametrize("size", [4_000, 700 * KIB])
async def test_compressed_content_is_collected_as_any(
    store: SqliteStore, data: Path, clock: Any, size: int
) -> None:
    number = await kept(store, text(size))
    await compress(store, clock)
    await store.write(releasing(number))
    assert await collect(store, seconds(clock)) == Collected(1, size)
    with pytest.raises(ContentMissing):
        await whole(store, number)
    assert files_of(data) == []
    assert await rows(store, "SELECT * FROM content_chunk") == []


@pytest.mark.parametrize("size", [4_000, 700 * KIB])
@pytest.mark.parametrize("step", range(5))
async def test_content_that_is_collected_meanwhile_does_not_come_back(
    store: SqliteStore,
    data: Path,
    clock: Any,
    size: int,
    step: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = await kept(store, text(size))
    real = {name: getattr(store, name) for name in ("read", "write", "on_files")}
    steps = 0

    def slow(name: str) -> Callable[..., Any]:
        async def call(*arguments: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == step + 1:
                for each, method in real.items():
                    monkeypatch.setattr(store, each, method)
                await store.write(releasing(number))
                assert (await collect(store, seconds(clock))).contents == 1
            return await real[name](*arguments)

        return call

    for name in real:
        monkeypatch.setattr(store, name, slow(name))
    await compress(store, clock)
    await settled(store)
    if steps > step:
        with pytest.raises(ContentMissing):
            await whole(store, number)
        assert files_of(data) == []
        assert await rows(store, "SELECT * FROM content_chunk") == []
    else:
        assert await whole(store, number) == text(size)
    assert await is_sound(store)
    assert store.held_files == frozenset()


async def test_of_two_that_compress_a_file_one_does(
    store: SqliteStore, data: Path, clock: Any
) -> None:
    number = await kept(store, text(700 * KIB))
    found = await asyncio.gather(compress(store, clock), compress(store, clock))
    assert sorted(each.contents for each in found) == [0, 1]
    await settled(store)
    assert len(files_of(data)) == 1
    assert await whole(store, number) == text(700 * KIB)
    assert store.held_files == frozenset()


async def test_who_began_to_read_the_old_file_reads_it_to_its_end(
    store: SqliteStore, data: Path, clock: Any
) -> None:
    size = 5 * CHUNK_OCTETS
    number = await kept(store, text(size))
    (old,) = files_of(data)
    began, may_go_on = threading.Event(), threading.Event()

    def slowly(tx: ReadTx) -> bytes:
        first = tx.contents.read(number, 0, CHUNK_OCTETS)
        began.set()
        assert may_go_on.wait(30)
        return first + b"".join(
            tx.contents.read(number, at, CHUNK_OCTETS)
            for at in range(CHUNK_OCTETS, size, CHUNK_OCTETS)
        )

    reading = asyncio.ensure_future(store.read(slowly))
    await asyncio.to_thread(began.wait, 30)
    committed = asyncio.Event()
    write = store.write

    async def told(*arguments: Any) -> Any:
        value = await write(*arguments)
        committed.set()
        return value

    store.write = told  # type: ignore[method-assign]
    compressing = asyncio.ensure_future(compress(store, clock))
    await committed.wait()
    # Who comes now reads the new file beside it.
    assert await whole(store, number) == text(size)
    assert await sweep(store, old.stat().st_mtime - 1) == 0
    assert not compressing.done()
    assert old.exists()
    may_go_on.set()
    assert await reading == text(size)
    assert (await compressing).contents == 1
    assert not old.exists()
    assert len(files_of(data)) == 1


async def test_the_sweep_waits_for_readers_as_well(
    store: SqliteStore, data: Path, clock: Any
) -> None:
    number = await kept(store, text(700 * KIB))
    (path,) = files_of(data)
    began, may_go_on = threading.Event(), threading.Event()

    def slowly(tx: ReadTx) -> bytes:
        assert tx.contents.read(number, 0, 10)
        began.set()
        assert may_go_on.wait(30)
        return tx.contents.read(number, 0, 10)

    reading = asyncio.ensure_future(store.read(slowly))
    await asyncio.to_thread(began.wait, 30)
    await spoil(store, "DELETE FROM content")
    sweeping = asyncio.ensure_future(sweep(store, path.stat().st_mtime + 3_600))
    # Two reads later the sweep knows that no row names the file.
    for _ in range(2):
        await store.read(lambda tx: None)
    assert path.exists()
    may_go_on.set()
    assert await reading == text(700 * KIB)[:10]
    assert await sweeping == 1
    assert not path.exists()


# ---------------------------------------------------------------- broken off


# A stretch, two rows read, compressed and written; a stretch, a file read and compressed in
# two steps and written, readers waited for and the old file unlinked; and once to the end.
@pytest.mark.parametrize("step", range(13))
async def test_cancelled_anywhere_it_leaves_what_can_be_read_and_goes_on_later(
    store: SqliteStore, data: Path, clock: Any, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    octets = {await kept(store, text(size)): text(size) for size in (4_000, 300 * KIB, 900 * KIB)}
    real = {name: getattr(store, name) for name in ("read", "write", "on_files", "past_reads")}
    steps = 0

    def breaking(name: str) -> Callable[..., Any]:
        async def call(*arguments: Any) -> Any:
            nonlocal steps
            steps += 1
            doing = asyncio.ensure_future(real[name](*arguments))
            if steps == step + 1:
                # As it is with a real cancellation: what was begun in a thread goes on.
                await asyncio.wait([doing], timeout=0)
                raise asyncio.CancelledError
            return await doing

        return call

    for name in real:
        monkeypatch.setattr(store, name, breaking(name))
    with suppress(asyncio.CancelledError):
        await compress(store, clock)
    assert steps == min(step + 1, 12)
    for name, method in real.items():
        monkeypatch.setattr(store, name, method)
    await store.write(lambda tx: None)
    await settled(store)
    for number, expected in octets.items():
        assert await whole(store, number) == expected
    await compress(store, clock)
    (left,) = await rows(store, "SELECT count(*) FROM content WHERE raw_since IS NOT NULL")
    assert left == (0,)
    for number, expected in octets.items():
        assert await whole(store, number) == expected
    assert await is_sound(store)
    assert store.held_files == frozenset()
    await sweep(store, max(path.stat().st_mtime for path in files_of(data)) + 3_600)
    assert len(files_of(data)) == 1


async def test_cancelled_while_the_file_is_synced_it_leaves_nothing(
    store: SqliteStore, data: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await kept(store, text(700 * KIB))
    before = files_of(data)
    syncing, may_go_on = threading.Event(), threading.Event()
    fsync = content_files.os.fsync

    def slow(descriptor: int) -> None:
        syncing.set()
        assert may_go_on.wait(30)
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(content_files.os, "fsync", slow)
        compressing = asyncio.ensure_future(compress(store, clock))
        await asyncio.to_thread(syncing.wait, 30)
        compressing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await compressing
        may_go_on.set()
        await settled(store)
    assert (files_of(data), store.held_files) == (before, frozenset())
    assert await whole(store, number) == text(700 * KIB)


async def test_a_compressed_file_that_does_not_sync_ends_it_all(
    store: SqliteStore,
    data: Path,
    clock: Any,
    fatal: list[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = await kept(store, text(700 * KIB))
    before = files_of(data)

    def refuse(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(content_files.os, "fsync", refuse)
        with pytest.raises(SyncFailed):
            await compress(store, clock)
    assert len(fatal) == 1
    assert await whole(store, number) == text(700 * KIB)
    await settled(store)
    assert files_of(data) == before
