"""Room on the disk: how much there is, the low mark, and the reserve for deleting.

Room is what the file system has free plus what deleted rows left free inside the database.
The reserve is a file that is really allocated.  When the disk is full it is removed for
writes that free room (EXPUNGE, DELETE, collection) and for checkpoints, because a full
disk refuses those as well; it is made again when there is room for it twice.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mailbox_server.model.ports import Clock, Events
from mailbox_server.store.ports import Room

_NAME: Final = "reserve"
_FRESH_FOR: Final = 1.0
_FRESH_FOR_NEAR_THE_MARK: Final = 0.02
_NEAR: Final = 1024 * 1024 * 1024
"""With less above the low mark, a second of mail could pass it unseen."""
_ROOM_TO_START: Final = 8 * 1024 * 1024


def make_room_to_start(data: Path, events: Events) -> None:
    """On a full disk give up the reserve of the last run.

    SQLite needs a few pages beside the database before anything can be read, and the log
    that a killed process left must be folded.
    """
    space = os.statvfs(data)
    if space.f_bavail * space.f_frsize < _ROOM_TO_START:
        with contextlib.suppress(FileNotFoundError):
            (data / _NAME).unlink()
            events.warning("store.reserve.opened", reason="the disk is full at the start")


class DiskReserve:
    """The reserve file; any thread may call."""

    def __init__(self, data: Path, octets: int, events: Events) -> None:
        self._path = data / _NAME
        self._octets = octets
        self._events = events
        self._lock = threading.Lock()
        self._open = True
        self._has_told = False

    @property
    def is_open(self) -> bool:
        """Whether the room was given out (or could not be taken)."""
        return self._open

    def open(self) -> bool:
        """Give the room out; False where that was done before."""
        with self._lock:
            if self._open:
                return False
            self._path.unlink(missing_ok=True)
            self._open = True
        self._events.warning("store.reserve.opened", octets=self._octets)
        return True

    def take(self) -> bool:
        """Allocate the reserve where there is room for it twice; True when it stands.

        Blocks on the disk.
        """
        with self._lock:
            if not self._open:
                return True
            if not self._octets:
                self._open = False
                return True
            space = os.statvfs(self._path.parent)
            stands = self._path.exists() and self._path.stat().st_blocks * 512 >= self._octets
            if not stands and space.f_bavail * space.f_frsize < 2 * self._octets:
                return self._refused("the disk has not room for it twice")
            try:
                descriptor = os.open(
                    self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
                )
                try:
                    os.posix_fallocate(descriptor, 0, self._octets)
                finally:
                    os.close(descriptor)
            except OSError as error:
                self._path.unlink(missing_ok=True)
                return self._refused(str(error.strerror))
            self._open = self._has_told = False
            return True

    def _refused(self, reason: str) -> bool:
        """Tried every second while room is low, and told once."""
        if not self._has_told:
            self._has_told = True
            self._events.warning("store.reserve.refused", octets=self._octets, reason=reason)
        return False


class RoomMeter:
    """How much can still be stored; in the event loop's thread."""

    def __init__(
        self,
        data: Path,
        low_octets: int,
        reserve: DiskReserve,
        free_inside: Callable[[], int],
        clock: Clock,
        on_reserve_wanted: Callable[[], None],
        on_low: Callable[[], None],
        events: Events,
    ) -> None:
        """on_low: called each time there is found to be too little where there was enough."""
        self._data = data
        self._low = low_octets
        self._reserve = reserve
        self._free_inside = free_inside
        self._clock = clock
        self._on_reserve_wanted = on_reserve_wanted
        self._on_low = on_low
        self._events = events
        self._room = Room.AMPLE
        self._is_near = False
        self._asked: float | None = None

    def room(self) -> Room:
        """Whether new mail may be accepted; at most a second old, near the mark far younger."""
        now = self._clock.monotonic()
        fresh_for = _FRESH_FOR_NEAR_THE_MARK if self._is_near else _FRESH_FOR
        if self._asked is None or now - self._asked >= fresh_for:
            self._asked = now
            self._become(self._measure())
        return self._room

    def ran_out(self) -> None:
        """A write found no room, whatever was measured; measure again at the next question."""
        self._asked = None
        self._become(Room.LOW)

    def _become(self, room: Room) -> None:
        before, self._room = self._room, room
        if room is before:
            return
        tell = self._events.warning if room is Room.LOW else self._events.info
        tell(
            "store.room",
            room=room.value,
            free=self._outside(),
            low=self._low,
            reserve="given out" if self._reserve.is_open else "kept",
        )
        if room is Room.LOW:
            self._on_low()

    def _measure(self) -> Room:
        if self._reserve.is_open:
            self._on_reserve_wanted()
            return Room.LOW
        try:
            free = self._outside() + self._free_inside()
        except sqlite3.Error:
            return Room.LOW
        self._is_near = self._low <= free < self._low + _NEAR
        return Room.AMPLE if free >= self._low else Room.LOW

    def _outside(self) -> int:
        try:
            space = os.statvfs(self._data)
        except OSError:
            return 0  # a disk that does not answer has no room for mail
        return space.f_bavail * space.f_frsize
