"""Sessions whose account, or whose mailbox's owner, is removed or changed under their hands."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from importlib import import_module

import pytest

from mailbox_server.delivery.message_parts import FoundPart
from mailbox_server.model.account import AccountState, Credentials
from mailbox_server.store.ports import Store, WriteTx
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.shared_inbox import SHARED, Deed, account, heard, say, shared_inbox
from tests.dialogues.player.driver import Ending

url_fetch = import_module("mailbox_server.imap.commands.url_fetch")


@pytest.fixture
async def driver() -> AsyncIterator[MemoryDriver]:
    async with shared_inbox() as driver:
        yield driver


def removed(name: str) -> Deed:
    return lambda tx: tx.accounts.remove(account(tx, name))


def disabled(tx: WriteTx) -> None:
    tx.accounts.set_state(account(tx, "ann"), AccountState.DISABLED)


def with_another_password(tx: WriteTx) -> None:
    tx.accounts.set_credentials(account(tx, "ann"), Credentials("x", None))


OCCUPATIONS = {
    "nothing": [],
    "IDLE": [b"a SELECT INBOX", b"b IDLE"],
    "NOTIFY": [
        b'a NOTIFY SET STATUS (SUBTREE ("" "Other users") (MessageNew MessageExpunge))',
        b"b SELECT INBOX",
    ],
    "a context": [b"a SELECT INBOX", b"b SEARCH RETURN (UPDATE) BODY x", b"c IDLE"],
    "an APPEND": [b"a APPEND INBOX {400}"],
}


@pytest.mark.parametrize("deed", [removed("ann"), disabled, with_another_password])
@pytest.mark.parametrize("occupation", OCCUPATIONS)
async def test_whose_login_is_no_longer_good_is_thrown_out(
    driver: MemoryDriver, deed: Deed, occupation: str
) -> None:
    for line in OCCUPATIONS[occupation]:
        await say(driver, line)
    await driver.world.store.write(deed)
    await driver.advance(timedelta(seconds=5))
    assert b"* BYE " in await heard(driver, 1)
    assert await driver.receive(1, wait=True) is Ending.CLOSED
    assert b"z OK" in await say(driver, b"z NOOP", 2)


@pytest.mark.parametrize(
    "command",
    [
        b"FETCH 1 BODY[TEXT]",
        b"FETCH 1 FLAGS",
        b"STORE 1 +FLAGS (\\Seen)",
        b"SEARCH UNSEEN",
        b"COPY 1 INBOX",
        b"EXPUNGE",
        b'LIST "" *',
        b"STATUS INBOX (MESSAGES)",
        b"GETQUOTAROOT INBOX",
        b"GETACL INBOX",
        b"NAMESPACE",
        b"CREATE Work",
        b"APPEND INBOX {12+}\r\nSubject: x\r\n",
        b'GENURLAUTH "imap://ann@mail.house.test/INBOX/;uid=1;urlauth=anonymous" INTERNAL',
        b"SETMETADATA INBOX (/private/comment x)",
        b"NOTIFY SET STATUS (PERSONAL (MessageNew MessageExpunge))",
    ],
)
async def test_commands_of_an_account_that_was_just_removed(
    driver: MemoryDriver, command: bytes
) -> None:
    """Before anybody looks at the login again: no fault of ours, and nothing comes to be."""
    await say(driver, b"a SELECT INBOX")
    await driver.world.store.write(removed("ann"))
    told = await say(driver, b"b " + command)
    assert b"SERVERBUG" not in told and (b"\r\nb " in b"\r\n" + told or b"* BYE" in told)
    await driver.advance(timedelta(seconds=5))
    assert b"* BYE" in told + await heard(driver, 1)


@pytest.mark.parametrize("occupation", ["IDLE", "NOTIFY", "nothing"])
async def test_the_owner_of_the_selected_mailbox_is_removed(
    driver: MemoryDriver, occupation: str
) -> None:
    """For others that is as if the mailbox was deleted; their own ones stay."""
    if occupation == "NOTIFY":
        wish = b'a NOTIFY SET (SUBTREE "Other users" (MessageNew MessageExpunge MailboxName))'
        assert b"a OK" in await say(driver, wish, 2)
    assert b"b OK" in await say(driver, b"b SELECT " + SHARED, 2)
    if occupation == "IDLE":
        await say(driver, b"c IDLE", 2)
    await driver.world.store.write(removed("ann"))
    told = await heard(driver, 2)
    if occupation == "nothing":
        assert not told
        told = await say(driver, b"d NOOP", 2)
    assert b"* BYE [NONEXISTENT] " in told
    await driver.given("client 3 is bob")
    await driver.connect(3)
    told = await say(driver, b'e LIST "" "*"\r\nf SELECT ' + SHARED, 3)
    assert b"Other users" not in told and b"f NO [NONEXISTENT]" in told
    assert b"g OK" in await say(driver, b"g SELECT INBOX", 3)


async def test_whoever_takes_the_name_of_a_removed_account_is_somebody_else(
    driver: MemoryDriver,
) -> None:
    """Neither its rights nor what was authorized by it come back with the name."""
    rump = b"imap://ann@mail.house.test/INBOX/;uid=1;urlauth=anonymous"
    told = await say(driver, b'a GENURLAUTH "' + rump + b'" INTERNAL')
    url = told.partition(b"* GENURLAUTH ")[2].partition(b"\r\n")[0].strip(b'"')
    assert b"This is message 1." in await say(driver, b'b URLFETCH "' + url + b'"', 2)
    await driver.world.store.write(removed("ann"))
    assert b'" NIL' in await say(driver, b'c URLFETCH "' + url + b'"', 2)
    del driver.world._accounts["ann"]
    await driver.given("account ann with INBOX of 1 messages")
    assert b'" NIL' in await say(driver, b'd URLFETCH "' + url + b'"', 2)
    assert b"e NO [NONEXISTENT]" in await say(driver, b"e SELECT " + SHARED, 2)


async def test_a_key_reset_while_its_url_is_read_cuts_nothing_off(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The literal that was begun comes to its end, and the next one is not begun."""
    text = b"Subject: x\r\n\r\n" + b"a line of some length\r\n" * 10_000
    await say(driver, b"a APPEND INBOX {%d+}\r\n%b" % (len(text), text))
    rump = b"imap://ann@mail.house.test/INBOX/;uid=4;urlauth=anonymous"
    told = await say(driver, b'b GENURLAUTH "' + rump + b'" INTERNAL')
    url = told.partition(b"* GENURLAUTH ")[2].partition(b"\r\n")[0].strip(b'"')
    reading = url_fetch.part_blocks

    async def interrupted(store: Store, part: FoundPart) -> AsyncGenerator[bytes, None]:
        blocks = 0
        async with aclosing(reading(store, part)) as read:
            async for block in read:
                blocks += 1
                yield block
                if blocks == 1:
                    await store.write(lambda tx: tx.access_keys.remove_all(account(tx, "ann")))
        assert blocks > 1

    monkeypatch.setattr(url_fetch, "part_blocks", interrupted)
    came = await say(driver, b'd URLFETCH "%b" "%b"' % (url, url), 2)
    first, _, rest = came.partition(b"{%d}\r\n" % len(text))
    assert first.endswith(url + b'" ') and rest.startswith(text)
    assert rest[len(text) :].startswith(b'\r\n* URLFETCH "' + url + b'" NIL\r\nd OK')
