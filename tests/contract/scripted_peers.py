"""Other servers, played in memory: what each says is a table, what they got is a list."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from mailbox_server.delivery.bounces.happening import Happening
from mailbox_server.delivery.bounces.original import Original
from mailbox_server.model.address import Address, AddressLiteral, Domain, parse_ip
from mailbox_server.model.envelope import Recipient
from mailbox_server.model.ids import OutboundId
from mailbox_server.model.next_hop import Host, NextHop, NoHop
from mailbox_server.model.outbound import Attempt, Finding, NewOutbound, Outbound, Phase
from mailbox_server.model.ports import Silence, SystemEntropy
from mailbox_server.model.reply import Reply
from mailbox_server.model.tls_demand import TlsDemand, TlsLevel, TlsPolicy
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.client.mail import Mail, MailContent
from mailbox_server.relay.client.opening import Opening
from mailbox_server.relay.client.outcomes import Outcome
from mailbox_server.relay.destinations import Destinations
from mailbox_server.relay.next_hops import Wishes
from mailbox_server.relay.queue.carrying import Carrying, CarryingRules, Outlook
from mailbox_server.relay.queue.scheduler import Scheduler
from mailbox_server.relay.queue.settling import Settling
from mailbox_server.relay.schedule import ScheduleRules
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import StagedContent, WriteTx
from tests.contract.conftest import TurnedClock
from tests.contract.outgoing import CONTENT, DEPARTURE, attempt

_IP = parse_ip("192.0.2.1")
assert _IP is not None
IP = _IP
Record = Callable[[Sequence[Outcome]], Awaitable[None]]


@dataclass
class World:
    """All other servers.

    dead: domains that cannot be reached.  says: code by address, else 250.
    enhanced: the code of what is refused.  required: of each message, whether under REQUIRETLS.
    limit: transactions after which a server breaks off without an answer.
    key: where all mail goes, if it has one way.  gate: servers answer once it is open.
    openings, got: what happened; got holds (address, message id of the departure).
    step: called before each step, with its name; may raise.
    """

    clock: TurnedClock
    dead: set[str] = field(default_factory=set)
    says: dict[str, int] = field(default_factory=dict)
    enhanced: str = ""
    limit: int = 1_000
    openings: Counter[str] = field(default_factory=Counter)
    got: list[tuple[str, str]] = field(default_factory=list)
    required: list[bool] = field(default_factory=list)
    transactions: list[tuple[str, int]] = field(default_factory=list)
    nowhere: dict[str, Reply] = field(default_factory=dict)
    step: Callable[[str], None] = lambda name: None
    key: str | None = None
    gate: asyncio.Event | None = None
    at_once: int = 0
    most_at_once: int = 0

    async def find(self, domain: Domain | AddressLiteral, wishes: Wishes) -> NextHop | NoHop:
        self.step("find")
        name = domain.ascii
        if name in self.nowhere:
            return NoHop(name, self.nowhere[name])
        name = self.key or name
        demand = TlsDemand(TlsLevel.OPPORTUNISTIC, TlsPolicy.NO_POLICY, name)
        return NextHop(name, (Host(f"mx.{name}", 25, (IP,), demand),))

    async def open(self, hosts: Sequence[Host]) -> Opening:
        self.step("open")
        name = hosts[0].name.removeprefix("mx.")
        self.openings[name] += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)
        if name in self.dead:
            self.at_once -= 1
            reply = Reply(421, "4.4.1", ("no answer",))
            trouble = Attempt(
                self.clock.now(), Finding.DEFERRED, Phase.CONNECT, reply, is_theirs=False
            )
            return Opening(None, trouble, ())
        return Opening(Line(self, hosts[0]), None, ())  # type: ignore[arg-type]


class Line:
    """One connection."""

    def __init__(self, world: World, host: Host) -> None:
        self.host = host
        self.is_usable = True
        self._world = world
        self._count = 0

    async def send(
        self, mail: Mail, recipients: Sequence[Recipient], content: MailContent, record: Record
    ) -> tuple[int, ...]:
        world = self._world
        world.step("send")
        self._count += 1
        if self._count > world.limit:
            self.is_usable = False
            return tuple(range(len(recipients)))
        if world.gate is not None:
            await world.gate.wait()
        octets = await content.read(0, mail.size)
        assert octets == DEPARTURE.trace + CONTENT
        world.required.append(mail.require_tls)
        world.transactions.append((self.host.name, len(recipients)))
        outcomes = []
        for position, one in enumerate(recipients):
            code = world.says.get(str(one.address), 250)
            made = attempt(world.clock.now(), code, host=self.host.name)
            if code != 250 and world.enhanced:
                made = replace(made, reply=Reply(code, world.enhanced, ("no",)))
            if code == 250:
                world.got.append((str(one.address), str(mail.envelope_id)))
                made = replace(made, phase=Phase.END)
            if code == 421:
                self.is_usable = False
            outcomes.append(Outcome(position, one, made))
        world.step("taken")
        await record(outcomes)
        world.step("recorded")
        return ()

    async def quit(self) -> None:
        self.is_usable = False
        self._world.at_once -= 1

    def abort(self) -> None:
        self.is_usable = False


class Told:
    """Reports that are only remembered: (action, address) of each that was written.

    trouble: raised where one is prepared.  bug: where one is written.
    reports: of how many recipients each tells.
    """

    def __init__(self) -> None:
        self.written: list[tuple[str, str]] = []
        self.reports: list[int] = []
        self.trouble: Exception | None = None
        self.bug: Exception | None = None

    async def prepare(self, original: Original, happenings: Sequence[Happening]) -> "Staged":
        if self.trouble is not None:
            raise self.trouble
        return Staged(self, [(one.action.value, str(one.address)) for one in happenings])


@dataclass
class Staged:
    told: Told
    happenings: list[tuple[str, str]]
    contents: tuple[StagedContent, ...] = ()

    def write(self, tx: WriteTx) -> None:
        if self.told.bug is not None:
            raise self.told.bug
        self.told.written += self.happenings
        self.told.reports.append(len(self.happenings))

    def discard(self) -> None:
        pass


class House:
    """A scheduler over a store and the world."""

    def __init__(
        self, store: SqliteStore, world: World, told: Told, rules: ScheduleRules | None = None
    ) -> None:
        self.faults: list[BaseException] = []
        self.warnings: list[tuple[str, dict[str, object]]] = []
        self.store, self.world, self.told, clock = store, world, told, world.clock
        self.tasks = TaskKeeper(lambda name, error: self.faults.append(error))
        self.waited: list[float] = []
        self.destinations = Destinations(clock, 20)
        events = Faults(self.faults, self.warnings)
        settling = Settling(
            store=store,
            reports=told,
            rules=rules or ScheduleRules(),
            clock=clock,
            entropy=SystemEntropy(),
            events=events,
            tasks=self.tasks,
            sleep=self._wait,
        )

        def carrying(outlook: Outlook) -> Carrying:
            return Carrying(
                store=store,
                client=world,
                settling=settling,
                destinations=self.destinations,
                outlook=outlook,
                rules=CarryingRules(connections=100, idle_seconds=0.0),
                tasks=self.tasks,
                clock=clock,
                events=events,
            )

        self.scheduler = Scheduler(
            store=store,
            hops=world,
            settling=settling,
            destinations=self.destinations,
            tasks=self.tasks,
            clock=clock,
            events=events,
            carrying=carrying,
            heard=lambda hop, opening: None,
        )

    async def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        await asyncio.sleep(0)

    async def send(self, *addresses: str, **changed: Any) -> list[OutboundId]:
        """Put one message into the queue."""
        return (await self.send_each([addresses], **changed))[0]

    async def send_each(
        self, messages: Sequence[Sequence[str]], **changed: Any
    ) -> list[list[OutboundId]]:
        """Put a message for each of these into the queue, in one write."""
        staging = self.store.stage()
        staging.feed(CONTENT)
        staged = await staging.finish()
        departure = replace(DEPARTURE, arrived=self.world.clock.now(), **changed)

        def work(tx: WriteTx) -> list[list[OutboundId]]:
            content = tx.contents.keep(staged)
            return [
                tx.outbound.add(
                    replace(departure, content=content), [new(address) for address in addresses]
                )
                for addresses in messages
            ]

        return await self.store.write(work, [staged])

    async def settle(self) -> int:
        """Passes until nothing more is due; how many it took."""
        passes = 0
        while True:
            passes += 1
            assert passes < 500
            wait = await self.scheduler.take_due()
            assert await self.tasks.rest(20)
            if wait > 0 and not self.scheduler.is_awake:
                return passes

    async def find(self, number: OutboundId) -> Outbound:
        found = await self.store.read(lambda tx: tx.outbound.find(number))
        assert found is not None
        return found

    async def next_turn(self) -> bool:
        """Turn the clock to when something is due next; False where nothing is."""
        clock = self.world.clock
        turn = await self.store.read(lambda tx: tx.outbound.next_turn(clock.now()))
        if turn is None:
            return False
        clock.at = max(clock.at, turn) + timedelta(seconds=1)
        return True


def new(address: str) -> NewOutbound:
    """A recipient without wishes."""
    return NewOutbound(Address.parse(address))


class Faults(Silence):
    """Keeps the faults and warnings that are told."""

    def __init__(
        self, faults: list[BaseException], warnings: list[tuple[str, dict[str, object]]]
    ) -> None:
        self._faults, self._warnings = faults, warnings

    def warning(self, event: str, /, **fields: object) -> None:
        self._warnings.append((event, fields))

    def fault(self, event: str, error: BaseException, /, **fields: object) -> None:
        self._faults.append(error)
