"""Cold contents: compressed in small steps, read back octet by octet, never lost on the way."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.errors import ContentDamaged
from mailbox_server.model.ids import ContentId
from mailbox_server.store import cold_contents, contents
from mailbox_server.store.cold_contents import STEP_OCTETS, ColdContents, Compressed
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.frames import expand
from mailbox_server.store.ports import ReadTx, Room
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.contents import CHUNK_OCTETS
from mailbox_server.store.scrub import damaged_contents
from mailbox_server.store.settings import StoreSettings
from tests.contract.test_contents import (
    SIZES,
    broken_contents,
    files_of,
    holding,
    keeping,
    releasing,
    seconds,
    settled,
    some_octets,
    staged,
    whole,
)

OpenStore = Callable[..., Any]
KIB = 1024
ALL = 1 << 40
WORDS = [
    b"meeting",
    b"invoice",
    b"regards",
    b"<td style='padding: 0'>",
    b"Received:",
    b"\r\n",
    b"=",
]


def text(size: int) -> bytes:
    """Octets as mail has them: they shrink, and no piece is like another."""
    chance = random.Random(size)
    found = b" ".join(chance.choices(WORDS, k=size // 4 + 1))
    return found[:size]


async def kept(store: SqliteStore, octets: bytes) -> ContentId:
    """Store the octets, and wait until nothing of their receiving is left on the disk."""
    content = await staged(store, octets)
    number = await store.write(keeping(content), (content,))
    await settled(store)
    return number


async def rows(store: SqliteStore, sql: str, *values: object) -> list[Any]:
    def work(tx: ReadTx) -> list[Any]:
        assert isinstance(tx, Repositories)
        return list(tx.sql.cursor().execute(sql, values).fetchall())  # type: ignore[func-returns-value]

    return await store.read(work)


async def spoil(store: SqliteStore, sql: str, *values: object) -> None:
    await store.write(lambda tx: tx.sql.cursor().execute(sql, values) and None)  # type: ignore[attr-defined,func-returns-value]


async def compress(store: SqliteStore, clock: Any, days: int = 0) -> Compressed:
    return await ColdContents(store).compress(seconds(clock) - 86_400 * days, ALL)


async def is_sound(store: SqliteStore) -> bool:
    return await broken_contents(store) == [each async for each in damaged_contents(store)] == []


@pytest.fixture
def expanded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each piece that reading expanded."""
    sizes: list[int] = []

    def counted(frame: bytes, size: int) -> bytes | None:
        sizes.append(size)
        return expand(frame, size)

    monkeypatch.setattr(contents, "expand", counted)
    return sizes


