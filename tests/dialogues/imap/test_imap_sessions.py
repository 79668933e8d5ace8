"""What scripts cannot say: SCRAM to its end, password changes, shutdown, peers that do not read."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TypeVar, cast

import pytest
import trustme
from scramp import ScramClient

from mailbox_server.auth.authenticator import Authenticator
from mailbox_server.auth.outcomes import Outcome, TemporaryTrouble, Throttled, Visitor
from mailbox_server.imap.session import Extension
from mailbox_server.model.account import AccountState
from mailbox_server.model.errors import TooBusy
from mailbox_server.model.keywords import DELETED
from mailbox_server.model.ports import SystemEntropy
from mailbox_server.store import expunges
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.mailboxes import Mailboxes
from mailbox_server.store.ports import Edit, FlagChange, ReadTx, Unpurged, WriteTx
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.socket_driver import SocketDriver
from tests.dialogues.imap.world import PASSWORD, World
from tests.dialogues.player.driver import Ending

T = TypeVar("T")


@pytest.fixture
async def driver() -> AsyncIterator[MemoryDriver]:
    made = MemoryDriver(await World.open())
    yield made
    await made.close()


@pytest.fixture
async def sockets() -> AsyncIterator[SocketDriver]:
    made = SocketDriver(await World.open(), trustme.CA())
    yield made
    await made.close()


async def said(driver: MemoryDriver | SocketDriver, client: int, mark: bytes) -> bytes:
    """All that comes until mark has come."""
    came = b""
    while mark not in came:
        more = await driver.receive(client, wait=True)
        assert not isinstance(more, Ending), came
        came += more
    return came


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
async def test_scram_to_its_end(driver: MemoryDriver, password: str) -> None:
    await driver.given("account ann")
    await driver.given("clients come in plain text")
    await driver.connect(1)
    client = ScramClient(["SCRAM-SHA-256"], "ann", password)
    first = base64.b64encode(client.get_client_first().encode())
    await driver.send(1, b"a AUTHENTICATE SCRAM-SHA-256 " + first + b"\r\n")
    challenge = (await said(driver, 1, b"\r\n+ ")).rpartition(b"+ ")[2].strip()
    client.set_server_first(base64.b64decode(challenge).decode())
    await driver.send(1, base64.b64encode(client.get_client_final().encode()) + b"\r\n")
    if password != PASSWORD:
        assert b"a NO [AUTHENTICATIONFAILED]" in await said(driver, 1, b"\r\n")
        return
    final = (await said(driver, 1, b"\r\n")).removeprefix(b"+ ").strip()
    client.set_server_final(base64.b64decode(final).decode())
    await driver.send(1, b"\r\n")
    assert b"a OK [CAPABILITY " in await said(driver, 1, b"\r\n")


class Refusing:
    """Stands for an authenticator that does not even look."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.entropy = SystemEntropy()

    async def authenticate(
        self, visitor: Visitor, login: str, password: str, authzid: str = ""
    ) -> Outcome:
        return self.outcome


@pytest.mark.parametrize("outcome", [Throttled(30.0), TemporaryTrouble()])
async def test_trouble_is_not_a_wrong_password(driver: MemoryDriver, outcome: Outcome) -> None:
    await driver.given("account ann")
    await driver.given("clients log in themselves")
    driver.world.authenticator = cast(Authenticator, Refusing(outcome))
    await driver.connect(1)
    for _ in range(4):
        await driver.send(1, b"a LOGIN ann secret\r\n")
        assert b"a NO [UNAVAILABLE] " in await said(driver, 1, b"a NO")
        await driver.send(1, b"b AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=\r\n")
        assert b"b NO [UNAVAILABLE] " in await said(driver, 1, b"b NO")


