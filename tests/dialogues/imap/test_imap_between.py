"""What others do between the steps of a command: rights, quotas and mailboxes that move on."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from mailbox_server.model.ids import AccountId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.store.ports import ReadTx, WriteTx
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.world import World

SHARED = b'"Other users/ann@example.test/INBOX"'
Deed = Callable[[WriteTx], object]


@pytest.fixture
async def driver() -> AsyncIterator[MemoryDriver]:
    """Client 1 is ann with three messages, client 2 is bob who may do all in her INBOX."""
    driver = MemoryDriver(await World.open())
    await driver.given("account ann with INBOX of 3 messages")
    await driver.given("account bob")
    await driver.given("client 2 is bob")
    for client in (1, 2):
        await driver.connect(client)
    assert b"a OK" in await say(driver, b"a SETACL INBOX bob lrswipkxtea")
    yield driver
    await driver.close()


async def say(driver: MemoryDriver, octets: bytes, client: int = 1) -> bytes:
    await driver.send(client, octets + b"\r\n")
    came = await driver.receive(client, wait=False)
    assert isinstance(came, bytes)
    return came


def account(tx: ReadTx | WriteTx, name: str) -> AccountId:
    return next(each.id for each in tx.accounts.all() if str(each.address).startswith(name))


def mailbox(tx: ReadTx | WriteTx, name: str, owner: str = "ann") -> Mailbox:
    found = tx.mailboxes.find(account(tx, owner), name)
    assert found is not None
    return found


def taking(letters: str) -> Deed:
    """Take these rights in ann's INBOX from bob."""

    def deed(tx: WriteTx) -> None:
        inbox, bob = mailbox(tx, "INBOX"), account(tx, "bob")
        left = tx.rights.held(inbox, bob) - frozenset(letters)
        tx.rights.set(inbox, bob, left, is_negative=False)

    return deed


def before_the_write(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, deed: Deed, at: int = 1
) -> None:
    """Have the deed done just before the store's write of that number from now on."""
    store, count = driver.world.store, 0
    write: Callable[..., Awaitable[object]] = store.write

    async def behind(*arguments: object) -> object:
        nonlocal count
        count += 1
        if count == at:
            await write(deed)
        return await write(*arguments)

    monkeypatch.setattr(store, "write", behind)


async def test_fetch_marks_nothing_once_the_right_to_was_taken(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 4314 §4: without s a FETCH BODY[] leaves \\Seen alone, and is no failure."""
    await say(driver, b"a SELECT " + SHARED, 2)
    before_the_write(driver, monkeypatch, taking("s"))
    told = await say(driver, b"b FETCH 1 BODY[TEXT]", 2)
    assert b"This is message 1." in told and b"(\\Seen))" not in told and b"b OK" in told
    assert b"* SEARCH 1 2 3\r\n" in await say(driver, b"c SEARCH UNSEEN", 2)
