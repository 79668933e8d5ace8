"""Contents: received, kept, read back, released, collected, scrubbed."""

# Files of a test folder in memory may be looked at from the loop.

import asyncio
import hashlib
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.errors import (
    ContentDamaged,
    ContentMissing,
    DiskLow,
    StoreUnavailable,
    SyncFailed,
)
from mailbox_server.model.ids import ContentId
from mailbox_server.store import content_files
from mailbox_server.store.collection import Collected, collect, sweep
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.integrity import CONTENT_INVARIANTS
from mailbox_server.store.ports import WriteTx
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.contents import CHUNK_OCTETS
from mailbox_server.store.scrub import damaged_contents
from mailbox_server.store.settings import StoreSettings
from mailbox_server.store.staging import Staged

OpenStore = Callable[..., Any]
KIB = 1024
# Around every edge: empty, memory to file (256 KiB), row to file (512 KiB), pieces.
SIZES = [
    0,
    1,
    4 * KIB,
    CHUNK_OCTETS - 1,
    CHUNK_OCTETS,
    CHUNK_OCTETS + 1,
    2 * CHUNK_OCTETS - 1,
    2 * CHUNK_OCTETS,
    2 * CHUNK_OCTETS + 1,
    5 * CHUNK_OCTETS + 17,
]


