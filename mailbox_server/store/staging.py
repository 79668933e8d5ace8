"""Content while it is received: in memory while small, in a file once it is not.

All of it together holds at most `budget` octets of memory; beyond, even small content goes
to files.  Nothing here blocks the event loop: files are written by a few threads, one
piece of one content at a time, and feed says when to wait for them.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Final

from mailbox_server.model.errors import DiskLow, MailboxServerFault, StoreUnavailable, SyncFailed
from mailbox_server.model.ports import Events
from mailbox_server.store.content_files import ContentFiles, read_file
from mailbox_server.store.digesting import Digesting
from mailbox_server.store.workers import Workers

_UNWRITTEN_MOST: Final = 1024 * 1024
"""Octets of one content that may wait for its file before feed asks to pause."""


class StagingRoom:
    """What all contents being received share; used in the event loop's thread only."""

    def __init__(
        self,
        files: ContentFiles,
        workers: Workers,
        *,
        budget: int,
        each: int,
        row_most: int,
        events: Events,
        on_sync_failed: Callable[[BaseException], None],
    ) -> None:
        self.files = files
        self.workers = workers
        self.each = each
        self.row_most = row_most
        self.events = events
        self.on_sync_failed = on_sync_failed
        self._budget = budget
        self.used = 0
        self.held: set[str] = set()

    @property
    def is_full(self) -> bool:
        """Whether the memory for all is used up."""
        return self.used >= self._budget


class ContentStaging:
    """Content being received (ports.Staging).

    always_file: it becomes a file of its own even where it is small enough for rows.
    """

    def __init__(
        self, room: StagingRoom, expected: int | None, *, always_file: bool = False
    ) -> None:
        self._room = room
        self._always_file = always_file
        self._digesting = Digesting()
        self._pieces: list[bytes] = []
        self._digested = 0
        self._held = 0
        self._writing = 0
        self._spilled = always_file or (expected is not None and expected > room.row_most)
        self._name: str | None = None
        self._descriptor = -1
        self._job: asyncio.Future[None] | None = None
        self._fault: MailboxServerFault | None = None
        self._ended = False

    def feed(self, octets: bytes) -> bool:
        """Take more octets, never blocking.  True: await drained() before feeding more."""
        if self._ended or self._fault is not None:
            return False
        self._pieces.append(octets)
        self._held += len(octets)
        self._room.used += len(octets)
        if not self._spilled:
            self._digesting.feed(octets)
            self._digested += 1
            if self._held <= self._room.each and not self._room.is_full:
                return False
            self._spilled = True
        if self._job is None and self._held >= self._room.each:
            self._spill()
        return self._held + self._writing > _UNWRITTEN_MOST or self._room.is_full

    async def drained(self) -> None:
        """Wait until what was fed is out of memory.  Raises DiskLow, StoreUnavailable,
        SyncFailed."""
        while self._spilled and self._fault is None and not self._ended:
            if self._job is None:
                if not self._pieces:
                    break
                self._spill()
            assert self._job is not None
            await asyncio.wait([self._job])
        if self._fault is not None:
            raise self._fault

    async def finish(self) -> "Staged":
        """All is here; a file is synced with its directory.

        Raises DiskLow, StoreUnavailable, SyncFailed; what was received is dropped then.
        """
        assert not self._ended, "finished or discarded before"
        if not self._spilled:
            self._ended = True
            return Staged(self._room, self._digesting, self._pieces, None, settled=False)
        try:
            await self.drained()
            if self._name is None:
                self._spill()
                await self.drained()
            assert self._name is not None
            settled = self._always_file or self._digesting.size > self._room.row_most
            if settled:
                self._job = self._start(self._settle)
                await asyncio.wait([self._job])
                if self._fault is not None:
                    raise self._fault
        except BaseException:  # the receiver goes away or the disk is full: drop it all
            self.discard()
            raise
        self._ended = True
        self._close()
        return Staged(self._room, self._digesting, [], self._name, settled=settled)

    def discard(self) -> None:
        """Forget it; silent after finish."""
        if self._ended:
            return
        self._ended = True
        self._room.used -= self._held
        self._held = 0
        self._pieces = []
        if self._job is None:
            self._clean()

    def _spill(self) -> None:
        pieces, self._pieces = self._pieces, []
        self._writing, self._held = self._held, 0
        if self._name is None:
            self._name = self._room.files.new_name()
            self._room.held.add(self._name)
        # Pieces that came while all was in memory were digested then.
        digested, self._digested = self._digested, 0
        self._job = self._start(lambda: self._write(pieces, digested))

    def _start(self, job: Callable[[], None]) -> "asyncio.Future[None]":
        future = self._room.workers.run(job)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: "asyncio.Future[None]") -> None:
        self._room.used -= self._writing
        self._writing = 0
        self._job = None
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._fault = _fault_of(error)
            self._room.used -= self._held
            self._held = 0
            self._pieces = []
            self._room.events.fault("store.staging", error)
            if isinstance(self._fault, SyncFailed):
                self._room.on_sync_failed(error)
        if self._ended:
            self._clean()

    def _write(self, pieces: list[bytes], digested: int) -> None:
        assert self._name is not None
        if self._descriptor < 0:
            self._descriptor = self._room.files.create_incoming(self._name)
        for number, piece in enumerate(pieces):
            if number >= digested:
                self._digesting.feed(piece)
            written = 0
            while written < len(piece):
                written += os.write(self._descriptor, memoryview(piece)[written:])

    def _settle(self) -> None:
        assert self._name is not None
        self._room.files.settle(self._name, self._descriptor)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _clean(self) -> None:
        self._close()
        if self._name is not None:
            self._room.held.discard(self._name)
            name, self._name = self._name, None
            files = self._room.files
            self._room.workers.run(lambda: files.forget(name))


