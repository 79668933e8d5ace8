"""The whole way down: a POP3 client, the server, and the store on disk."""

import asyncio
import poplib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from mailbox_server.auth.authenticator import Authenticator, AuthenticatorSettings
from mailbox_server.auth.crunch import Crunch, CrunchLimits
from mailbox_server.auth.passwords import Passwords
from mailbox_server.auth.throttle import Throttle, ThrottleSettings
from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import Scanner
from mailbox_server.model.account import Account, AccountState
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.mailbox import INBOX
from mailbox_server.model.message import InternalDate, Target
from mailbox_server.model.ports import SystemClock, SystemEntropy
from mailbox_server.net.admission import AdmissionLimits, Admissions
from mailbox_server.net.listeners import Listener, TcpAddress, open_listener
from mailbox_server.net.reception import AsyncioServerEndpoint, ReceptionPlan
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.pop3.locks import MaildropLocks
from mailbox_server.pop3.server import Pop3Factory
from mailbox_server.pop3.session import Pop3Services
from mailbox_server.pop3.settings import Pop3Limits, Pop3Settings, Removal
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import NewMessage, QuotaRule, WriteTx
from tests.small_store import SMALL_STORE
from tests.unit.auth.house import CHEAP, SECRET
from tests.unit.auth.memory_store import RecordedEvents

T = TypeVar("T")

SMALL = b"Subject: small\r\n\r\n.\r\n..two\r\n\xff\x00end\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"".join(b".%07d\r\n" % n for n in range(120_000))
TRACE = b"Return-Path: <x@example.net>\r\nReceived: by us\r\n"


class Appliance:
    """A store on disk with Ann in it, and POP3 on a port."""

    def __init__(self, store: SqliteStore, settings: Pop3Settings) -> None:
        entropy, clock = SystemEntropy(), SystemClock()
        self.store = store
        self.events = RecordedEvents()
        self.failed: list[BaseException] = []
        self.tasks = TaskKeeper(lambda name, error: self.failed.append(error))
        self.passwords = Passwords(CHEAP, entropy)
        self.crunch = Crunch(CrunchLimits())
        authenticator = Authenticator(
            store,
            self.passwords,
            self.crunch,
            Throttle(clock, ThrottleSettings()),
            clock,
            entropy,
            self.events,
            AuthenticatorSettings(SECRET),
        )
        services = Pop3Services(store, authenticator, MaildropLocks(), clock, self.events)
        self.factory = Pop3Factory(services, settings, self.tasks, entropy, None)
        self.admissions = Admissions(AdmissionLimits(), clock)
        self.port = 0

    async def open(self) -> None:
        listener = open_listener(TcpAddress("127.0.0.1", 0))
        assert isinstance(listener, Listener)
        self.port = listener.port
        endpoint = AsyncioServerEndpoint(listener, self.admissions, self.tasks, ReceptionPlan())
        self.listening = await endpoint.serve(self.factory)

        def fill(tx: WriteTx) -> Account:
            now = SystemClock().now()
            tx.domains.add(Domain.parse("example.org"), None, now)
            ann = Address.parse("ann@example.org")
            return tx.accounts.add(ann, self.passwords.credentials("secret"), 0, now)

        self.ann = await self.store.write(fill)

    async def close(self) -> None:
        self.listening.stopListening()
        self.factory.shut_down()
        await self.tasks.drain(5.0)
        self.crunch.close()
        assert self.failed == []

    async def deliver(self, octets: bytes) -> None:
        staging = self.store.stage()
        if staging.feed(octets):
            await staging.drained()
        staged = await staging.finish()
        scanner = Scanner()
        scanner.feed(octets)
        structure = scanner.finish()
        analysis = analyze(
            structure, scanner.header, lambda start, length: octets[start : start + length]
        )

        def add(tx: WriteTx) -> None:
            inbox = tx.mailboxes.find(self.ann.id, INBOX)
            assert inbox is not None
            new = NewMessage(
                tx.contents.keep(staged),
                TRACE,
                analysis,
                InternalDate(1_700_000_000),
                frozenset(),
                (Target(inbox.id),),
            )
            tx.messages.add(self.ann.id, new, QuotaRule.ENFORCE)

        await self.store.write(add)

    async def client(self, work: Callable[[poplib.POP3], T]) -> T:
        """Run work with a logged-in poplib on a thread of its own."""

        def run() -> T:
            client = poplib.POP3("127.0.0.1", self.port, timeout=20)
            client.user("ann@example.org")
            client.pass_("secret")
            try:
                return work(client)
            finally:
                client.close()

        return await asyncio.to_thread(run)


@pytest.fixture
def settings() -> Pop3Settings:
    return Pop3Settings(hostname="mail.example.org", plaintext_on_loopback=True)


