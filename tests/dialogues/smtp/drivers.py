"""Drivers of SMTP and LMTP dialogues: one wire in memory, one server behind real sockets.

Submission is driven by the same two over a house of its own (dialogues/submission/house.py).

Statements that a script can make:

    given account ann@example.org [with quota 1000] [holding 900]
    given alias info@example.org for ann@example.org, bob@example.org
    given domain example.net [with catch-all ann@example.org]
    given limit recipients 2            any number of smtp.limits.SmtpLimits
    given the disk is low               given no certificate
    given the store fails               given TLS from the start
"""

import asyncio
import re
import ssl
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Protocol

import pytest
import trustme

from mailbox_server.model.envelope import Peer, TlsState
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ports import Entropy
from mailbox_server.model.reply import Reply
from mailbox_server.net.admission import AdmissionLimits, Admissions
from mailbox_server.net.listeners import Listener, TcpAddress, open_listener
from mailbox_server.net.reception import Reception, ReceptionPlan
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.smtp import replies
from mailbox_server.smtp.conversation import Came, Conversation
from mailbox_server.smtp.dialects import Dialect
from mailbox_server.smtp.engine import Engine
from mailbox_server.smtp.limits import SmtpLimits, SmtpTimeouts
from mailbox_server.smtp.places import Logins, Place
from mailbox_server.smtp.policy import Policy
from mailbox_server.smtp.server import SmtpService
from mailbox_server.smtp.session import Session
from tests.dialogues.player.certificates import trusting_context
from tests.dialogues.player.driver import Ending, StatementUnknown
from tests.dialogues.player.sockets import SocketClients
from tests.unit.delivery.house import HOSTNAME, PEER, HandClock, House, KeptEvents

TLS = TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)


class HouseToTalkTo(Protocol):
    """A house to talk to, as far as the drivers know one."""

    clock: HandClock
    entropy: Entropy
    events: KeptEvents
    tasks: TaskKeeper
    task_faults: list[tuple[str, BaseException]]

    @property
    def policy(self) -> Policy: ...

    @property
    def logins(self) -> Logins | None: ...

    async def given(self, statement: str) -> None:
        """Make it true.  Raises StatementUnknown."""

    async def close(self) -> None:
        """Leave nothing behind."""


class ReceivingHouse(House):
    """Where other servers deliver."""

    logins = None

    @property
    def policy(self) -> Policy:
        return self.receiver

    async def given(self, statement: str) -> None:
        store = self.store
        if found := re.fullmatch(
            r"account (\S+)(?: with quota (\d+))?(?: holding (\d+))?", statement
        ):
            account = store.add_account(found[1], int(found[2] or 0))
            store.used[account.id] = int(found[3] or 0)
        elif found := re.fullmatch(r"alias (\S+) for (.+)", statement):
            store.add_alias(found[1], *found[2].split(", "))
        elif found := re.fullmatch(r"domain (\S+)(?: with catch-all (\S+))?", statement):
            store.add_domain(found[1], found[2])
        elif statement == "the disk is low":
            store.low = True
        elif statement == "the store fails":
            store.failing["write"] = StoreUnavailable("the disk is on fire")
        else:
            raise StatementUnknown(statement)

    async def close(self) -> None:
        return


class Statements:
    """What both drivers make true before anybody connects."""

    def __init__(self, house: HouseToTalkTo | None) -> None:
        self.house = house or ReceivingHouse()
        self.limits = SmtpLimits(error_seconds=0.0)
        self.has_certificate = True
        self.starts_with_tls = False

    async def given(self, statement: str) -> None:
        if found := re.fullmatch(r"limit (\w+) (\d+)", statement):
            self.limits = replace(self.limits, **{found[1]: int(found[2])})
        elif statement == "no certificate":
            self.has_certificate = False
        elif statement == "TLS from the start":
            self.starts_with_tls = True
        else:
            await self.house.given(statement)


class MemoryWire:
    """One client's end in memory; time is the house's clock."""

    def __init__(self, house: HouseToTalkTo, engine: Engine) -> None:
        self.house = house
        self.engine = engine
        self.out = bytearray()
        self.writes = 0
        self.is_ended = False
        self.is_going = False
        self.has_come = False
        self.is_resting = False
        self.handshake = asyncio.Event()
        self.moved = asyncio.Event()
        self.paused: list[float] = []
        self.is_crowded = False

    def feed(self, octets: bytes) -> None:
        self.engine.feed(octets)
        self.has_come = True
        self.moved.set()

    def now(self) -> float:
        return self.house.clock.monotonic()

    async def more(self, deadline: float, *, may_go: bool) -> Came:
        while True:
            self.moved.clear()
            if self.has_come:
                self.has_come = False
                return Came.OCTETS
            if may_go and self.is_going:
                return Came.SHUTDOWN
            if self.is_ended:
                return Came.END
            if self.now() >= deadline:
                return Came.LATE
            self.is_resting = True
            await self.moved.wait()
            self.is_resting = False

    async def send(self, octets: bytes) -> None:
        self.writes += 1
        self.out += octets

    async def secure(self) -> TlsState | None:
        self.moved.clear()
        self.is_resting = True
        await self.handshake.wait()
        self.is_resting = False
        return TLS

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)

    def progressed(self, *, in_transaction: bool) -> None:
        return

    def goodbye(self) -> Reply:
        return replies.SHUTTING_DOWN


