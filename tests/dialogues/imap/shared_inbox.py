"""Two clients in memory, one at the other's INBOX, and changes of the store under their hands."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.store.ports import ReadTx, WriteTx
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.world import World

SHARED: Final = b'"Other users/ann@example.test/INBOX"'
Deed = Callable[[WriteTx], object]


@asynccontextmanager
async def shared_inbox() -> AsyncIterator[MemoryDriver]:
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
    """Send a line; all that comes until nothing does."""
    await driver.send(client, octets + b"\r\n")
    return await heard(driver, client)


async def heard(driver: MemoryDriver, client: int) -> bytes:
    """All that comes until nothing does."""
    came = await driver.receive(client, wait=False)
    return came if isinstance(came, bytes) else b""


def account(tx: ReadTx | WriteTx, name: str) -> AccountId:
    """The account whose address begins so."""
    return next(each.id for each in tx.accounts.all() if str(each.address).startswith(name))


def mailbox(tx: ReadTx | WriteTx, name: str, owner: str = "ann") -> Mailbox:
    """A mailbox of an account."""
    found = tx.mailboxes.find(account(tx, owner), name)
    assert found is not None
    return found