class Staged:
    """Content received whole (ports.StagedContent)."""

    def __init__(
        self,
        room: StagingRoom,
        digesting: Digesting,
        pieces: list[bytes],
        name: str | None,
        *,
        settled: bool,
    ) -> None:
        self._room = room
        self._size = digesting.size
        self._digest = digesting.digest()
        self.checksums = digesting.checksums()
        self.ends_line = digesting.ends_line
        self._octets = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._name = name
        self._settled = settled
        self._given_back = False

    @property
    def size(self) -> int:
        """Octets."""
        return self._size

    @property
    def digest(self) -> bytes:
        """SHA-256 of the octets."""
        return self._digest

    @property
    def in_memory(self) -> bool:
        """Whether read never blocks."""
        return self._name is None

    @property
    def file(self) -> str | None:
        """The name of the file a row must give; None where the octets become rows."""
        return self._name if self._settled else None

    def read(self, start: int, length: int) -> bytes:
        """Octets [start, start + length), shorter at the end; blocking when in a file.

        Raises StoreUnavailable where the file cannot be read.
        """
        if self._name is None:
            if start == 0 and length >= self._size:
                return self._octets
            return self._octets[start : start + length]
        files = self._room.files
        path = files.path(self._name) if self._settled else files.incoming_path(self._name)
        try:
            return read_file(path, start, length)
        except OSError as error:
            raise _fault_of(error) from error

    def discard(self) -> None:
        """Give its room back; never while a write has it.  Silent after it was given back."""
        self._give_back(keep_file=False)

    def leave(self) -> None:
        """Give its room back, but leave the file that a committed row may name; the sweep
        takes it if none does."""
        self._give_back(keep_file=self._settled)

    def kept(self) -> None:
        """A committed row names it now; in the event loop's thread."""
        self._give_back(keep_file=self._settled)

    def _give_back(self, *, keep_file: bool) -> None:
        if self._given_back:
            return
        self._given_back = True
        if self._name is None:
            self._room.used -= self._size
            return
        self._room.held.discard(self._name)
        if not keep_file:
            name, files = self._name, self._room.files
            self._room.workers.run(lambda: files.forget(name))


def _fault_of(error: BaseException) -> MailboxServerFault:
    if isinstance(error, MailboxServerFault):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskLow("no room for the content being received")
    fault = StoreUnavailable("content being received could not be written or read")
    fault.__cause__ = error
    return fault