@pytest.fixture
async def appliance(tmp_path: Path, settings: Pop3Settings) -> AsyncIterator[Appliance]:
    store = await SqliteStore.open(
        tmp_path / "data",
        SMALL_STORE,
        SystemClock(),
        SystemEntropy(),
        RecordedEvents(),
        lambda error: None,
    )
    made = Appliance(store, settings)
    await made.open()
    yield made
    await made.close()
    await store.close()


def whole(client: poplib.POP3, number: int) -> bytes:
    return b"".join(line + b"\r\n" for line in client.retr(number)[1])


async def test_a_maildrop_from_first_to_last(appliance: Appliance) -> None:
    for octets in (SMALL, LARGE, SMALL, b"Subject: no end\r\n\r\nx"):
        await appliance.deliver(octets)
    sizes = [len(TRACE) + len(octets) for octets in (SMALL, LARGE, SMALL)]

    def first(client: poplib.POP3) -> list[bytes]:
        assert client.stat() == (4, sum(sizes) + len(TRACE) + 22)
        listed = client.list()[1]
        assert listed[:3] == [b"%d %d" % (n + 1, size) for n, size in enumerate(sizes)]
        assert whole(client, 1) == TRACE + SMALL
        assert whole(client, 2) == TRACE + LARGE
        assert whole(client, 3) == TRACE + SMALL
        assert whole(client, 4) == TRACE + b"Subject: no end\r\n\r\nx\r\n"
        top = b"".join(line + b"\r\n" for line in client.top(2, 2)[1])
        assert top == TRACE + b"Subject: large\r\n\r\n.0000000\r\n.0000001\r\n"
        ids = client.uidl()[1]
        client.dele(2)
        client.quit()
        return [line.split()[1] for line in ids]

    def second(client: poplib.POP3) -> list[bytes]:
        assert client.stat()[0] == 3
        return [line.split()[1] for line in client.uidl()[1]]

    ids = await appliance.client(first)
    assert await appliance.client(second) == [ids[0], ids[2], ids[3]]
    assert appliance.events.faults == []


async def test_deletion_needs_quit(appliance: Appliance) -> None:
    await appliance.deliver(SMALL)
    await appliance.client(lambda client: client.dele(1))
    assert await appliance.client(lambda client: client.stat()[0]) == 1


async def test_trash(appliance: Appliance) -> None:
    await appliance.deliver(SMALL)
    appliance.factory.settings = replace(appliance.factory.settings, removal=Removal.TRASH)

    def delete(client: poplib.POP3) -> None:
        client.dele(1)
        client.quit()

    await appliance.client(delete)

    def look(tx: object) -> tuple[int, int]:
        boxes = tx.mailboxes  # type: ignore[attr-defined]
        found = [boxes.find(appliance.ann.id, name) for name in (INBOX, "Trash")]
        inbox, trash = (boxes.status(mailbox.id).messages for mailbox in found)
        return inbox, trash

    assert await appliance.store.read(look) == (0, 1)


@pytest.mark.parametrize("what", ["state", "password", "all"])
async def test_a_session_ends_when_its_login_no_longer_stands(
    appliance: Appliance, what: str
) -> None:
    limits = Pop3Limits(valid_seconds=0.05)
    appliance.factory.settings = replace(appliance.factory.settings, limits=limits)
    reader, writer = await asyncio.open_connection("127.0.0.1", appliance.port)
    writer.write(b"USER ann@example.org\r\nPASS secret\r\nNOOP\r\n")
    for _ in range(4):
        await reader.readline()

    def change(tx: WriteTx) -> None:
        if what == "state":
            tx.accounts.set_state(appliance.ann.id, AccountState.DISABLED)
        elif what == "all":
            tx.accounts.remove(appliance.ann.id)
        else:
            tx.accounts.set_credentials(appliance.ann.id, appliance.passwords.credentials("new"))

    await appliance.store.write(change)
    async with asyncio.timeout(20):
        assert await reader.read() == b"-ERR [SYS/PERM] this login is no longer valid\r\n"
    writer.close()


async def test_an_account_is_removed_in_the_middle_of_a_transaction(appliance: Appliance) -> None:
    """Until its login is looked at again all stands; QUIT deletes nothing, without a fault."""
    for _ in range(3):
        await appliance.deliver(SMALL)
    reader, writer = await asyncio.open_connection("127.0.0.1", appliance.port)
    writer.write(b"USER ann@example.org\r\nPASS secret\r\nDELE 1\r\n")
    for _ in range(4):
        await reader.readline()
    await appliance.store.write(lambda tx: tx.accounts.remove(appliance.ann.id))
    writer.write(b"STAT\r\nRETR 2\r\nDELE 3\r\nQUIT\r\n")
    async with asyncio.timeout(20):
        heard = await reader.read()
    assert heard.startswith(b"+OK 2 ") and b"\r\n-ERR [SYS/" in heard
    assert appliance.events.faults == []
    writer.close()
