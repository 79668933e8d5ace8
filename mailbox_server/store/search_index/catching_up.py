"""Keeps the search index up with the store: opens it, adds what came, makes stale parts anew.

The index is written on a thread of its own, a few hundred messages at a time, with pauses
that leave half of the time to everybody else.  Whatever is wrong with its file, it is
thrown away and made again; nothing that happens here reaches who delivers or searches.

Messages that come wait first (Patience): a mail that comes alone costs the index a row.
"""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ids import AccountId
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.store.derived_file import octets_of
from mailbox_server.store.derived_keeper import PROBES, DerivedKeeper
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.search_index import gathering, layout, sampling
from mailbox_server.store.search_index.writing import Entry, IndexWriter, Segment
from mailbox_server.store.unhurried import Rest, at_once

T = TypeVar("T")

STEP_MESSAGES: Final = 250
STEP_CHARACTERS: Final = 512 * 1024
"""A step ends with the message that reaches this."""
_SAMPLED: Final = 50
_DEAD_PART: Final = 5
"""A segment of which one message in so many is gone is made anew."""
_RENEWED_AFTER: Final = timedelta(days=30)
_WAITING_OCTETS: Final = 4 * 1024 * 1024
"""Of an account do not wait: looking at their texts would take long."""
_COUNTED_MOST: Final = 256 * 1024
"""Of a message; in larger ones it is seldom text."""
_TAUGHT_FROM: Final = 500
"""Messages of a segment that are worth to learn words of."""
_MERGED_FROM: Final = 250
"""Messages added in a burst, of which full-text tables are merged, where they are also one in
_MERGED_PART of those of their segment: then writing all again is soon paid."""
_MERGED_PART: Final = 4
_TOLD_FROM: Final = 1_000
"""Ids that the index must be behind for anybody to be told."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many messages of an account are added at once; until then they wait, and searches
    look at them.  What comes one by one takes less room so, and less is written for each.

    first: as long as nothing was added, so that a small store has no index larger than a part
        of it.  most: of accounts that have fewer than many messages; few: of others, so that
        a search looks at next to nothing in vain.
    """

    first: int = 256
    most: int = 64
    few: int = 8
    many: int = 1_000

    def is_over(self, waiting: Sequence[tuple[int, int]], held: int, *, is_first: bool) -> bool:
        """Whether those of an account that wait, messages and octets, are to be added.

        held: messages of the account.  is_first: whether nothing was added yet.
        """
        most = self.first if is_first else self.most
        if len(waiting) >= (self.few if held >= self.many else most):
            return True
        return sum(min(octets, _COUNTED_MOST) for _, octets in waiting) >= _WAITING_OCTETS


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