class MemoryDriver(Statements):
    """Plays into engine and session, no socket."""

    def __init__(self, dialect: Dialect, house: HouseToTalkTo | None = None) -> None:
        super().__init__(house)
        self.dialect = dialect
        if dialect.is_submission:
            self.limits = self.limits.for_submission()
        self.wires: dict[int, MemoryWire] = {}
        self.talks: dict[int, asyncio.Task[None]] = {}

    async def connect(self, client: int) -> None:
        house = self.house
        engine = Engine(self.limits)
        wire = MemoryWire(house, engine)
        place = Place(
            self.dialect,
            HOSTNAME,
            self.limits,
            Peer(PEER, 40_000 + client, f"c{client}"),
            ip_address("127.0.0.1"),
            tls_possible=self.has_certificate,
            logins=house.logins,
        )
        session = Session(
            place,
            house.policy,
            house.clock,
            house.events,
            house.tasks,
            TLS if self.starts_with_tls else None,
        )
        talk = Conversation(engine, session, wire, SmtpTimeouts())
        self.wires[client] = wire
        self.talks[client] = house.tasks.spawn("talk", talk.run())

    async def send(self, client: int, octets: bytes) -> None:
        self.wires[client].feed(octets)
        await self._rest()

    async def receive(self, client: int, *, wait: bool) -> bytes | Ending:
        await self._rest()
        wire = self.wires[client]
        if wire.out:
            came = bytes(wire.out)
            wire.out.clear()
            return came
        return Ending.CLOSED if self.talks[client].done() else Ending.SILENT

    async def start_tls(self, client: int) -> None:
        self.wires[client].handshake.set()
        self.wires[client].moved.set()
        await self._rest()

    async def hang_up(self, client: int) -> None:
        self.wires[client].is_ended = True
        self.wires[client].moved.set()
        await self._rest()

    async def advance(self, span: timedelta) -> None:
        await self._rest()
        self.house.clock.seconds += span.total_seconds()
        for wire in self.wires.values():
            wire.moved.set()
        await self._rest()

    async def _rest(self) -> None:
        for client, wire in self.wires.items():
            talk = self.talks[client]
            # The talk itself rests, no event of ours.
            while not talk.done() and (not wire.is_resting or wire.moved.is_set()):  # noqa: ASYNC110
                await asyncio.sleep(0)

    async def close(self) -> None:
        assert not self.house.task_faults
        for talk in self.talks.values():
            talk.cancel()
        await self.house.tasks.drain(5)
        await self.house.close()


class SocketDriver(Statements):
    """Plays to a server on loopback; scripts that turn the clock are left to memory."""

    def __init__(self, dialect: Dialect, house: HouseToTalkTo | None = None) -> None:
        super().__init__(house)
        self.dialect = dialect
        if dialect.is_submission:
            self.limits = self.limits.for_submission()
        authority = trustme.CA()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self.context)
        self.trusting = trusting_context(authority)
        self.clients: SocketClients | None = None
        self.reception: Reception | None = None
        self.service: SmtpService | None = None

    async def _serve(self) -> SocketClients:
        house = self.house
        self.service = SmtpService(
            dialect=self.dialect,
            hostname=HOSTNAME,
            limits=self.limits,
            timeouts=SmtpTimeouts(close=0.5),
            tls=lambda: self.context if self.has_certificate else None,
            policy=house.policy,
            clock=house.clock,
            entropy=house.entropy,
            events=house.events,
            tasks=house.tasks,
            logins=house.logins,
        )
        listener = open_listener(TcpAddress("127.0.0.1", 0))
        assert isinstance(listener, Listener)
        self.reception = Reception(
            listener,
            self.service.build,
            Admissions(AdmissionLimits(), house.clock),
            house.tasks,
            ReceptionPlan(self.context if self.starts_with_tls else None),
        )
        self.reception.start()
        port = listener.sockets[0].getsockname()[1]
        self.clients = SocketClients("127.0.0.1", port, tls=self.trusting)
        return self.clients

    async def connect(self, client: int) -> None:
        clients = self.clients or await self._serve()
        await clients.connect(client)
        if self.starts_with_tls:
            await clients.start_tls(client)

    async def send(self, client: int, octets: bytes) -> None:
        assert self.clients is not None
        await self.clients.send(client, octets)

    async def receive(self, client: int, *, wait: bool) -> bytes | Ending:
        assert self.clients is not None
        return await self.clients.receive(client, wait=wait)

    async def start_tls(self, client: int) -> None:
        assert self.clients is not None
        await self.clients.start_tls(client)

    async def hang_up(self, client: int) -> None:
        assert self.clients is not None
        await self.clients.hang_up(client)

    async def advance(self, span: timedelta) -> None:
        pytest.skip("the clock of a real loop is not turned by hand")

    async def close(self) -> None:
        if self.reception is not None:
            self.reception.stop_accepting()
        if self.clients is not None:
            await self.clients.close()
        await self.house.tasks.drain(5)
        await self.house.close()
        assert not self.house.task_faults