async def test_a_disabled_account_is_thrown_out(driver: MemoryDriver) -> None:
    world = driver.world
    await driver.given("account ann")
    await driver.connect(1)
    await driver.send(1, b"a IDLE\r\n")
    await said(driver, 1, b"+ ")
    account = driver.wires[1].conversation.session.account
    driver.wires[1].conversation.tick()
    assert await driver.receive(1, wait=True) is Ending.SILENT

    def disable(tx: WriteTx) -> None:
        tx.accounts.set_state(account.id, AccountState.DISABLED)
        tx.mailboxes.subscribe(account.id, "wakes the sessions")

    await world.store.write(disable)
    assert await driver.receive(1, wait=True) is Ending.SILENT
    driver.wires[1].conversation.tick()
    assert await said(driver, 1, b"\r\n") == b"* BYE The login is no longer valid\r\n"
    assert await driver.receive(1, wait=True) is Ending.CLOSED


async def test_a_change_that_nobody_rang_for_is_found_within_a_minute(driver: MemoryDriver) -> None:
    await driver.given("account ann")
    await driver.connect(1)
    session = driver.wires[1].conversation.session
    account = session.account.id
    await driver.world.store.write(lambda tx: tx.accounts.set_state(account, AccountState.DISABLED))
    await driver.advance(timedelta(seconds=61))
    assert await said(driver, 1, b"\r\n") == b"* BYE The login is no longer valid\r\n"


async def test_condstore_is_enabled_by_what_needs_it(driver: MemoryDriver) -> None:
    await driver.given("account ann")
    for client, command in enumerate(
        (b"ENABLE CONDSTORE", b"SELECT INBOX (CONDSTORE)", b"STATUS INBOX (HIGHESTMODSEQ)"), 1
    ):
        await driver.connect(client)
        session = driver.wires[client].conversation.session
        assert not session.enabled
        await driver.send(client, b"a " + command + b"\r\n")
        await said(driver, client, b"a OK")
        assert session.enabled == {Extension.CONDSTORE}
    await driver.send(3, b"b SELECT INBOX\r\n")
    await said(driver, 3, b"b OK")


@pytest.mark.parametrize(("command", "left"), [(b"SELECT", 1), (b"EXAMINE", 3)])
async def test_close_expunges_what_is_deleted(
    driver: MemoryDriver, command: bytes, left: int
) -> None:
    await driver.given("account ann with INBOX of 3 messages")
    await driver.connect(1)
    account = driver.wires[1].conversation.session.account.id

    def mark(tx: WriteTx) -> None:
        inbox = tx.mailboxes.find(account, "INBOX")
        assert inbox is not None
        tx.messages.change_flags(inbox.id, [1, 3], FlagChange(Edit.ADD, frozenset({DELETED})))

    await driver.world.store.write(mark)
    await driver.send(1, b"a " + command + b" INBOX\r\nb CLOSE\r\nc STATUS INBOX (MESSAGES)\r\n")
    came = await said(driver, 1, b"c OK")
    assert b"EXPUNGE" not in came
    assert b'* STATUS "INBOX" (MESSAGES %d)' % left in came


async def test_plaintext_behind_starttls_does_not_reach_the_other_side(
    sockets: SocketDriver,
) -> None:
    await sockets.given("account ann")
    await sockets.given("clients come in plain text")
    await sockets.connect(1)
    await said(sockets, 1, b"\r\n")
    await sockets.send(1, b"a STARTTLS\r\nb LOGIN ann secret\r\n")
    await said(sockets, 1, b"a OK")
    with pytest.raises(OSError):
        await sockets.start_tls(1)


async def test_shutdown_over_sockets(sockets: SocketDriver) -> None:
    await sockets.given("account ann")
    await sockets.connect(1)
    await sockets.connect(2)
    await sockets.send(2, b"a IDLE\r\n")
    await said(sockets, 2, b"+ ")
    assert sockets.factory is not None
    assert len(sockets.factory) == 2
    sockets.factory.shut_down()
    for client in (1, 2):
        assert await said(sockets, client, b"\r\n") == b"* BYE The server is shutting down\r\n"
        assert await sockets.receive(client, wait=True) is Ending.CLOSED
    await asyncio.sleep(0)
    assert len(sockets.factory) == 0


