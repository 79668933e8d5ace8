"""Keeps a derived file up with the store: opens it, follows what changes, throws it away.

The file is written on a thread of its own, in steps with pauses that leave half of the time
to everybody else.  Whatever is wrong with it, it is thrown away and made again; nothing that
happens here reaches who delivers or searches.
"""

import asyncio
import os
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar, Final, Generic, TypeVar

from mailbox_server.model.errors import MailboxServerFault, StoreUnavailable
from mailbox_server.model.ports import Events
from mailbox_server.store.derived_file import DerivedFile, DerivedFileWriter, NotOurs
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.dialect.trouble import Trouble, trouble_of
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.workers import Workers, post

T = TypeVar("T")
W = TypeVar("W", bound=DerivedFileWriter)

SETTLING_SECONDS: Final = 2.0
"""So long nothing must change before the file follows: many messages at once cost less each,
and who delivers has the time first."""
SETTLING_TIMES: Final = 5
"""It waits so many times at most."""
RETRY_SECONDS: Final = 60.0
PROBES: Final = 16
_PAUSE_MOST: Final = 0.25
_PASSING: Final = (Trouble.FULL, Trouble.BUSY, Trouble.MEMORY, Trouble.INTERRUPTED)


async def pause(began: float) -> None:
    """Leave as long to others as was worked, by the monotonic clock."""
    await asyncio.sleep(min(_PAUSE_MOST, time.monotonic() - began))


