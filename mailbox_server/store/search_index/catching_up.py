"""Keeps the search index up with the store: opens it, adds what came, makes stale parts anew.

The index is written on a thread of its own, a few hundred messages at a time, with pauses
that leave half of the time to everybody else.  Whatever is wrong with its file, it is
thrown away and made again; nothing that happens here reaches who delivers or searches.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from mailbox_server.model.errors import MailboxServerFault, StoreUnavailable
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.store.dialect.trouble import Trouble, trouble_of
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.search_index import gathering, layout, sampling
from mailbox_server.store.search_index.layout import NotOurs
from mailbox_server.store.search_index.writing import Entry, IndexWriter, Segment
from mailbox_server.store.workers import Workers, post

T = TypeVar("T")

STEP_MESSAGES: Final = 250
STEP_CHARACTERS: Final = 512 * 1024
"""A step ends with the message that reaches this."""
SETTLING_SECONDS: Final = 2.0
"""From the first change until the index follows."""
RETRY_SECONDS: Final = 60.0
_PAUSE_MOST: Final = 0.25
_SAMPLED: Final = 50
_DEAD_PART: Final = 5
"""A segment of which one message in so many is gone is made anew."""
_RENEWED_AFTER: Final = timedelta(days=30)
_TOLD_FROM: Final = 1_000
"""Ids that the index must be behind for anybody to be told."""
_PROBES: Final = 16
_PASSING: Final = (Trouble.FULL, Trouble.BUSY, Trouble.MEMORY, Trouble.INTERRUPTED)


class IndexStopped(StoreUnavailable):
    """The index cannot be written just now; searches go on without what it lacks."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """How far the index has come.

    messages: in it.  behind: message ids that it has still to go over.  octets: of its file.
    """

    messages: int
    behind: int
    octets: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """How many trials there were, and those in which the index was wrong."""

    trials: int
    wrong: tuple[sampling.Trial, ...]


class SearchIndexer:
    """The one who writes the index of a store.  All of it is called in the event loop."""

    def __init__(self, store: SqliteStore, clock: Clock, events: Events) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._writer: IndexWriter | None = None
        self._worker: Workers | None = None
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Follow the store until cancelled."""
        loop = asyncio.get_running_loop()

        def wake(_: sqlite3.Error) -> None:
            post(loop, self._woken.set)

        self._store.index.on_trouble = wake
        self._store.when_changed(self._woken.set)
        try:
            while True:
                self._woken.clear()
                wait = None if await self._follow() else RETRY_SECONDS
                try:
                    async with asyncio.timeout(wait):
                        await self._woken.wait()
                except TimeoutError:
                    continue
                await asyncio.sleep(SETTLING_SECONDS)
        finally:
            await self.close()

    async def _follow(self) -> bool:
        """Whether it came to its end; trouble is logged."""
        try:
            await self.catch_up()
            await self.renew()
        except MailboxServerFault as fault:
            self._events.warning("search_index.stopped", reason=str(fault))
            return False
        except Exception as error:  # a bug here must not end the server: it is logged
            self._events.fault("search_index.fault", error)
            return False
        return True

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

    async def catch_up(self) -> None:
        """Add all that the index lacks.

        Raises IndexStopped where the disk does not allow it, StoreUnavailable.
        """
        async with self._turn:
            await self._open()
            added, left = 0, await self.behind()
            if left > _TOLD_FROM:
                self._events.info("search_index.behind", ids=left)
            while True:
                newest = await self._store.read(gathering.newest)
                upto = await self._on_index(_upto)
                if newest <= upto:
                    break
                entries, reached = await self._entries(upto, newest)
                now = int(self._clock.now().timestamp())
                await self._step(partial(IndexWriter.add, entries=entries, upto=reached, now=now))
                added += len(entries)
            if added:
                await self._on_index(IndexWriter.rest)
            if left > _TOLD_FROM:
                self._events.info("search_index.caught_up", messages=added)

    async def renew(self) -> None:
        """Make every stale segment anew.  Raises as catch_up."""
        async with self._turn:
            await self._open()
            while True:
                segments = await self._on_index(IndexWriter.segments)
                stale = [each for each in segments if each.is_stale and each.replaces is None]
                if not stale:
                    break
                await self._replace(stale[0])
                await self._on_index(IndexWriter.rest)

    async def make_stale(self, numbers: list[int] | None = None) -> None:
        """Have segments, or all of them, made anew; the next renew does it."""
        async with self._turn:
            await self._open()
            segments = await self._on_index(IndexWriter.segments)
            live = [each.number for each in segments if each.replaces is None]
            wanted = [each for each in live if numbers is None or each in numbers]
            await self._on_index(lambda writer: writer.make_stale(wanted))
        self._woken.set()

    async def segments(self) -> list[Segment]:
        """The segments that are asked, by ascending ids."""
        async with self._turn:
            await self._open()
            found = await self._on_index(IndexWriter.segments)
        return [each for each in found if each.replaces is None]

    async def behind(self) -> int:
        """How many message ids it has still to go over; asked while others work on it."""
        newest = await self._store.read(gathering.newest)
        if self._writer is None:
            return newest
        segments = await self._on_index(IndexWriter.segments)
        live = [each for each in segments if each.replaces is None]
        begun = {each.replaces: each.upto for each in segments}
        left = newest - max((each.upto for each in live), default=0)
        for each in live:
            if each.is_stale:
                left += each.upto - begun.get(each.number, each.first - 1)
        return max(0, left)

    async def sample(self, entropy: Entropy) -> Sampled:
        """Try some messages; a wrong index is thrown away.  None are tried without an index.

        Raises IndexStopped, StoreUnavailable.
        """
        if not layout.named(self._store.data):
            return Sampled(0, ())
        async with self._turn:
            await self._open()
            upto = await self._on_index(_upto)
            raws: list[gathering.Raw] = []
            for _ in range(_SAMPLED if upto else 0):
                after = entropy.below(upto)
                stretch = await self._store.read_through(
                    partial(gathering.gathered, after=after, last=upto, most=1)
                )
                raws += stretch.messages
            trials = await self._run(partial(sampling.trials, raws, entropy))
            wrong = await self._store.read(sampling.tried(trials))
            if wrong:
                await self.throw_away("a sample found it wrong")
        self._woken.set()
        return Sampled(len(trials), tuple(wrong))

    async def make_worn_stale(self) -> int:
        """Have segments made anew of which much is dead, or something for a month; how many.

        Raises IndexStopped, StoreUnavailable.
        """
        now = int(self._clock.now().timestamp())
        worn: list[int] = []
        for each in await self.segments():
            live = await self._store.read(partial(gathering.live, first=each.first, last=each.upto))
            dead = max(0, each.messages - live)
            is_old = now - each.begun >= _RENEWED_AFTER.total_seconds()
            if dead * _DEAD_PART >= max(1, each.messages) or (dead and is_old):
                worn.append(each.number)
        if worn:
            await self.make_stale(worn)
        return len(worn)

    async def state(self) -> IndexState:
        """How far it has come.  Raises IndexStopped, StoreUnavailable."""
        segments = await self.segments()
        path = self._store.index.path
        return IndexState(
            messages=sum(each.messages for each in segments),
            behind=await self.behind(),
            octets=0 if path is None else await asyncio.to_thread(_octets, path),
        )

    async def throw_away(self, reason: str) -> None:
        """Begin anew with an empty index."""
        self._events.warning("search_index.thrown_away", reason=reason)
        self._store.index.path, self._store.index.is_damaged = None, True
        writer, self._writer = self._writer, None
        if writer is not None:
            await self._run(writer.close)

    # ------------------------------------------------------------ inside

    async def _replace(self, stale: Segment) -> None:
        now = int(self._clock.now().timestamp())
        new = await self._on_index(lambda writer: writer.replacement(stale, now))
        upto = new.upto
        while upto < stale.upto:
            entries, upto = await self._entries(upto, stale.upto)
            await self._step(partial(IndexWriter.fill, replacement=new, entries=entries, upto=upto))
        await self._step(lambda writer: writer.put_in_place(new))
        self._events.info("search_index.renewed", first=stale.first, upto=stale.upto)

    async def _entries(self, after: int, last: int) -> tuple[list[Entry], int]:
        """The entries of the next step, and the id up to which these are all."""
        entries: list[Entry] = []
        characters = 0
        while len(entries) < STEP_MESSAGES and characters < STEP_CHARACTERS and after < last:
            stretch = await self._store.read_through(
                partial(
                    gathering.gathered, after=after, last=last, enough=STEP_CHARACTERS - characters
                )
            )
            entries += await self._run(partial(_entries, stretch))
            characters += stretch.characters
            after = stretch.upto
        return entries, after

    async def _step(self, work: Callable[[IndexWriter], None]) -> None:
        """Write something, then leave as long a time to others."""
        began = time.monotonic()
        if await asyncio.to_thread(self._is_low):
            raise IndexStopped("the disk is nearly full")

        def step(writer: IndexWriter) -> None:
            work(writer)
            writer.fold()

        await self._on_index(step)
        await asyncio.sleep(min(_PAUSE_MOST, time.monotonic() - began))

    def _is_low(self) -> bool:
        """Mail needs the room first: the index stops at twice the mark of the store."""
        space = os.statvfs(self._store.data)
        return space.f_bavail * space.f_frsize < 2 * self._store.settings.low_room_octets

    async def _open(self) -> None:
        """Open the index, or make it, where that is not done.  Raises IndexStopped."""
        writer, place = self._writer, self._store.index
        if writer is not None and place.path == writer.path and writer.path.exists():
            return
        if writer is not None:
            await self.throw_away("it was damaged, or deleted")
        opened = None
        if not place.is_damaged:
            opened = await self._run(partial(_opened, self._store.data))
        if opened is not None:
            upto = await self._run(partial(_upto, opened))
            probes = await self._run(partial(opened.probes, _PROBES))
            if not await self._store.read(lambda tx: gathering.is_known(tx, upto, probes)):
                await self._run(opened.close)
                opened = None
        if opened is None:
            opened = await self._run(partial(_made, self._store.data))
        self._writer, place.path, place.is_damaged = opened, opened.path, False

    async def _on_index(self, work: Callable[[IndexWriter], T]) -> T:
        """Raises IndexStopped; damage throws the index away."""
        writer = self._writer
        assert writer is not None
        try:
            return await self._run(lambda: work(writer))
        except sqlite3.Error as error:
            if trouble_of(error) not in _PASSING:
                await self.throw_away(str(error))
            raise IndexStopped(f"the search index: {error}") from error

    async def _run(self, job: Callable[[], T]) -> T:
        if self._worker is None:
            self._worker = Workers("store-index", 1)
        return await self._worker.run(job)


def _upto(writer: IndexWriter) -> int:
    return max((each.upto for each in writer.segments() if each.replaces is None), default=0)


def _entries(stretch: gathering.Stretch) -> list[Entry]:
    entries: list[Entry] = []
    for raw in stretch.messages:
        entries.append(gathering.entry(raw))
        # Let go of the interpreter: the loop may be waiting for it.
        time.sleep(0)
    return entries


def _octets(path: Path) -> int:
    return sum(side.stat().st_size for side in (path, Path(f"{path}-wal")) if side.exists())


def _opened(data: Path) -> IndexWriter | None:
    """The index that lies there; None where it is of no use."""
    for path in layout.named(data)[-1:]:
        try:
            return IndexWriter(path)
        except (sqlite3.Error, NotOurs, OSError):
            return None
    return None


def _made(data: Path) -> IndexWriter:
    """A new index, and no other file of one.  Raises IndexStopped."""
    path = layout.next_name(data)
    try:
        writer = IndexWriter(path)
        layout.remove(data, keep=path)
    except (sqlite3.Error, NotOurs, OSError) as error:
        raise IndexStopped(f"no search index can be made: {error}") from error
    return writer
