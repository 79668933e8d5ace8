"""Carry loads to their destinations: how many connections at once, what goes over each.

A load waits in the line of its destination until a connection takes it.  A connection takes
one load after the other; between two it waits a moment, because opening one costs more than
most messages.  What is known of destinations decides how many there are (relay.destinations).

Connections are few, and slow servers hold them long: those not proven get at most half of
all, so that mail for the others always goes on.  Where there are too few for all, one that
waits for more is ended for who needs one, and so is one of a destination that has more than
who needs one, after the message it carries.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from typing import Any, Final, Protocol

from mailbox_server.model.envelope import Recipient
from mailbox_server.model.next_hop import Host, NextHop
from mailbox_server.model.outbound import Attempt, Finding, Phase
from mailbox_server.model.ports import Clock, Events
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.client.mail import Mail, MailContent
from mailbox_server.relay.client.opening import Opening
from mailbox_server.relay.client.outcomes import Outcome
from mailbox_server.relay.destinations import Destination, Destinations
from mailbox_server.relay.queue.decision import Proxy
from mailbox_server.relay.queue.departing import DepartingContent, SmallContents
from mailbox_server.relay.queue.loads import Load
from mailbox_server.relay.queue.settling import Settling, Tried
from mailbox_server.store.ports import Store

_CLOSING: Final = 421
_CONSIDERED_AT_ONCE: Final = 50
_LOOKED_AT: Final = 100
_SETTLED_AT_ONCE: Final = 50
"""Loads whose shared attempts go into one write."""


class Connection(Protocol):
    """A server that waits for mail (relay.client.connection.Connection)."""

    host: Host

    @property
    def is_usable(self) -> bool:
        """Whether another message may go over it."""

    async def send(
        self,
        mail: Mail,
        recipients: Sequence[Recipient],
        content: MailContent,
        record: Callable[[Sequence[Outcome]], Awaitable[None]],
    ) -> tuple[int, ...]:
        """Send one message; the positions of those who may be tried at once elsewhere."""

    async def quit(self) -> None:
        """Take leave."""

    def abort(self) -> None:
        """End it at once."""


class Opens(Protocol):
    """Who opens connections (relay.client.opening.Client)."""

    async def open(self, hosts: Sequence[Host]) -> Opening:
        """Try hosts in order; never raises but when cancelled."""


@dataclass(frozen=True, slots=True)
class CarryingRules:
    """What an operator may set, and how long a connection waits for more mail."""

    connections: int = 100
    idle_seconds: float = 2.0


@dataclass(slots=True)
class _Line:
    """What waits for one destination.

    loads: with the hosts each may go to.  idle: connections that wait for more, the one that
        has waited longest first; done where it has been called and did not look yet.
    has_called: whether one of another line was called to make room, which has not come yet; as
        many follow as are needed, one after the other.
    """

    key: str
    destination: Destination
    loads: deque[tuple[Load, NextHop]] = field(default_factory=deque)
    idle: "deque[asyncio.Future[None]]" = field(default_factory=deque)
    has_called: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whom carrying tells.

    done: a load has left, whatever became of its recipients.  came_back: a lane's destination
    was dead and can be reached again.  heard: how an opening went, for what is known of hosts
    and for reports about TLS.
    """

    done: Callable[[Load], None]
    came_back: Callable[[str], None]
    heard: Callable[[NextHop, Opening], None]


