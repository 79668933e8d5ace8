"""The POP3 server under the player: session and engine in memory, or the whole on sockets."""

import ast
import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import trustme

from mailbox_server.auth.outcomes import Service, Visitor
from mailbox_server.model.account import Account, AccountState, Scope
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.mailbox import Role
from mailbox_server.model.switches import Deed, Switches, SwitchRule
from mailbox_server.net.admission import AdmissionLimits, Admissions
from mailbox_server.net.client_certificates import ClientCertificate
from mailbox_server.net.listeners import Listener, TcpAddress
from mailbox_server.net.reception import AsyncioServerEndpoint, ReceptionPlan
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.tls_ends import TlsEnds
from mailbox_server.pop3.capabilities import Tls
from mailbox_server.pop3.engine import Engine
from mailbox_server.pop3.extent import ExtentRule, Extents
from mailbox_server.pop3.locks import MaildropLocks
from mailbox_server.pop3.server import Pop3Factory
from mailbox_server.pop3.session import Pop3Services, Session
from mailbox_server.pop3.settings import (
    EightBit,
    Pop3Settings,
    Removal,
    Retrieved,
    SecondSession,
)
from tests.dialogues.player.certificates import asking_contexts
from tests.dialogues.player.driver import Ending, StatementUnknown
from tests.dialogues.player.sockets import SocketClients
from tests.unit.auth.house import House

ACCOUNT = re.compile(r"account (\w+) with INBOX of (\d+) messages?")
MESSAGE = re.compile(r'message (".*") for (\w+)')
EXPUNGED = re.compile(r"message (\d+) of (\w+) is expunged while nobody looks")


class World:
    """What scripts can take as given: accounts, messages, settings, and a broken store."""

    def __init__(self) -> None:
        self.house = House()
        self.accounts: dict[str, Account] = {}
        self.tls = Tls.AVAILABLE
        self.certificate: ClientCertificate | None = None
        self.settings = Pop3Settings(hostname="mail.example.org", plaintext_on_loopback=True)
        self.services = Pop3Services(
            self.house.store,  # type: ignore[arg-type]
            self.house.authenticator,
            MaildropLocks(),
            self.house.clock,
            self.house.events,
        )

    def make_true(self, statement: str) -> None:
        """Raises StatementUnknown."""
        if found := ACCOUNT.fullmatch(statement):
            self._account(found[1], int(found[2]))
        elif found := MESSAGE.fullmatch(statement):
            self.house.store.add_message(self.accounts[found[2]], ast.literal_eval("b" + found[1]))
        elif statement == "logins need TLS":
            self.settings = replace(self.settings, plaintext_on_loopback=False)
        elif found := re.fullmatch(r"clients show a certificate of (\w+)", statement):
            self.certificate = ClientCertificate(b"a fingerprint", (f"{found[1]}@example.org",))
        elif statement.startswith("shown "):
            rule_text = statement.removeprefix("shown ")
            extents = Extents([ExtentRule.parse(rule_text)])
            self.settings = replace(self.settings, extents=extents)
        elif found := re.fullmatch(r"(\w+) moves message (\d+) to (\w+)", statement):
            self._move(self.accounts[found[1]], int(found[2]), found[3])
        elif found := re.fullmatch(r"message (\d+) of (\w+) is (\d+) days old", statement):
            account = self.accounts[found[2]]
            uid = self.house.store.uids_in(account)[int(found[1]) - 1]
            self.house.store.age(account, uid, int(found[3]))
        elif statement == "no certificate":
            self.tls = Tls.ABSENT
        elif statement == "a second session is refused":
            self.settings = replace(self.settings, second_session=SecondSession.REFUSE)
        elif statement == "deleted messages go to Trash":
            self.settings = replace(self.settings, removal=Removal.TRASH)
        elif statement == "retrieved messages are marked seen":
            self.settings = replace(self.settings, retrieved=Retrieved.MARK_SEEN)
        elif statement == "8-bit headers need UTF8":
            self.settings = replace(self.settings, eight_bit=EightBit.REFUSE)
        elif statement == "the store cannot write":
            self.house.store.broken_writes = StoreUnavailable("full")
        elif statement == "the store has a bug in writing":
            self.house.store.broken_writes = KeyError("secret detail")
        elif found := re.fullmatch(r"(hide|show) (.+)", statement):
            rule = SwitchRule.parse(Deed[found[1].upper()], found[2])
            self.settings = replace(self.settings, switches=Switches(configured=(rule,)))
        elif found := re.fullmatch(r"account (\w+) is disabled", statement):
            self.house.store.set_state(self.accounts[found[1]], AccountState.DISABLED)
        else:
            raise StatementUnknown(statement)

    def _move(self, account: Account, number: int, name: str) -> None:
        store = self.house.store
        mailbox = store.add_mailbox(account.id, name, Role.TRASH if name == "Trash" else None)
        uid = store.uids_in(account)[number - 1]
        store.placements[mailbox.id, uid] = store.placements.pop((store.inbox(account).id, uid))

    def _account(self, name: str, messages: int) -> None:
        store, address = self.house.store, f"{name}@example.org"
        account = store.add_account(address, self.house.passwords.credentials("secret"))
        self.accounts[name] = account
        for number in range(1, messages + 1):
            octets = f"Subject: {number}\r\n\r\nbody {number}\r\nline 2\r\n".encode()
            store.add_message(account, octets, b"Received: by us\r\n")


