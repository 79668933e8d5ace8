"""The reserve is really allocated, given out once, and taken again when there is room."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from mailbox_server.model.ports import Clock, Silence
from mailbox_server.store.disk import DiskReserve, RoomMeter
from mailbox_server.store.ports import Room
from tests.unit.auth.memory_store import RecordedEvents

SIZE = 256 * 1024


def test_a_reserve_is_allocated_and_given_out_once(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path, SIZE, Silence())
    assert reserve.is_open
    assert reserve.take()
    assert not reserve.is_open
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= SIZE
    assert reserve.take()
    assert reserve.open()
    assert not reserve.open()
    assert not (tmp_path / "reserve").exists()
    assert reserve.take()
    assert (tmp_path / "reserve").exists()


def test_a_reserve_of_an_earlier_process_stands(tmp_path: Path) -> None:
    DiskReserve(tmp_path, SIZE, Silence()).take()
    again = DiskReserve(tmp_path, SIZE, Silence())
    assert again.take()
    assert not again.is_open


def test_it_is_not_taken_from_a_disk_without_twice_the_room(tmp_path: Path) -> None:
    room, events = os.statvfs(tmp_path), RecordedEvents()
    reserve = DiskReserve(tmp_path, room.f_bavail * room.f_frsize, events)
    for _ in range(3):
        assert not reserve.take()
    # It is tried every second, and told once.
    [(name, told)] = events.seen
    assert name == "store.reserve.refused" and "room for it twice" in told["reason"]
    assert reserve.is_open
    assert not (tmp_path / "reserve").exists()


def test_a_disk_that_refuses_leaves_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    reserve = DiskReserve(tmp_path, SIZE, Silence())
    monkeypatch.setattr(os, "posix_fallocate", refuse)
    assert not reserve.take()
    assert reserve.is_open
    assert not (tmp_path / "reserve").exists()


def test_a_reserve_of_nothing_stands_without_a_file(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path, 0, Silence())
    assert reserve.take()
    assert not reserve.is_open
    assert list(tmp_path.iterdir()) == []


class Disk:
    """A disk whose free room tests say, and a clock."""

    def __init__(self) -> None:
        self.free = 1_000
        self.at = 0.0
        self.turns = 2.0

    def statvfs(self, path: object) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=self.free, f_frsize=1)

    def monotonic(self) -> float:
        self.at += self.turns
        return self.at


def test_low_room_and_its_end_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, events, lows = Disk(), RecordedEvents(), []
    reserve = DiskReserve(tmp_path, 0, events)
    reserve.take()
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    meter = RoomMeter(
        tmp_path,
        500,
        reserve,
        lambda: 0,
        cast(Clock, disk),
        lambda: None,
        lambda: lows.append(disk.free),
        events,
    )
    for free in (1_000, 400, 300, 600, 700):
        disk.free = free
        meter.room()
    meter.ran_out()
    assert lows == [400, 700]
    assert [(name, told["room"], told["free"]) for name, told in events.seen] == [
        ("store.room", "low", 400),
        ("store.room", "ample", 600),
        ("store.room", "low", 700),
    ]


@pytest.mark.parametrize(("above", "seen"), [(1 << 29, Room.LOW), (1 << 31, Room.AMPLE)])
def test_near_the_mark_room_is_measured_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, above: int, seen: Room
) -> None:
    """A fast disk takes more in a second than may be left."""
    disk, events = Disk(), RecordedEvents()
    reserve = DiskReserve(tmp_path, 0, events)
    reserve.take()
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    clock, nothing = cast(Clock, disk), lambda: None
    meter = RoomMeter(tmp_path, 500, reserve, lambda: 0, clock, nothing, nothing, events)
    disk.free, disk.turns = 500 + above, 0.05
    assert meter.room() is Room.AMPLE
    disk.free = 400
    assert meter.room() is seen