# ---------------------------------------------------------------- what is read


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("octets_of", [text, some_octets])
async def test_it_is_read_as_it_was_received(
    open_store: OpenStore, clock: Any, size: int, octets_of: Callable[[int], bytes]
) -> None:
    store = await open_store()
    octets = octets_of(size)
    number = await kept(store, octets)
    done = await compress(store, clock)
    assert (done.contents, done.octets) == (1, size)
    assert (done.saved > size // 10) is (octets_of is text and size > 1)
    assert await whole(store, number) == octets
    small = await store.read(lambda tx: tx.contents.small([number]))
    assert small == ({number: octets} if 0 < size <= CHUNK_OCTETS else {})
    assert await store.read(lambda tx: tx.contents.size(number)) == size
    for start, length in [(0, 1), (size - 1, 5), (CHUNK_OCTETS - 3, 7), (size, 10), (size + 9, 1)]:
        start = max(start, 0)
        found = await store.read(lambda tx, s=start, n=length: tx.contents.read(number, s, n))
        assert found == octets[start : start + length]
    assert await is_sound(store)
    await store.close()
    again = await open_store()
    assert await whole(again, number) == octets


async def test_octets_on_the_disk_become_fewer(store: SqliteStore, data: Path, clock: Any) -> None:
    row, file = text(300 * KIB), text(900 * KIB)
    await kept(store, row)
    await kept(store, file)
    (before,) = files_of(data)
    assert before.stat().st_size == len(file)
    done = await compress(store, clock)
    (after,) = files_of(data)
    assert after.name != before.name
    ((stored,),) = await rows(store, "SELECT sum(length(octets)) FROM content_chunk")
    assert stored < len(row) / 2
    assert after.stat().st_size < len(file) / 2
    assert done.saved == len(row) + len(file) - stored - after.stat().st_size


async def test_mixed_content_shrinks_piece_by_piece(store: SqliteStore, clock: Any) -> None:
    octets = some_octets(CHUNK_OCTETS) + text(CHUNK_OCTETS)
    number = await kept(store, octets)
    await compress(store, clock)
    found = await rows(store, "SELECT expands_to FROM content_chunk ORDER BY id")
    assert found == [(None,), (CHUNK_OCTETS,)]
    assert await whole(store, number) == octets


@pytest.mark.parametrize("size", [2 * CHUNK_OCTETS, 9 * CHUNK_OCTETS + 5])
async def test_a_part_expands_only_its_own_pieces(
    store: SqliteStore, clock: Any, expanded: list[int], size: int
) -> None:
    octets = text(size)
    number = await kept(store, octets)
    await compress(store, clock)
    for start, length, pieces in [
        (0, 1_000, 1),
        (CHUNK_OCTETS + 7, 1_000, 1),
        (CHUNK_OCTETS - 1, 2, 2),
        (size - 3, 1_000, 1),
    ]:
        del expanded[:]
        found = await store.read(lambda tx, s=start, n=length: tx.contents.read(number, s, n))
        assert found == octets[start : start + length]
        assert len(expanded) == pieces


async def test_what_lies_as_received_is_read_without_a_look_at_frames(
    store: SqliteStore, clock: Any, expanded: list[int]
) -> None:
    recent = await kept(store, text(700 * KIB))
    noise = await kept(store, some_octets(5_000))
    clock.turn(days=1)
    await compress(store, clock, days=2)
    assert await whole(store, recent) == text(700 * KIB)
    await compress(store, clock)
    assert await whole(store, noise) == some_octets(5_000)
    assert expanded == []


# ---------------------------------------------------------------- what has its turn, and when


async def test_recent_contents_wait_and_all_have_their_turn_once(
    store: SqliteStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    framed: list[int] = []

    def counted(piece: bytes) -> bytes | None:
        framed.append(len(piece))
        return real(piece)

    real = cold_contents.compress
    monkeypatch.setattr(cold_contents, "compress", counted)
    cold = ColdContents(store)
    sizes = [3_000, 4_000, 700 * KIB]
    old = [await kept(store, text(size)) for size in sizes]
    noise = await kept(store, some_octets(5_000))
    clock.turn(days=20)
    young = await kept(store, text(6_000))
    assert await cold.compress(seconds(clock) - 30 * 86_400, ALL) == Compressed()
    clock.turn(days=10)
    before = seconds(clock) - 30 * 86_400
    done = await cold.compress(before, ALL)
    assert (done.contents, done.octets) == (4, sum(sizes) + 5_000)
    framed.clear()
    assert await cold.compress(before, ALL) == Compressed()
    # Neither after a start, although it walks from the beginning then.
    assert await ColdContents(store).compress(before, ALL) == Compressed()
    assert framed == []
    clock.turn(days=20)
    done = await cold.compress(seconds(clock) - 30 * 86_400, ALL)
    assert (done.contents, framed) == (1, [6_000])
    for number, octets in zip([*old, young], [*map(text, sizes), text(6_000)], strict=True):
        assert await whole(store, number) == octets
    assert await whole(store, noise) == some_octets(5_000)


async def test_a_run_ends_when_it_has_done_enough_and_the_next_goes_on(
    store: SqliteStore, clock: Any
) -> None:
    for _ in range(20):
        await kept(store, text(300 * KIB))
    cold = ColdContents(store)
    done = await cold.compress(seconds(clock), 2 * STEP_OCTETS)
    assert 2 * STEP_OCTETS <= done.octets <= 3 * STEP_OCTETS
    assert (await cold.compress(seconds(clock), ALL)).contents == 20 - done.contents


async def test_many_small_contents_are_passed_and_compressed_in_steps(
    store: SqliteStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold_contents, "_ROWS_AT_ONCE", 7)
    monkeypatch.setattr(cold_contents, "_STEP_CONTENTS", 5)
    numbers = [await kept(store, text(size)) for size in range(40)]
    for number in numbers[10:30]:
        await store.write(releasing(number))
    assert (await compress(store, clock)).contents == 20
    for number in numbers[10:30]:
        await store.write(holding(number))
    assert (await compress(store, clock)).contents == 20
    for size, number in enumerate(numbers):
        assert await whole(store, number) == text(size)


async def test_pieces_that_were_compressed_before_a_crash_are_not_swapped_again(
    store: SqliteStore, clock: Any
) -> None:
    number = await kept(store, text(300 * KIB))
    done = await compress(store, clock)
    await spoil(store, "UPDATE content SET raw_since = 0")
    assert await compress(store, clock) == Compressed(1, 300 * KIB, 0) != done
    assert await whole(store, number) == text(300 * KIB)


async def test_contents_that_nobody_holds_are_left_to_the_collector(
    store: SqliteStore, clock: Any
) -> None:
    number = await kept(store, text(4_000))
    await store.write(releasing(number))
    assert await compress(store, clock) == Compressed()


async def test_a_clock_that_was_put_back_keeps_nothing_waiting(
    store: SqliteStore, clock: Any
) -> None:
    clock.turn(days=10_000)
    await kept(store, text(4_000))
    clock.turn(days=-10_000)
    assert (await compress(store, clock, days=30)).contents == 1


@pytest.mark.parametrize("size", [4_000, 700 * KIB])
async def test_nothing_is_written_while_room_is_low(
    open_store: OpenStore, clock: Any, size: int
) -> None:
    store = await open_store(StoreSettings(low_room_octets=0, reserve_octets=0))
    await kept(store, text(size))
    store._meter._low = 2**62
    clock.turn(seconds=2)
    assert store.room() is Room.LOW
    assert await compress(store, clock) == Compressed()
    store._meter._low = 0
    clock.turn(seconds=2)
    assert (await compress(store, clock)).contents == 1


async def test_no_write_holds_the_writer_for_more_than_a_step(
    open_store: OpenStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large a row may be, and however many there are."""
    store = await open_store(
        StoreSettings(row_content_octets=16 * 1024 * KIB, reserve_octets=0, low_room_octets=0)
    )
    octets = text(9 * 1024 * KIB + 77)
    number = await kept(store, octets)
    for size in range(1_000, 1_300):
        await kept(store, text(size))
    assert len(await rows(store, "SELECT id FROM content WHERE file IS NULL")) == 301
    writes: list[tuple[int, int]] = []
    write = store.write

    async def watched(work: Any, *more: Any) -> Any:
        def counted(tx: Any) -> Any:
            changes = tx.sql.connection.connection.driver_connection.total_changes
            value = work(tx)
            now = tx.sql.connection.connection.driver_connection.total_changes
            writes.append((now - changes, value.octets))
            return value

        return await write(counted, *more)

    monkeypatch.setattr(store, "write", watched)
    await compress(store, clock)
    assert max(octets for _, octets in writes) <= STEP_OCTETS
    assert max(changes for changes, _ in writes) <= 512
    assert await whole(store, number) == octets
    assert await is_sound(store)


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "another"])
@pytest.mark.parametrize("kind", ["row", "file"])
async def test_damage_of_a_compressed_piece_is_found_when_read_and_by_the_scrub(
    store: SqliteStore, data: Path, clock: Any, kind: str, harm: str
) -> None:
    size = 300 * KIB if kind == "row" else 900 * KIB
    number, sound = await kept(store, text(size)), await kept(store, text(size))
    await compress(store, clock)
    if kind == "row":
        chunk = (number << 12) + 1
        ((frame,),) = await rows(store, "SELECT octets FROM content_chunk WHERE id = ?", chunk)
        at = len(frame) // 2
        harmed = {
            "flip": frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :],
            "cut": frame[:at],
            "remove": b"",
            "another": frame + b"x",
        }[harm]
        await spoil(store, "UPDATE content_chunk SET octets = ? WHERE id = ?", harmed, chunk)
    else:
        ((name, frames),) = await rows(
            store, "SELECT file, frames FROM content WHERE id = ?", number
        )
        path = data / "contents" / name[:2] / name
        octets = path.read_bytes()
        at = int.from_bytes(frames[:4], "little") + 1_000
        if harm == "flip":
            path.write_bytes(octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :])
        elif harm == "cut":
            path.write_bytes(octets[:at])
        elif harm == "remove":
            path.unlink()
        else:
            path.write_bytes(octets[:at] + b"x" + octets[at:])
    with pytest.raises(ContentDamaged):
        await store.read(lambda tx: tx.contents.read(number, CHUNK_OCTETS + 5, 1))
    if harm != "remove" or kind == "row":
        assert await store.read(lambda tx: tx.contents.read(number, 0, 10)) == text(size)[:10]
    assert [found async for found in damaged_contents(store)] == [number]
    assert await whole(store, sound) == text(size)


@pytest.mark.parametrize("size", [300 * KIB, 900 * KIB])
async def test_what_is_damaged_already_stays_as_it_is_and_stops_nothing(
    store: SqliteStore, data: Path, clock: Any, size: int
) -> None:
    number = await kept(store, text(size))
    last = size // CHUNK_OCTETS
    if size < 512 * KIB:
        chunk = (number << 12) + last
        await spoil(store, "UPDATE content_chunk SET octets = x'00' WHERE id = ?", chunk)
    else:
        (path,) = files_of(data)
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    before = files_of(data)
    other = await kept(store, text(5_000))
    done = await compress(store, clock)
    assert done.contents == 1
    await settled(store)
    assert files_of(data) == before
    assert [found async for found in damaged_contents(store)] == [number]
    assert await store.read(lambda tx: tx.contents.read(number, 0, 10)) == text(size)[:10]
    assert await whole(store, other) == text(5_000)


@pytest.mark.parametrize("size", [5_000, 900 * KIB])
async def test_a_frame_that_does_not_give_its_piece_back_is_not_stored(
    store: SqliteStore, data: Path, clock: Any, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await kept(store, text(size))
    before = files_of(data)
    monkeypatch.setattr(cold_contents, "compress", lambda piece: None)
    assert await compress(store, clock) == Compressed()
    await settled(store)
    assert files_of(data) == before
    assert await whole(store, number) == text(size)


@pytest.mark.parametrize(
    ("harm", "name"),
    [
        ("UPDATE content_chunk SET expands_to = 4", "content in rows has all its octets"),
        ("UPDATE content_chunk SET expands_to = 9", "a compressed piece is smaller than it was"),
        ("UPDATE content SET frames = x''", "a compressed file has a frame for each piece"),
    ],
)
async def test_each_invariant_finds_its_harm(
    store: SqliteStore, clock: Any, harm: str, name: str
) -> None:
    await kept(store, text(4_000))
    await compress(store, clock)
    assert await broken_contents(store) == []
    await spoil(store, harm)
    assert name in {found for found, _ in await broken_contents(store)}
