"""The reserve is really allocated, given out once, and taken again when there is room."""

import os
from pathlib import Path

import pytest

from mailbox_server.model.ports import Silence
from mailbox_server.store.disk import DiskReserve

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
    room = os.statvfs(tmp_path)
    reserve = DiskReserve(tmp_path, room.f_bavail * room.f_frsize, Silence())
    assert not reserve.take()
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