class DerivedKeeper(ABC, Generic[W]):
    """The one who writes such a file.  All of it is called in the event loop.

    event: what its events are called.  stopped: raised where the file cannot be written just
    now; of its sentence, what the file is.
    """

    event: ClassVar[str]
    stopped: ClassVar[type[StoreUnavailable]]
    what: ClassVar[str]

    def __init__(
        self, store: SqliteStore, events: Events, file: DerivedFile, place: DerivedPlace
    ) -> None:
        self._store = store
        self._events = events
        self._file = file
        self._place = place
        self._writer: W | None = None
        self._worker: Workers | None = None
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._opening = asyncio.Lock()

    # ------------------------------------------------------------ what a file has of its own

    @abstractmethod
    async def _keep_up(self) -> None:
        """Bring the file to where the store is."""

    @abstractmethod
    def _writer_of(self, path: Path) -> W:
        """Open the writer of a file, or of a new one.  Raises sqlite3.Error, NotOurs, OSError."""

    @abstractmethod
    async def _is_known(self, writer: W) -> bool:
        """Whether what the file holds is of this store.  Raises sqlite3.Error."""

    def _patience(self) -> float | None:
        """For how long nothing may change before _rest is called; None for ever."""
        return None

    async def _rest(self) -> None:
        """Nothing changed for so long, or it is tried again."""

    # ------------------------------------------------------------ following

    async def run(self) -> None:
        """Follow the store until cancelled."""
        loop = asyncio.get_running_loop()

        def wake(_: sqlite3.Error) -> None:
            post(loop, self._woken.set)

        self._place.on_trouble = wake
        self._store.when_changed(self._woken.set)
        try:
            while True:
                self._woken.clear()
                wait = await self._follow()
                try:
                    async with asyncio.timeout(wait):
                        await self._woken.wait()
                except TimeoutError:
                    await self._rest()
                    continue
                await self._settle()
        finally:
            await self.close()

    async def _settle(self) -> None:
        for _ in range(SETTLING_TIMES):
            self._woken.clear()
            await asyncio.sleep(SETTLING_SECONDS)
            if not self._woken.is_set():
                break

    async def _follow(self) -> float | None:
        """For how long to wait for a change; trouble is logged."""
        try:
            await self._keep_up()
        except MailboxServerFault as fault:
            self._events.warning(f"{self.event}.stopped", reason=str(fault))
            return RETRY_SECONDS
        except Exception as error:  # a bug here must not end the server: it is logged
            self._events.fault(f"{self.event}.fault", error)
            return RETRY_SECONDS
        return self._patience()

    async def close(self) -> None:
        """Close the file, before the store is closed; what runs is given up."""
        writer, worker = self._writer, self._worker
        if writer is not None:
            writer.interrupt()
        if worker is not None:
            await asyncio.to_thread(worker.close)
        if writer is not None:
            writer.close()
        self._writer = self._worker = None

    # ------------------------------------------------------------ the file

    async def throw_away(self, reason: str) -> None:
        """Begin anew with an empty file, or go on with another where there is one."""
        self._events.warning(f"{self.event}.thrown_away", reason=reason)
        await self._let_go()

    async def _let_go(self) -> None:
        self._place.path, self._place.is_damaged = None, True
        writer, self._writer = self._writer, None
        if writer is not None:
            await self._run(writer.close)

    async def _open(self) -> None:
        """Open the file, or make it, where that is not done.  Raises what stopped says.

        Only who has the turn calls this, and throws the file away.
        """
        async with self._opening:
            writer = self._writer
            if writer is not None:
                if self._is_in_place(writer):
                    return
                await self.throw_away("it was damaged, or deleted")
            if self._writer is None:
                await self._open_writer()

    def _is_in_place(self, writer: W) -> bool:
        """Whether what is written and what is asked lies where it did."""
        return self._place.path == writer.path and writer.path.exists()

    async def _open_writer(self) -> None:
        place = self._place
        opened = None if place.is_damaged else await self._run(self._opened)
        if opened is not None and not await self._is_of_use(opened):
            opened = None
        if opened is None:
            opened = await self._run(self._made)
        self._writer, place.path, place.is_damaged = opened, opened.path, False

    async def _is_of_use(self, writer: W) -> bool:
        """Whether a file can be asked, and is of this store; if not, it is closed."""
        is_known = False
        try:
            is_known = await self._is_known(writer)
        except sqlite3.Error as error:
            if trouble_of(error) in _PASSING:
                raise self.stopped(f"{self.what}: {error}") from error
        finally:
            if not is_known:
                await self._run(writer.close)
        return is_known

    def _opened(self) -> W | None:
        """The newest file that lies there, and no other; None where it is of no use."""
        path = self._file.newest(self._store.data)
        if path is None:
            return None
        try:
            self._file.remove(self._store.data, keep=path)
            return self._writer_of(path)
        except (sqlite3.Error, NotOurs, OSError):
            return None

    def _made(self) -> W:
        """A new file, and no other."""
        writer = self._made_beside()
        self._remove_others(writer.path)
        return writer

    def _made_beside(self) -> W:
        """A new file; others stay."""
        try:
            return self._writer_of(self._file.next_name(self._store.data))
        except (sqlite3.Error, NotOurs, OSError) as error:
            raise self.stopped(f"{self.what} cannot be made: {error}") from error

    def _remove_others(self, path: Path) -> None:
        try:
            self._file.remove(self._store.data, keep=path)
        except OSError as error:
            raise self.stopped(f"{self.what} cannot be removed: {error}") from error

    async def _step(self, work: Callable[[W], T]) -> T:
        """Write something, then leave as long a time to others."""
        began = time.monotonic()
        await self._make_sure_of_room()

        def step(writer: W) -> T:
            value = work(writer)
            writer.fold()
            return value

        value = await self._on_file(step)
        await pause(began)
        return value

    async def _make_sure_of_room(self) -> None:
        if await asyncio.to_thread(self._is_low):
            raise self.stopped("the disk is nearly full")

    def _is_low(self) -> bool:
        """Mail needs the room first: the file stops at twice the mark of the store."""
        space = os.statvfs(self._store.data)
        return space.f_bavail * space.f_frsize < 2 * self._store.settings.low_room_octets

    async def _asked(self, work: Callable[[W], T]) -> T:
        """Ask the file something at any time, while others work on it for long.

        Damage ends trust in it; who keeps it up throws it away.
        """
        async with self._opening:
            if self._writer is None:
                await self._open_writer()
            writer = self._writer
        assert writer is not None
        try:
            return await self._run(partial(work, writer))
        except sqlite3.Error as error:
            self._place.failed(writer.path, error)
            raise self.stopped(f"{self.what}: {error}") from error

    async def _on_file(self, work: Callable[[W], T]) -> T:
        """Damage throws the file away."""
        writer = self._writer
        assert writer is not None
        try:
            return await self._run(partial(work, writer))
        except sqlite3.Error as error:
            if trouble_of(error) not in _PASSING:
                await self.throw_away(str(error))
            raise self.stopped(f"{self.what}: {error}") from error

    async def _run(self, job: Callable[[], T]) -> T:
        if self._worker is None:
            self._worker = Workers(f"store-{self._file.name}", 1)
        return await self._worker.run(job)