async def test_a_peer_that_never_reads_is_not_read_either(sockets: SocketDriver) -> None:
    await sockets.given("account ann")
    await sockets.connect(1)
    transport = sockets._wires[1].transport
    assert transport is not None and sockets.factory is not None
    transport.pause_reading()
    flood = b'a LIST "" "*"\r\n' * 1_000
    for _ in range(400):
        transport.write(flood)
        await asyncio.sleep(0)
    for _ in range(200):
        await asyncio.sleep(0.001)
    # Six megabytes would be answered with some three hundred; most were not even taken.
    assert transport.get_write_buffer_size() > 1_000_000
    await sockets.connect(2)
    await sockets.send(2, b"b NOOP\r\n")
    assert await said(sockets, 2, b"\r\n") == b"b OK Done\r\n"


async def test_a_large_mailbox_is_deleted_in_steps(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When OK has come nothing of it counts any more."""
    monkeypatch.setattr(expunges, "STEP", 2)
    await driver.given("account ann with INBOX of 9 messages")
    await driver.connect(1)
    await driver.send(1, b"a CREATE Work\r\nb SELECT INBOX\r\nc MOVE 1:8 Work\r\nd DELETE Work\r\n")
    assert b"d OK Deleted" in await said(driver, 1, b"\r\nd ")
    account = driver.wires[1].conversation.session.account.id
    usage = await driver.world.store.read(lambda tx: tx.accounts.usage(account))
    assert usage.messages == 1


async def test_a_mailbox_is_deleted_though_its_messages_cannot_go_now(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expunges, "STEP", 2)
    await driver.given("account ann with INBOX of 9 messages")
    await driver.connect(1)
    await driver.send(1, b"a CREATE Work\r\nb SELECT INBOX\r\nc MOVE 1:8 Work\r\n")
    await said(driver, 1, b"\r\nc ")

    def refuse(mailboxes: Mailboxes, rest: Unpurged) -> Unpurged | None:
        if rest.above:
            raise TooBusy("too many writes wait for the disk")
        return purge(mailboxes, rest)

    purge = Mailboxes.purge
    monkeypatch.setattr(Mailboxes, "purge", refuse)
    await driver.send(1, b"d DELETE Work\r\ne STATUS Work (MESSAGES)\r\n")
    heard = await said(driver, 1, b"\r\ne ")
    assert b"d OK Deleted" in heard and b"e NO" in heard


async def test_a_mailbox_packed_away_is_deleted_meanwhile(driver: MemoryDriver) -> None:
    driver.world.views.most_octets = 0
    await driver.given("account ann with INBOX of 1 messages")
    for client in (1, 2):
        await driver.connect(client)
    await driver.send(1, b"a CREATE Work\r\nb COPY 1 Work\r\nc SELECT Work\r\n")
    await said(driver, 1, b"\r\nc ")
    await driver.send(2, b"a DELETE Work\r\n")
    await said(driver, 2, b"a OK")
    await driver.send(1, b"d FETCH 1 FLAGS\r\n")
    assert b"* BYE [NONEXISTENT] " in await said(driver, 1, b"* BYE")


async def test_where_nothing_rang_no_command_makes_a_read_for_news(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await driver.given("account ann with INBOX of 3 messages")
    for client in (1, 2):
        await driver.connect(client)
        await driver.send(client, b"a SELECT INBOX\r\n")
        await said(driver, client, b"a OK")
    begun = 0
    begin_read = SqliteStore.begin_read

    def counting(store: SqliteStore, work: Callable[[ReadTx], T]) -> "asyncio.Future[T]":
        nonlocal begun
        begun += 1
        return begin_read(store, work)

    monkeypatch.setattr(SqliteStore, "begin_read", counting)
    for command in (b"SEARCH UNSEEN", b"NOOP"):
        await driver.send(1, b"b " + command + b"\r\n")
        await said(driver, 1, b"b OK")
        assert begun == 0, command
    await driver.send(2, b"b STORE 2 +FLAGS.SILENT (\\Flagged)\r\n")
    await said(driver, 2, b"b OK")
    await driver.send(1, b"c SEARCH ALL\r\n")
    assert b"* 2 FETCH (UID 2 FLAGS (\\Flagged" in await said(driver, 1, b"c OK")