def some_octets(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def staged(store: SqliteStore, octets: bytes, step: int = 50_000) -> Staged:
    staging = store.stage()
    for start in range(0, len(octets), step):
        if staging.feed(octets[start : start + step]):
            await staging.drained()
    return await staging.finish()


def keeping(content: Staged) -> Callable[[WriteTx], ContentId]:
    def work(tx: WriteTx) -> ContentId:
        assert isinstance(tx, Repositories)
        number = tx.contents.keep(content)
        tx.contents.hold(number)
        return number

    return work


def holding(content: ContentId) -> Callable[[Any], None]:
    return lambda tx: tx.contents.hold(content)


def releasing(content: ContentId, count: int = 1) -> Callable[[Any], None]:
    return lambda tx: tx.contents.release(content, count)


def seconds(clock: Any) -> int:
    return int(clock.now().timestamp())


async def whole(store: SqliteStore, content: ContentId) -> bytes:
    pieces = []
    position = 0
    while True:
        at = position
        piece = await store.read(lambda tx, at=at: tx.contents.read(content, at, 1024 * KIB))
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        position += len(piece)


def files_of(data: Path) -> list[Path]:
    return [found for found in (data / "contents").rglob("*") if found.is_file()]


async def settled(store: SqliteStore) -> None:
    """Let the file threads come to the end of what they were given."""
    for _ in range(3):
        meet = threading.Barrier(2)
        await asyncio.gather(*[store.on_files(lambda meet=meet: meet.wait(30)) for _ in range(2)])


async def broken_contents(store: SqliteStore) -> list[Any]:
    def work(tx: Any) -> list[Any]:
        return [
            (invariant.name, row)
            for invariant in CONTENT_INVARIANTS
            for row in tx.sql.rows(invariant.broken)
        ]

    return await store.read(work)


# ---------------------------------------------------------------- receiving and reading


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_received_is_read_back(open_store: OpenStore, data: Path, size: int) -> None:
    store = await open_store()
    octets = some_octets(size)
    content = await staged(store, octets)
    assert (content.size, content.digest) == (size, hashlib.sha256(octets).digest())
    assert content.in_memory == (size <= CHUNK_OCTETS)
    assert content.read(0, size + 10) == octets
    assert content.read(size // 2, 7) == octets[size // 2 : size // 2 + 7]
    number = await store.write(keeping(content))
    content.discard()
    await settled(store)
    assert len(files_of(data)) == (1 if size > 2 * CHUNK_OCTETS else 0)
    assert await whole(store, number) == octets
    assert await store.read(lambda tx: tx.contents.size(number)) == size
    for start, length in [(0, 1), (size - 1, 5), (CHUNK_OCTETS - 3, 7), (size, 10), (size + 9, 1)]:
        start = max(start, 0)
        found = await store.read(lambda tx, s=start, n=length: tx.contents.read(number, s, n))
        assert found == octets[start : start + length]
    assert await broken_contents(store) == []
    await store.close()
    again = await open_store()
    assert await whole(again, number) == octets


async def test_content_that_is_not_there_is_missing(store: SqliteStore) -> None:
    for work in (
        lambda tx: tx.contents.size(ContentId(7)),
        lambda tx: tx.contents.read(ContentId(7), 0, 1),
    ):
        with pytest.raises(ContentMissing):
            await store.read(work)
    with pytest.raises(ContentMissing):
        await store.write(holding(ContentId(7)))


async def test_a_write_run_again_keeps_the_same_content_again(store: SqliteStore) -> None:
    for size in (100, 300 * KIB, 700 * KIB):
        content = await staged(store, some_octets(size))

        def refused(tx: WriteTx, content: Staged = content) -> None:
            keeping(content)(tx)
            raise KeyError("the message was refused")

        with pytest.raises(KeyError):
            await store.write(refused)
        number = await store.write(keeping(content))
        assert await whole(store, number) == some_octets(size)
    assert await broken_contents(store) == []


async def test_memory_of_all_receivers_is_bounded(open_store: OpenStore, data: Path) -> None:
    budget = 512 * KIB
    store = await open_store(StoreSettings(staging_octets=budget, reserve_octets=0))
    receivers = [store.stage() for _ in range(40)]
    most = 0
    for _ in range(5):
        for receiver in receivers:
            if receiver.feed(b"x" * 10_000):
                await receiver.drained()
            most = max(most, store._staging.used)
    assert most <= budget + 10_000
    for receiver in receivers:
        content = await receiver.finish()
        assert content.digest == hashlib.sha256(b"x" * 50_000).digest()
        content.discard()
        content.discard()
    await settled(store)
    assert store._staging.used == 0
    assert files_of(data) == []


@pytest.mark.parametrize("size", [1_000, 300 * KIB, 3000 * KIB])
async def test_what_is_dropped_leaves_nothing(store: SqliteStore, data: Path, size: int) -> None:
    dropped = store.stage()
    dropped.feed(b"x" * size)
    dropped.discard()
    dropped.discard()
    assert not dropped.feed(b"more")
    finished = await staged(store, b"y" * size)
    finished.discard()
    await settled(store)
    assert (store._staging.used, store.held_files, files_of(data)) == (0, frozenset(), [])


async def test_a_receiver_that_is_cancelled_leaves_nothing(store: SqliteStore, data: Path) -> None:
    staging = store.stage()
    staging.feed(b"x" * 3_000 * KIB)
    finishing = asyncio.ensure_future(staging.finish())
    await asyncio.sleep(0)
    finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    await settled(store)
    assert (store._staging.used, store.held_files, files_of(data)) == (0, frozenset(), [])


async def test_large_content_asks_to_wait(store: SqliteStore) -> None:
    staging = store.stage(expected=10_000 * KIB)
    assert staging.feed(b"x" * 2_000 * KIB)
    await staging.drained()
    assert store._staging.used == 0
    staging.discard()


@pytest.mark.parametrize(
    ("number", "error"), [(28, DiskLow), (122, DiskLow), (13, StoreUnavailable)]
)
async def test_a_disk_that_refuses_is_told_once_asked(
    store: SqliteStore,
    data: Path,
    number: int,
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(descriptor: int, octets: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("mailbox_server.store.staging.os.write", refuse)
        staging = store.stage()
        staging.feed(b"x" * 300 * KIB)
        with pytest.raises(error):
            await staging.drained()
        assert not staging.feed(b"swallowed")
        with pytest.raises(error):
            await staging.finish()
    await settled(store)
    assert (store._staging.used, store.held_files, files_of(data)) == (0, frozenset(), [])


async def test_a_disk_that_cannot_read_back_is_trouble_of_ours(
    store: SqliteStore, data: Path
) -> None:
    """Content is analyzed from its file before it is stored."""
    content = await staged(store, some_octets(700 * KIB))
    (file,) = files_of(data)
    file.unlink()
    with pytest.raises(StoreUnavailable):
        content.read(0, 10)
    content.discard()
    await settled(store)
    assert store._staging.used == 0


async def test_a_content_file_that_does_not_sync_ends_it_all(
    store: SqliteStore, fatal: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(content_files.os, "fsync", refuse)
        with pytest.raises(SyncFailed):
            await staged(store, b"x" * 700 * KIB)
    assert len(fatal) == 1
    with pytest.raises(SyncFailed):
        await store.write(lambda tx: None)


async def test_what_was_being_received_is_swept_at_the_next_start(
    open_store: OpenStore, data: Path
) -> None:
    store = await open_store()
    staging = store.stage()
    staging.feed(b"x" * 300 * KIB)
    await staging.drained()
    assert len(files_of(data)) == 1
    await store.close()
    await open_store()
    assert files_of(data) == []


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("at", [0, 100, CHUNK_OCTETS + 5])
async def test_a_flipped_octet_in_a_row_is_found_when_read_and_by_the_scrub(
    store: SqliteStore, at: int
) -> None:
    octets = some_octets(300 * KIB)
    number = await store.write(keeping(await staged(store, octets)))
    sound = await store.write(keeping(await staged(store, b"sound")))

    def flip(tx: Any) -> None:
        row = (number << 12) + at // CHUNK_OCTETS
        piece = bytearray(octets[at // CHUNK_OCTETS * CHUNK_OCTETS :][:CHUNK_OCTETS])
        piece[at % CHUNK_OCTETS] ^= 1
        tx.sql.cursor().execute(
            "UPDATE content_chunk SET octets = ? WHERE id = ?", (bytes(piece), row)
        )

    await store.write(flip)
    with pytest.raises(ContentDamaged):
        await store.read(lambda tx: tx.contents.read(number, at, 1))
    other = 0 if at >= CHUNK_OCTETS else CHUNK_OCTETS
    assert await store.read(lambda tx: tx.contents.read(number, other, 1))
    assert [found async for found in damaged_contents(store)] == [number]
    assert await whole(store, sound) == b"sound"


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove"])
async def test_a_damaged_file_is_found(store: SqliteStore, data: Path, harm: str) -> None:
    octets = some_octets(700 * KIB)
    number = await store.write(keeping(await staged(store, octets)))
    (path,) = files_of(data)
    if harm == "flip":
        path.write_bytes(octets[:600_000] + b"?" + octets[600_001:])
    elif harm == "truncate":
        path.write_bytes(octets[:600_000])
    else:
        path.unlink()
    with pytest.raises(ContentDamaged):
        await store.read(lambda tx: tx.contents.read(number, 600_000, 1))
    assert [found async for found in damaged_contents(store)] == [number]


async def test_a_wrong_digest_is_the_scrubs_to_find(store: SqliteStore) -> None:
    number = await store.write(keeping(await staged(store, b"octets")))
    await store.write(
        lambda tx: tx.sql.cursor().execute(  # type: ignore[attr-defined]
            "UPDATE content SET digest = zeroblob(32) WHERE id = ?", (number,)
        )
    )
    assert await whole(store, number) == b"octets"
    assert [found async for found in damaged_contents(store)] == [number]


@pytest.mark.parametrize(
    ("harm", "names"),
    [
        ("DELETE FROM content_chunk", {"content in rows has all its octets"}),
        ("DELETE FROM content", {"every piece of content has its content"}),
        ("UPDATE content SET holders = 0", {"content is held, or has been released"}),
        ("UPDATE content SET released = 1", {"content is held, or has been released"}),
        ("UPDATE content SET checksums = x''", {"every piece of content has a checksum"}),
        ("UPDATE content SET digest = x''", {"every content has a SHA-256"}),
    ],
)
async def test_each_invariant_finds_its_harm(
    store: SqliteStore, harm: str, names: set[str]
) -> None:
    await store.write(keeping(await staged(store, b"octets")))
    assert await broken_contents(store) == []
    await store.write(lambda tx: tx.sql.cursor().execute(harm))  # type: ignore[attr-defined]
    assert {name for name, _ in await broken_contents(store)} == names


# ---------------------------------------------------------------- collection


@pytest.mark.parametrize("size", [100, 700 * KIB])
async def test_content_goes_when_nobody_holds_it_and_the_grace_is_over(
    store: SqliteStore, data: Path, clock: Any, size: int
) -> None:
    number = await store.write(keeping(await staged(store, some_octets(size))))
    await store.write(holding(number))
    await store.write(releasing(number))
    clock.turn(hours=48)
    assert await collect(store, seconds(clock) - 86_400) == Collected(0, 0)
    await store.write(releasing(number))
    clock.turn(hours=23)
    assert await collect(store, seconds(clock) - 86_400) == Collected(0, 0)
    assert await whole(store, number) == some_octets(size)
    clock.turn(hours=1)
    assert await collect(store, seconds(clock) - 86_400) == Collected(1, size)
    with pytest.raises(ContentMissing):
        await whole(store, number)
    assert files_of(data) == []
    assert await broken_contents(store) == []


async def test_many_contents_go_in_steps(store: SqliteStore, clock: Any) -> None:
    numbers = [
        await store.write(keeping(await staged(store, some_octets(number))))
        for number in range(450)
    ]
    for number in numbers:
        await store.write(releasing(number))
    assert (await collect(store, seconds(clock))).contents == 450
    assert await broken_contents(store) == []


async def test_numbers_of_collected_contents_do_not_come_back(
    store: SqliteStore, clock: Any
) -> None:
    first = await store.write(keeping(await staged(store, b"a")))
    await store.write(releasing(first))
    await collect(store, seconds(clock))
    assert await store.write(keeping(await staged(store, b"a"))) > first


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("size", [100, 700 * KIB])
async def test_a_delivery_of_the_same_octets_survives_the_collector(
    store: SqliteStore, clock: Any, size: int, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second delivery comes before each step of the collector: find, delete, unlink."""
    octets = some_octets(size)
    old = await store.write(keeping(await staged(store, octets)))
    await store.write(releasing(old))
    found: list[ContentId] = []
    steps = 0

    async def deliver() -> None:
        nonlocal steps
        if steps == step and not found:
            found.append(await write(keeping(await staged(store, octets))))
        steps += 1

    read, write, on_files = store.read, store.write, store.on_files

    async def slow_read(work: Any) -> Any:
        await deliver()
        return await read(work)

    async def slow_write(work: Any) -> Any:
        await deliver()
        return await write(work)

    async def slow_on_files(job: Any) -> Any:
        await deliver()
        return await on_files(job)

    monkeypatch.setattr(store, "read", slow_read)
    monkeypatch.setattr(store, "write", slow_write)
    monkeypatch.setattr(store, "on_files", slow_on_files)
    collected = await collect(store, seconds(clock))
    steps = step
    await deliver()
    monkeypatch.undo()
    assert collected == Collected(1, size)
    assert await whole(store, found[0]) == octets
    assert await broken_contents(store) == []


async def test_content_held_again_after_it_was_chosen_stays(
    store: SqliteStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await store.write(keeping(await staged(store, some_octets(700 * KIB))))
    await store.write(releasing(number))
    write = store.write

    async def hold_first(work: Any) -> Any:
        monkeypatch.undo()
        await write(holding(number))
        return await write(work)

    monkeypatch.setattr(store, "write", hold_first)
    assert await collect(store, seconds(clock)) == Collected(0, 0)
    assert await whole(store, number) == some_octets(700 * KIB)
    assert await broken_contents(store) == []


async def test_old_files_that_no_row_names_are_swept(store: SqliteStore, data: Path) -> None:
    named = await store.write(keeping(await staged(store, some_octets(700 * KIB))))
    kept = set(files_of(data))
    held = await staged(store, some_octets(701 * KIB))
    held_files = set(files_of(data)) - kept
    stray = await staged(store, some_octets(702 * KIB))
    (path,) = set(files_of(data)) - kept - held_files
    # As if the process had died between the file and its row.
    store._staging.held.discard(path.name)
    written = path.stat().st_mtime
    assert await sweep(store, written - 3_600) == 0
    assert await sweep(store, written + 3_600) == 1
    assert set(files_of(data)) == kept | held_files
    assert await whole(store, named) == some_octets(700 * KIB)
    assert await whole(store, await store.write(keeping(held))) == some_octets(701 * KIB)
    stray.discard()


async def test_small_contents_come_together(store: SqliteStore) -> None:
    contents = (b"one", some_octets(CHUNK_OCTETS), some_octets(CHUNK_OCTETS + 1), b"", b"two")
    numbers = [await store.write(keeping(await staged(store, octets))) for octets in contents]
    wanted = [numbers[4], *numbers, ContentId(99)]
    found = await store.read(lambda tx: tx.contents.small(wanted))
    assert found == {numbers[place]: contents[place] for place in (0, 1, 4)}

    def flip(tx: Any) -> None:
        tx.sql.cursor().execute(
            "UPDATE content_chunk SET octets = x'6f6e66' WHERE id = ?", (numbers[0] << 12,)
        )

    await store.write(flip)
    with pytest.raises(ContentDamaged):
        await store.read(lambda tx: tx.contents.small(wanted))
    assert len(await store.read(lambda tx: tx.contents.small(numbers[1:]))) == 2
