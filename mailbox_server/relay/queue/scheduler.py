"""The scheduler: takes what is due, finds where it goes, and hands it on.

It wakes when the bell of departures rings, when something comes due, when somebody is put off
to a turn before that, and when a lane that had more than it was given has room again.  Each
pass takes a bounded part of what is due, by leases; whatever is lost with the process is due
again at the next start.  While mail comes in fast, passes for it give way a moment (deference).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from mailbox_server.model.address import AddressLiteral, Domain
from mailbox_server.model.errors import Unavailable
from mailbox_server.model.ids import ModSeq, OutboundId
from mailbox_server.model.next_hop import NextHop, NoHop
from mailbox_server.model.outbound import Attempt, Finding, Phase
from mailbox_server.model.ports import Clock, Events
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.client.opening import Opening
from mailbox_server.relay.destinations import Destinations
from mailbox_server.relay.next_hops import Wishes
from mailbox_server.relay.queue.carrying import Carrying, Outlook
from mailbox_server.relay.queue.deference import Deference
from mailbox_server.relay.queue.loads import Load, loads_of
from mailbox_server.relay.queue.settling import Settling, Tried
from mailbox_server.relay.schedule import LONGEST_WAIT
from mailbox_server.store.ports import DEPARTURES, RETRIES, Due, Rooms, Store, WriteTx

MOST_TAKEN: Final = 2_000
"""Recipients that are in the hands of the relay at once."""
_A_PASS: Final = 500
_LANE_ROOM: Final = (5, 100)
"""Messages of one lane at once: so many for each connection it may have, and at most."""
_LOOKED_UP_AT_ONCE: Final = 100
"""Lanes."""
_AFTER_TROUBLE_SECONDS: Final = 10.0
_LONGEST_SLEEP_SECONDS: Final = 60.0
"""A clock that jumped is noticed after so long."""
_AT_LAST: Final = datetime.max.replace(tzinfo=UTC)
_JUMP: Final = timedelta(minutes=1)
_RECALLED_AFTER: Final = LONGEST_WAIT * 2


class FindsHops(Protocol):
    """Who knows where mail goes (relay.next_hops.NextHops)."""

    async def find(self, domain: Domain | AddressLiteral, wishes: Wishes) -> NextHop | NoHop:
        """The hosts to try for one message to domain, or why there are none."""


@dataclass(slots=True)
class _Lane:
    """A lane of which something is in our hands.

    messages: how many.  key: its destination, once that was found.
    has_more: whether more may be due than was taken.
    """

    messages: int = 0
    key: str = ""
    has_more: bool = False


class Scheduler:
    """The queue at work; run it as one task.

    carrying is made with the outlook that this gives.
    """

    def __init__(
        self,
        *,
        store: Store,
        hops: FindsHops,
        settling: Settling,
        destinations: Destinations,
        tasks: TaskKeeper,
        clock: Clock,
        events: Events,
        carrying: Callable[[Outlook], Carrying],
        heard: Callable[[NextHop, Opening], None],
    ) -> None:
        self._store = store
        self._hops = hops
        self._settling = settling
        self._destinations = destinations
        self._tasks = tasks
        self._clock = clock
        self._events = events
        self.carrying = carrying(Outlook(self._done, self._came_back, heard))
        self._lanes: dict[str, _Lane] = {}
        self._taken: set[OutboundId] = set()
        self._has_passed_over = False
        self._is_crowded = False
        self._is_stopping = False
        self._wake = asyncio.Event()
        self._looks_again = _AT_LAST
        self._deference = Deference()
        self._is_wanted = False
        self._lookups: set[asyncio.Task[None]] = set()
        self._looking_up = asyncio.Semaphore(_LOOKED_UP_AT_ONCE)
        self._wall_ahead = self._ahead()

    async def run(self) -> None:
        """Take and hand on what is due until stopped."""
        listening = (
            self._store.listen(DEPARTURES, self._rung),
            self._store.listen(RETRIES, self._retried),
        )
        try:
            while not self._is_stopping:
                try:
                    await self.begin()
                    break
                except Unavailable as trouble:
                    self._events.warning("relay.not_begun", reason=str(trouble))
                    await self._sleep(_AFTER_TROUBLE_SECONDS)
            while not self._is_stopping:
                await self._give_way()
                try:
                    wait = await self.take_due()
                except Exception as error:  # whatever it was, mail goes on when it is over
                    self._events.fault("relay.pass", error)
                    wait = _AFTER_TROUBLE_SECONDS
                await self._sleep(wait)
        finally:
            for one in listening:
                one.close()

    def stop(self) -> None:
        """Take no more, begin no further message; what was begun goes to its end.

        What only looks for its way or waits for a connection is cut short; its leases are
        given back at the next start.
        """
        self._is_stopping = True
        self._wake.set()
        for lookup in self._lookups:
            lookup.cancel()
        self.carrying.stop()

    @property
    def is_awake(self) -> bool:
        """Whether there may be something to take already."""
        return self._wake.is_set()

    async def begin(self) -> None:
        """Make due what an earlier run had taken.  Raises StoreUnavailable."""
        released = 0
        while leased := await self._store.read(lambda tx: tx.outbound.leased(_A_PASS)):
            released += await self._store.write(_releasing(leased))
        if released:
            self._events.info("relay.leases_released", recipients=released)
        await self._recall()

    async def take_due(self) -> float:
        """One pass; for how many seconds the next one may wait.  Raises StoreUnavailable.

        Who is put off to a turn before that, then or meanwhile, wakes it.
        """
        self._wake.clear()
        self._looks_again = _AT_LAST
        wait = await self._pass()
        self._looks_again = self._clock.now() + timedelta(seconds=wait)
        return wait

    async def _pass(self) -> float:
        self._is_wanted = False
        self._deference.looking()
        ahead = self._ahead()
        if ahead < self._wall_ahead - _JUMP:
            await self._recall()
        self._wall_ahead = ahead
        most = min(_A_PASS, MOST_TAKEN - len(self._taken))
        self._is_crowded = most <= 0
        if self._is_crowded:
            self._deference.left_some()
            return _LONGEST_SLEEP_SECONDS
        now, rooms = self._clock.now(), self._rooms()
        due = await self._store.read(lambda tx: tx.outbound.due(now, most, rooms))
        self._note_more(due, rooms, is_all=len(due) < most)
        # Held and released meanwhile: what is being tried has given up its lease in the store.
        free = [one for one in due if one.outbound not in self._taken]
        self._has_passed_over = len(free) < len(due)
        if free:
            await self._take_or_pass_over(free)
        if len(due) >= most:
            self._deference.left_some()
            if free:
                return 0.0
        turn = await self._store.read(lambda tx: tx.outbound.next_turn(now))
        if turn is None:
            return _LONGEST_SLEEP_SECONDS
        # Whole seconds are kept, so a turn comes with the second that follows.
        seconds = (turn - self._clock.now()).total_seconds()
        return min(max(seconds, 0.0) + 0.01, _LONGEST_SLEEP_SECONDS)

    # ------------------------------------------------------------ inside

    def _rung(self, _: ModSeq) -> None:
        self._deference.came(self._clock.monotonic())
        self._wake.set()

    def _retried(self, _: ModSeq) -> None:
        self._destinations.open_all()
        self._want()

    def _want(self) -> None:
        """Take what is due at once: somebody asks for it, or there is room for what is left."""
        self._is_wanted = True
        self._wake.set()

    async def _give_way(self) -> None:
        """Wait while more mail keeps coming."""
        while not self._is_stopping and not self._is_wanted:
            seconds = self._deference.wait(self._clock.monotonic())
            if not seconds:
                return
            self._wake.clear()
            await self._sleep(seconds)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _ahead(self) -> timedelta:
        """How far the wall clock is ahead of the monotonic one; falls when it is set back."""
        since = self._clock.now() - datetime.fromtimestamp(0, UTC)
        return since - timedelta(seconds=self._clock.monotonic())

    async def _recall(self) -> None:
        now = self._clock.now()
        while await self._store.write(lambda tx: tx.outbound.recall(now, now + _RECALLED_AFTER)):
            pass  # a write lets others in

    def _rooms(self) -> Rooms:
        """What each lane may get; one that has much in our hands gets nothing for now."""
        rooms = {}
        for name, lane in self._lanes.items():
            most = self._most(lane)
            if lane.messages * 2 > most:
                rooms[name], lane.has_more = 0, True
            else:
                rooms[name] = most - lane.messages
        return Rooms(_LANE_ROOM[0], rooms)

    def _note_more(self, due: Sequence[Due], rooms: Rooms, *, is_all: bool) -> None:
        """Remember of which lanes there may be more; is_all: of no lane was any cut off.

        Recipients are counted, though many of one message may have taken the room of one: that
        looks once too often at times, and leaves none behind.
        """
        found = Counter(one.lane for one in due)
        if is_all:
            for name, room in rooms.lanes.items():
                if room and name in self._lanes:
                    self._lanes[name].has_more = False
        for name, count in found.items():
            self._lanes.setdefault(name, _Lane()).has_more = count >= rooms.of(name)

    def _most(self, lane: _Lane) -> int:
        each, most = _LANE_ROOM
        return min(most, each * self.carrying.limit_of(lane.key))

    async def _take_or_pass_over(self, some: Sequence[Due]) -> None:
        """Take these; one that cannot even be read keeps no other from being taken."""
        try:
            await self._take([one.outbound for one in some])
        except Unavailable:
            raise
        except Exception as error:  # a bug that one row brings about is not to stop all mail
            if len(some) == 1:
                self._events.fault("relay.take", error, outbound=some[0].outbound)
                await self._settling.stumbled({some[0].outbound: some[0].departure})
                return
            half = len(some) // 2
            for part in (some[:half], some[half:]):
                await self._take_or_pass_over(part)

    async def _take(self, ids: Sequence[OutboundId]) -> None:
        """Lease these and look up where they go, each lane by itself."""

        def work(tx: WriteTx) -> list[Load]:
            jobs = tx.outbound.lease(ids)
            departures = tx.outbound.departures(list({job.departure for job in jobs}))
            return loads_of(jobs, departures)

        by_lane: dict[str, list[Load]] = {}
        for load in await self._store.write(work):
            self._taken.update(load.taken)
            self._lanes.setdefault(load.lane, _Lane()).messages += 1
            by_lane.setdefault(load.lane, []).append(load)
        for loads in by_lane.values():
            lookup = self._tasks.spawn("relay lookup", self._hand_on(loads))
            self._lookups.add(lookup)
            lookup.add_done_callback(self._lookups.discard)

    async def _hand_on(self, loads: Sequence[Load]) -> None:
        """Find the next hop of loads of one lane and give them to their destination."""
        found: dict[Wishes, NextHop | NoHop] = {}
        for load in loads:
            is_given = False
            try:
                hop = found.get(load.wishes)
                if hop is None and not self._is_stopping:
                    async with self._looking_up:
                        hop = await self._hops.find(load.domain, load.wishes)
                    found[load.wishes] = hop
                if hop is None or self._is_stopping:
                    await self._settling.put_back(load.jobs, timedelta())
                elif isinstance(hop, NoHop):
                    await self._lead_nowhere(load, hop)
                else:
                    self._lanes[load.lane].key = hop.key
                    is_given = True
                    self.carrying.give(load, hop)
            except Exception as error:  # a bug must cost neither the mail nor its lane
                self._events.fault("relay.lookup", error, lane=load.lane)
                await self._settling.gone_wrong(load.jobs, error)
            finally:
                if not is_given:
                    self._done(load)

    async def _lead_nowhere(self, load: Load, hop: NoHop) -> None:
        is_final = hop.reply.code >= 500
        attempt = Attempt(
            at=self._clock.now(),
            finding=Finding.REFUSED if is_final else Finding.DEFERRED,
            phase=Phase.LOOKUP,
            reply=hop.reply,
            is_theirs=False,
        )
        await self._settling.settle([Tried(load.departure, [(job, attempt) for job in load.jobs])])

    def _done(self, load: Load) -> None:
        """A load is out of our hands."""
        for part in load.parts:
            self._done(part)
        self._taken.difference_update(load.taken)
        soonest = self._settling.take_soonest()
        if soonest is not None and soonest < self._looks_again:
            # It was put off to a turn before the one that is slept until.
            self._wake.set()
        lane = self._lanes[load.lane]
        lane.messages -= 1
        if lane.has_more and lane.messages * 2 <= self._most(lane):
            self._want()
        if self._has_passed_over or (self._is_crowded and len(self._taken) * 2 <= MOST_TAKEN):
            self._want()
        if not lane.messages:
            del self._lanes[load.lane]

    def _came_back(self, lane: str) -> None:
        """What was put off in a lane while its destination was dead is due now."""
        self._tasks.spawn("relay revive", self._revive(lane))

    async def _revive(self, lane: str) -> None:
        now = self._clock.now()
        while await self._store.write(lambda tx: tx.outbound.revive(lane, now)):
            self._want()


def _releasing(leased: Sequence[OutboundId]) -> Callable[[WriteTx], int]:
    return lambda tx: tx.outbound.release_leases(leased)