class _Burst:
    """What comes into a segment at once, and the accounts of which some of it was added.

    segment: as it was before.  added: messages.
    """

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.accounts: set[AccountId] = set()
        self.added = 0

    @property
    def is_much(self) -> bool:
        """Whether it is a large part of what is in the segment now."""
        return self.added >= max(_MERGED_FROM, self.segment.messages // (_MERGED_PART - 1))


class SearchIndexer(DerivedKeeper[IndexWriter]):
    """The one who writes the index of a store.  All of it is called in the event loop."""

    event = "search_index"
    stopped = IndexStopped
    what = "the search index"

    def __init__(
        self, store: SqliteStore, clock: Clock, events: Events, patience: Patience | None = None
    ) -> None:
        super().__init__(store, events, layout.FILE, store.index)
        self._clock = clock
        self._rule = patience or Patience()
        # Whether the last run came to its end: none waits that is to be added.
        self._is_settled = False

    async def _keep_up(self) -> None:
        await self.catch_up()
        await self.renew()

    async def catch_up(self) -> None:
        """Add all that the index lacks now.

        Raises IndexStopped where the disk does not allow it, StoreUnavailable.
        """
        async with self._turn:
            await self._open()
            left = await self.behind()
            if left > _TOLD_FROM:
                self._events.info("search_index.behind", ids=left)
            if not self._is_settled:
                await self._add_overdue()
            self._is_settled = False
            newest = await self._store.read(gathering.newest)
            burst: _Burst | None = None
            while (upto := await self._on_file(_upto)) < newest:
                now = int(self._clock.now().timestamp())
                growing = await self._on_file(partial(IndexWriter.growing, now=now))
                if burst is None or burst.segment.number != growing.number:
                    await self._end(burst, is_full=True)
                    burst = _Burst(growing)
                await self._take(burst, upto, newest)
            await self._end(burst)
            if burst is not None:
                await self._on_file(IndexWriter.rest)
            if left > _TOLD_FROM:
                self._events.info("search_index.caught_up", ids=left)
            self._is_settled = True

    async def renew(self) -> None:
        """Make every stale segment anew.  Raises as catch_up."""
        async with self._turn:
            await self._open()
            while True:
                segments = await self._on_file(IndexWriter.segments)
                stale = [each for each in segments if each.is_stale and each.replaces is None]
                if not stale:
                    break
                await self._replace(stale[0])
                await self._on_file(IndexWriter.rest)

    async def make_stale(self, numbers: list[int] | None = None) -> None:
        """Have segments, or all of them, made anew; the next renew does it."""
        async with self._turn:
            await self._open()
            segments = await self._on_file(IndexWriter.segments)
            live = [each.number for each in segments if each.replaces is None]
            wanted = [each for each in live if numbers is None or each in numbers]
            await self._on_file(lambda writer: writer.make_stale(wanted))
        self._woken.set()

    async def segments(self) -> list[Segment]:
        """The segments that are asked, by ascending ids; given while others work on them."""
        found = await self._asked(IndexWriter.segments)
        return [each for each in found if each.replaces is None]

    async def behind(self) -> int:
        """How many message ids it has still to go over; asked while others work on it."""
        newest = await self._store.read(gathering.newest)
        if self._writer is None:
            return newest
        segments = await self._asked(IndexWriter.segments)
        live = [each for each in segments if each.replaces is None]
        begun = {each.replaces: each.upto for each in segments}
        left = newest - max((each.upto for each in live), default=0)
        for each in live:
            if each.is_stale:
                left += each.upto - begun.get(each.number, each.first - 1)
        return max(0, left)

    async def sample(self, entropy: Entropy, rest: Rest = at_once) -> Sampled:
        """Try some messages, while others may be working on the index; a wrong one is thrown away.

        None are tried without an index.  rest: called after each trial.

        Raises IndexStopped, StoreUnavailable.
        """
        if layout.FILE.newest(self._store.data) is None:
            return Sampled(0, ())
        upto = await self._asked(_upto)
        raws: list[gathering.Raw] = []
        for _ in range(_SAMPLED if upto else 0):
            after = entropy.below(upto)
            stretch = await self._store.read_through(
                partial(gathering.gathered, after=after, last=upto, most=1)
            )
            raws += stretch.messages
        trials = await self._run(partial(sampling.trials, raws, entropy))
        wrong: list[sampling.Trial] = []
        for trial in trials:
            wrong += await self._store.read(sampling.tried([trial]))
            await rest()
        if wrong:
            async with self._turn:
                # Another may stand in its place by now.
                if await self._store.read(sampling.tried(wrong)):
                    await self.throw_away("a sample found it wrong")
        self._woken.set()
        return Sampled(len(trials), tuple(wrong))

    async def make_worn_stale(self) -> int:
        """Have segments made anew of which much is dead, or something for a month, and those
        whose messages came few at a time, so that their words are not known; how many.

        Raises IndexStopped, StoreUnavailable.
        """
        now = int(self._clock.now().timestamp())
        worn: list[int] = []
        for each in await self.segments():
            live = await self._store.read(partial(gathering.live, first=each.first, last=each.upto))
            dead = max(0, each.messages - live)
            is_old = now - each.begun >= _RENEWED_AFTER.total_seconds()
            is_worn = dead * _DEAD_PART >= max(1, each.messages) or (dead and is_old)
            waiting = await self._asked(partial(IndexWriter.count_waiting, segment=each.number))
            # Once for each doubling.
            if is_worn or each.messages - waiting >= max(_TAUGHT_FROM, 2 * each.together):
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
            octets=0 if path is None else await asyncio.to_thread(octets_of, path),
        )

    # ------------------------------------------------------------ inside

    async def _replace(self, stale: Segment) -> None:
        # One that was begun before may have been left like this too.
        self._is_settled = False
        now = int(self._clock.now().timestamp())
        new = await self._on_file(lambda writer: writer.replacement(stale, now))
        burst, upto = _Burst(new), new.upto
        while upto < stale.upto:
            upto = await self._take(burst, upto, stale.upto)
        await self._end(burst, is_full=True)
        await self._step(lambda writer: writer.put_in_place(new))
        self._events.info("search_index.renewed", first=stale.first, upto=stale.upto)

    async def _take(self, burst: _Burst, after: int, last: int) -> int:
        """Take the messages that come next into a segment; the id up to which it has all then.

        Those of accounts of which enough wait are added.
        """
        arrived = await self._store.read(
            partial(gathering.arrived, after=after, last=last, most=STEP_MESSAGES)
        )
        number = burst.segment.number
        await self._step(lambda writer: writer.wait(number, arrived.messages, arrived.upto))
        due = await self._add_due(burst.segment, arrived.held)
        burst.accounts |= due.keys()
        burst.added += sum(map(len, due.values()))
        return arrived.upto

    async def _add_overdue(self) -> None:
        """Add what came when a run did not come to its end, where it is enough."""
        for segment in await self.segments():
            ask = partial(IndexWriter.accounts_waiting, segment=segment.number)
            accounts = await self._on_file(ask)
            held = await self._store.read(partial(gathering.held, accounts=accounts))
            await self._add_due(segment, held)

    async def _add_due(
        self, segment: Segment, held: Mapping[AccountId, int]
    ) -> Mapping[AccountId, Sequence[tuple[int, int]]]:
        """Add the messages of those accounts of which enough wait; which these are.

        held: how many messages each has.
        """
        number = segment.number
        waiting = await self._on_file(lambda writer: writer.waiting(number, held.keys()))
        is_first = await self._on_file(lambda writer: writer.is_blank(number))
        due = {
            account: these
            for account, these in waiting.items()
            if self._rule.is_over(these, held[account], is_first=is_first)
        }
        await self._put(segment, due)
        return due

    async def _end(self, burst: _Burst | None, *, is_full: bool = False) -> None:
        """Of accounts of which messages were added at last none shall wait.

        Full-text tables of what is full, or of which most came now, are merged.
        """
        if burst is None or not burst.accounts:
            return
        number, accounts = burst.segment.number, burst.accounts
        waiting = await self._on_file(lambda writer: writer.waiting(number, accounts))
        await self._put(burst.segment, waiting)
        if is_full or burst.is_much:
            await self._merge(number)

    async def _merge(self, number: int) -> None:
        for table in await self._on_file(partial(IndexWriter.tables, segment=number)):
            is_more = await self._step(
                partial(IndexWriter.merge, segment=number, table=table, begins=True)
            )
            while is_more:
                is_more = await self._step(
                    partial(IndexWriter.merge, segment=number, table=table, begins=False)
                )

    async def _put(
        self, segment: Segment, due: Mapping[AccountId, Sequence[tuple[int, int]]]
    ) -> None:
        """Add messages that wait."""
        waiting = sorted((each, account) for account, these in due.items() for each, _ in these)
        while waiting:
            entries, count = await self._entries([message for message, _ in waiting])
            done = waiting[:count]
            await self._step(partial(IndexWriter.put, segment=segment, entries=entries, done=done))
            waiting = waiting[count:]

    async def _entries(self, messages: Sequence[int]) -> tuple[list[Entry], int]:
        """The entries of the next step, and how many of the ascending messages were read."""
        entries: list[Entry] = []
        characters = at = 0
        while len(entries) < STEP_MESSAGES and characters < STEP_CHARACTERS and at < len(messages):
            stretch = await self._store.read_through(
                partial(
                    gathering.listed,
                    messages=messages[at : at + gathering.MESSAGES_A_READ],
                    enough=STEP_CHARACTERS - characters,
                )
            )
            entries += await self._run(partial(_entries, stretch))
            characters += stretch.characters
            at = bisect_right(messages, stretch.upto)
        return entries, at

    def _writer_of(self, path: Path) -> IndexWriter:
        return IndexWriter(self._place, path)

    async def _is_known(self, writer: IndexWriter) -> bool:
        upto = await self._run(partial(_upto, writer))
        probes = await self._run(partial(writer.probes, PROBES))
        return await self._store.read(lambda tx: gathering.is_known(tx, upto, probes))


def _upto(writer: IndexWriter) -> int:
    return max((each.upto for each in writer.segments() if each.replaces is None), default=0)


def _entries(stretch: gathering.Stretch) -> list[Entry]:
    entries: list[Entry] = []
    for raw in stretch.messages:
        entries.append(gathering.entry(raw))
        # Let go of the interpreter: the loop may be waiting for it.
        time.sleep(0)
    return entries