class _MemoryClient:
    """One client's engine and session; the session's Output."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.tls = world.tls
        self.tls_ends: TlsEnds | None = None
        self.octets = bytearray()
        self.is_closed = False
        self.is_shaking = False
        self.engine = Engine(world.settings.limits.line_octets)
        local = ipaddress.ip_address("127.0.0.1")
        visitor = Visitor(local, Service.POP3, Scope.READ, "c1")
        self.session = Session(world.services, world.settings, visitor, self)
        self.session.greet()

    def write(self, octets: bytes) -> None:
        if not self.is_closed:
            self.octets += octets

    async def drained(self) -> None:
        if self.is_closed:
            raise ConnectionResetError

    def start_tls(self) -> None:
        self.is_shaking = True
        if self.engine.forget():
            self.abort()

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    async def carry_out(self) -> None:
        while not self.session.is_over and not self.is_closed:
            if self.session.awaits_response:
                event = self.engine.next_response()
            else:
                event = self.engine.next_command()
            if event is None:
                return
            await self.session.handle(event)


class MemoryDriver:
    """Commands are carried out as they are sent, so that everything always rests."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clients: dict[int, _MemoryClient] = {}

    async def given(self, statement: str) -> None:
        self._world.make_true(statement)

    async def connect(self, client: int) -> None:
        self._clients[client] = _MemoryClient(self._world)

    async def send(self, client: int, octets: bytes) -> None:
        known = self._clients[client]
        if known.is_shaking:
            # No TLS record: the handshake fails (net.twisted_transport).
            known.abort()
            return
        known.engine.receive(octets)
        await known.carry_out()

    async def receive(self, client: int, *, wait: bool) -> bytes | Ending:
        known = self._clients[client]
        if known.octets:
            came = bytes(known.octets)
            known.octets.clear()
            return came
        return Ending.CLOSED if known.is_closed else Ending.SILENT

    async def start_tls(self, client: int) -> None:
        known = self._clients[client]
        assert not known.engine.forget()
        known.is_shaking = False
        ends = TlsEnds(b"the digest of our certificate", self._world.certificate)
        known.tls, known.tls_ends = Tls.ACTIVE, ends
        known.session.secured()

    async def hang_up(self, client: int) -> None:
        self._clients[client].is_closed = True
        self._clients[client].session.ended()

    async def advance(self, span: timedelta) -> None:
        self._world.house.clock.seconds += span.total_seconds()


class SocketDriver(SocketClients):
    """The server on a loopback port; it starts with the first client."""

    def __init__(self, world: World, server: "ServedWorld", tls: ssl.SSLContext) -> None:
        super().__init__("127.0.0.1", 0, tls=tls)
        self._world = world
        self._server = server

    async def given(self, statement: str) -> None:
        self._world.make_true(statement)

    async def connect(self, client: int) -> None:
        if self._world.certificate is not None and self._server.factory is None:
            addresses = self._world.certificate.addresses
            self._server.context, self._tls = asking_contexts(trustme.CA(), addresses)
        self._port = await self._server.port()
        await super().connect(client)

    async def advance(self, span: timedelta) -> None:
        self._world.house.clock.seconds += span.total_seconds()


class ServedWorld:
    """A world behind a real listener, made when the first client comes."""

    def __init__(self, world: World, context: ssl.SSLContext) -> None:
        self._world = world
        self.context = context
        self._failed: list[BaseException] = []
        self.tasks = TaskKeeper(lambda name, error: self._failed.append(error))
        self.factory: Pop3Factory | None = None
        self.is_implicit_tls = False
        self._port = 0

    async def port(self) -> int:
        if self.factory is None:
            world = self._world
            listening = socket.create_server(("127.0.0.1", 0))
            listening.setblocking(False)
            self._port = listening.getsockname()[1]
            self.factory = Pop3Factory(
                world.services,
                world.settings,
                self.tasks,
                world.house.entropy,
                self.context if world.tls is Tls.AVAILABLE else None,
            )
            endpoint = AsyncioServerEndpoint(
                Listener(TcpAddress("127.0.0.1", self._port), (listening,)),
                Admissions(AdmissionLimits(), world.house.clock),
                self.tasks,
                ReceptionPlan(self.context if self.is_implicit_tls else None),
            )
            self._listening = await endpoint.serve(self.factory)
        return self._port

    async def close(self) -> None:
        if self.factory is not None:
            self._listening.stopListening()
            self.factory.shut_down()
        await self.tasks.drain(5.0)
        assert self._failed == []


@asynccontextmanager
async def served(world: World, context: ssl.SSLContext) -> AsyncIterator[ServedWorld]:
    """The world behind a listener, all of it gone afterwards."""
    server = ServedWorld(world, context)
    try:
        yield server
    finally:
        await server.close()
        world.house.crunch.close()
        await asyncio.sleep(0)