class Carrying:
    """Lines of loads by destination, and the tasks that work on them."""

    def __init__(
        self,
        *,
        store: Store,
        client: Opens,
        settling: Settling,
        destinations: Destinations,
        outlook: Outlook,
        rules: CarryingRules,
        tasks: TaskKeeper,
        clock: Clock,
        events: Events,
    ) -> None:
        self._store = store
        self._small = SmallContents(store, tasks)
        self._client = client
        self._settling = settling
        self._destinations = destinations
        self._outlook = outlook
        self._tasks = tasks
        self._clock = clock
        self._events = events
        self._lines: dict[str, _Line] = {}
        self._starved: OrderedDict[str, _Line] = OrderedDict()
        self._resting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._opening: set[asyncio.Task[Any]] = set()
        self._connections = 0
        self._unproven = 0
        self._is_stopping = False
        self.rules = rules

    def give(self, load: Load, hop: NextHop) -> None:
        """Have a load carried; outlook.done tells when that has ended."""
        line = self._lines.get(hop.key)
        if line is None:
            line = self._lines[hop.key] = _Line(hop.key, self._destinations.of(hop.key))
        line.loads.append((load, hop))
        _call(line.idle)
        self._consider(line)

    def limit_of(self, key: str) -> int:
        """How many connections a destination may have now."""
        line = self._lines.get(key)
        return 1 if line is None else line.destination.limit

    def stop(self) -> None:
        """Begin no further message; what is being sent goes to its end."""
        self._is_stopping = True
        for task in self._opening:
            task.cancel()
        for resting in tuple(self._resting):
            _call((resting,))
        for line in self._lines.values():
            self._put_all_back(line)

    # ------------------------------------------------------------ inside

    def _consider(self, line: _Line) -> None:
        """Begin connections for a line as far as limits allow."""
        destination = line.destination
        if line.loads and not destination.connections and self._destinations.is_shut(destination):
            self._put_off_all(line)
        while (
            len(line.loads) > len(line.idle)
            and not self._is_stopping
            and self._destinations.room(destination) > 0
        ):
            if self._is_full or not self._may_be_tried(destination):
                self._starved[line.key] = line
                if self._is_full and self._may_be_tried(destination) and not line.has_called:
                    line.has_called = True
                    _call(self._resting)
                return
            self._begin(line)
        if not line.loads and not destination.connections:
            self._lines.pop(line.key, None)

    @property
    def _is_full(self) -> bool:
        return self._connections >= self.rules.connections

    def _may_be_tried(self, destination: Destination) -> bool:
        return destination.is_proven or self._unproven * 2 < self.rules.connections

    def _must_yield(self, line: _Line) -> bool:
        """Whether a connection is more needed by others, who have fewer."""
        if not self._starved or not self._is_full:
            return False
        others = [
            each.destination.connections
            for each in self._next_starved()
            if self._may_be_tried(each.destination)
        ]
        if not others:
            return False
        return not line.loads or min(others) + 1 < line.destination.connections

    def _next_starved(self) -> Iterable[_Line]:
        """Lines that a free place may be for."""
        return islice(self._starved.values(), _CONSIDERED_AT_ONCE)

    def _place_is_free(self) -> None:
        """Consider lines that only waited for others, first those that have fewest."""
        for line in sorted(self._next_starved(), key=_connections):
            if self._is_full:
                return
            # Considering one may have found another one's wait to be over.
            if self._starved.pop(line.key, None) is not None:
                line.has_called = False
                self._consider(line)

    def _begin(self, line: _Line) -> None:
        destination = line.destination
        load, hop = self._next(line)
        line.has_called = False
        destination.connections += 1
        self._connections += 1
        counts_unproven = not destination.is_proven
        self._unproven += counts_unproven
        work = self._work(line, load, hop, _Place(counts_unproven))
        self._tasks.spawn("relay", work)

    async def _work(self, line: _Line, load: Load, hop: NextHop, place: "_Place") -> None:
        connection: Connection | None = None
        following: tuple[Load, NextHop] | None = (load, hop)
        try:
            while following is not None:
                load, hop = following
                connection = await self._carry(line, load, hop, connection, place)
                if connection is None and not self._may_go_on(line.destination):
                    break
                following = await self._following(line, connection)
        finally:
            line.destination.connections -= 1
            self._connections -= 1
            self._unproven -= place.counts_unproven
            place.counts_unproven = False
            self._place_is_free()
            self._consider(line)
        if connection is not None:
            await connection.quit()

    def _may_go_on(self, destination: Destination) -> bool:
        """Whether a task without a connection may open another one."""
        return not (
            self._destinations.is_shut(destination) or self._destinations.room(destination) < 0
        )

    async def _following(
        self, line: _Line, connection: Connection | None
    ) -> tuple[Load, NextHop] | None:
        """The next load in the line; with a connection that can be used, a moment later too."""
        if self._is_stopping or self._must_yield(line):
            return None
        if not line.loads and connection is not None and connection.is_usable:
            await self._rest(line)
        return self._next(line) if line.loads and not self._is_stopping else None

    async def _rest(self, line: _Line) -> None:
        """Wait for more mail, or for others who need the place more."""
        loop = asyncio.get_running_loop()
        called: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(self.rules.idle_seconds, _call, (called,))
        line.idle.append(called)
        self._resting[called] = None
        try:
            await called
        finally:
            timer.cancel()
            del self._resting[called]
            line.idle.remove(called)

    def _next(self, line: _Line) -> tuple[Load, NextHop]:
        """The first load, with those behind it that are of the same message.

        A smart host is the destination of many domains.
        """
        load, hop = line.loads.popleft()
        for _ in range(min(len(line.loads), _LOOKED_AT)):
            other, its_hop = line.loads[0]
            if its_hop.hosts != hop.hosts or not load.joins(other):
                break
            line.loads.popleft()
        return load, hop

    async def _carry(
        self,
        line: _Line,
        load: Load,
        hop: NextHop,
        connection: Connection | None,
        place: "_Place",
    ) -> Connection | None:
        """Carry one load; the connection that can be used for the next, if there is one."""
        is_given_back = False
        try:
            while load.jobs and not is_given_back:
                if connection is not None and not _suits(connection, hop):
                    await connection.quit()
                    connection = None
                if connection is not None:
                    await self._send(line, load, connection)
                elif self._destinations.is_shut(line.destination):
                    is_given_back = True
                    await self._put_off(line.destination, [load])
                else:
                    connection, is_given_back = await self._open(line, load, hop, place)
            return connection
        except Exception as error:  # a bug must cost neither the mail nor its lane
            self._events.fault("relay.fault", error, lane=load.lane)
            if connection is not None:
                connection.abort()
            await self._settling.gone_wrong(load.jobs, error)
            return None
        finally:
            if not is_given_back:
                self._outlook.done(load)

    async def _open(
        self, line: _Line, load: Load, hop: NextHop, place: "_Place"
    ) -> tuple[Connection | None, bool]:
        """A connection; or none, and whether the load was given back to its line."""
        destination = line.destination
        opening = await self._opened(hop)
        self._outlook.heard(hop, opening)
        if opening.connection is not None:
            self._destinations.reached(destination)
            if place.counts_unproven:
                place.counts_unproven = False
                self._unproven -= 1
                self._place_is_free()
            self._consider(line)
            return opening.connection, False
        trouble = opening.trouble
        assert trouble is not None
        # What only this message asks for says nothing about others.
        is_common = trouble.finding is Finding.DEFERRED and not load.wishes.require_tls
        if is_common and destination.connections > 1:
            # It has as many as it wants; the others carry this as well.
            self._destinations.stumbled(destination)
            line.loads.appendleft((load, hop))
            return None, True
        if is_common:
            self._destinations.failed(destination, trouble)
        else:
            self._destinations.stumbled(destination)
        await self._settle([load], trouble)
        if is_common:
            await self._share(line, trouble)
        return None, False

    async def _opened(self, hop: NextHop) -> Opening:
        """Opening a connection may take minutes; a stop cuts it short."""
        task = asyncio.current_task()
        assert task is not None
        self._opening.add(task)
        try:
            return await self._client.open(hop.hosts)
        finally:
            self._opening.discard(task)

    async def _share(self, line: _Line, trouble: Attempt) -> None:
        """All that waits has met the same trouble."""
        while line.loads:
            some = [line.loads.popleft()[0] for _ in range(min(len(line.loads), _SETTLED_AT_ONCE))]
            shared = replace(trouble, at=self._clock.now(), is_shared=True, seconds=0.0)
            try:
                await self._settle(some, shared)
            finally:
                for load in some:
                    self._outlook.done(load)

    async def _settle(
        self, loads: Sequence[Load], attempt: Attempt, proxy: Proxy | None = None
    ) -> None:
        """Record one attempt for all recipients of each load."""
        await self._settling.settle(
            [Tried(load.departure, [(job, attempt) for job in load.jobs], proxy) for load in loads]
        )
        for load in loads:
            load.jobs.clear()

    async def _send(self, line: _Line, load: Load, connection: Connection) -> None:
        """Send it to the recipients that are left; those who are to be tried again stay."""
        jobs = list(load.jobs)

        async def record(outcomes: Sequence[Outcome]) -> None:
            attempts = [(jobs[one.position], one.attempt) for one in outcomes]
            self._learn(line, load.lane, [attempt for _, attempt in attempts])
            await self._settling.settle([Tried(load.departure, attempts)])
            settled = {job.id for job, _ in attempts}
            load.jobs = [job for job in load.jobs if job.id not in settled]

        await connection.send(
            Mail.of(load.departure, load.return_path, require_tls=load.wishes.require_tls),
            load.recipients(),
            DepartingContent(self._store, self._small, load.departure),
            record,
        )

    def _learn(self, line: _Line, lane: str, attempts: Sequence[Attempt]) -> None:
        """What the outcomes of one transaction say about the destination."""
        destination = line.destination
        closing = [one for one in attempts if one.is_theirs and one.reply.code == _CLOSING]
        if closing:
            self._destinations.wants_rest(destination, closing[0])
        elif any(_is_load_trouble(one) for one in attempts):
            self._destinations.stumbled(destination)
        elif self._destinations.spoke(destination):
            self._outlook.came_back(lane)
        if any(one.finding is Finding.DELIVERED for one in attempts):
            self._destinations.took(destination)

    def _put_off_all(self, line: _Line) -> None:
        """The destination is shut: what waits for it waits elsewhere."""
        destination = line.destination
        waiting = [load for load, _ in line.loads]
        line.loads.clear()
        self._tasks.spawn("relay put off", self._put_off(destination, waiting))

    async def _put_off(self, destination: Destination, loads: Sequence[Load]) -> None:
        """Share the trouble that shut it; where it only wants rest, wait until that is over.

        What would be given up by that may be tried once more instead (decision).
        """
        now, trouble = self._clock.now(), destination.trouble
        wait = timedelta(seconds=1 + self._destinations.shut_seconds(destination))
        try:
            if trouble is None:
                await self._settling.put_back([job for load in loads for job in load.jobs], wait)
            else:
                shared = replace(trouble, at=now, is_shared=True, seconds=0.0)
                await self._settle(loads, shared, Proxy(trouble.at, now + wait))
        finally:
            for load in loads:
                self._outlook.done(load)

    def _put_all_back(self, line: _Line) -> None:
        waiting = [load for load, _ in line.loads]
        line.loads.clear()
        if waiting:
            self._tasks.spawn("relay put back", self._put_back_now(waiting))

    async def _put_back_now(self, loads: Sequence[Load]) -> None:
        await self._settling.put_back([job for load in loads for job in load.jobs], timedelta())
        for load in loads:
            self._outlook.done(load)


@dataclass(slots=True)
class _Place:
    """The place that one task takes among all connections."""

    counts_unproven: bool


def _connections(line: _Line) -> int:
    return line.destination.connections


def _call(waiting: "Iterable[asyncio.Future[None]]") -> None:
    """Call the first that was not called yet, if there is one."""
    for one in waiting:
        if not one.done():
            one.set_result(None)
            return


def _suits(connection: Connection, hop: NextHop) -> bool:
    """Whether a message may go over a connection that was opened for another one."""
    mine = connection.host
    return connection.is_usable and any(
        (one.name, one.port, one.demand, one.login, one.sources)
        == (mine.name, mine.port, mine.demand, mine.login, mine.sources)
        for one in hop.hosts
    )


def _is_load_trouble(attempt: Attempt) -> bool:
    """Whether fewer connections might help: it broke off, or MAIL was put off."""
    if attempt.finding is not Finding.DEFERRED:
        return False
    return not attempt.is_theirs or attempt.phase is Phase.MAIL
