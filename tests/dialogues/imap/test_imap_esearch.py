"""What scripts cannot say of ESEARCH: time that is up, and mailboxes that vanish meanwhile."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from importlib import import_module

import pytest

from mailbox_server.imap.filtered_mailboxes import chosen
from mailbox_server.imap.grammar.mailbox_filters import MailboxFilter
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.store.ports import ReadTx
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.world import World
from tests.dialogues.player.driver import Ending

esearch = import_module("mailbox_server.imap.commands.esearch")


@pytest.fixture
async def driver() -> AsyncIterator[MemoryDriver]:
    made = MemoryDriver(await World.open())
    yield made
    await made.close()


async def answer(driver: MemoryDriver, line: bytes, *, connects: bool = True) -> bytes:
    """What comes of a command with the tag a."""
    if connects:
        await driver.connect(1)
    await driver.send(1, b"a " + line + b"\r\n")
    came = b""
    while b"\r\na " not in b"\r\n" + came:
        more = await driver.receive(1, wait=True)
        assert not isinstance(more, Ending), came
        came += more
    return came


async def test_when_time_is_up_nothing_was_searched(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esearch, "SECONDS_MOST", -1.0)
    await driver.given("account ann with INBOX of 1 messages")
    assert b"a NO [LIMIT] " in await answer(driver, b"ESEARCH IN (personal) UNSEEN")


async def test_when_time_is_up_later_what_was_answered_stands(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7377 §2.4: INBOX is empty and costs no time; the other one is not searched."""
    monkeypatch.setattr(esearch, "SECONDS_MOST", -1.0)
    await driver.given("account ann with Other of 1 messages")
    came = await answer(driver, b"ESEARCH IN (mailboxes (INBOX Other)) UNSEEN")
    assert b"* ESEARCH" not in came and b"a OK [LIMIT] " in came


async def test_a_mailbox_that_vanishes_is_left_out(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_one_gone(
        tx: ReadTx,
        account: AccountId,
        filters: Iterable[MailboxFilter],
        selected: MailboxId | None,
    ) -> list[Mailbox]:
        found = chosen(tx, account, filters, selected)
        return [replace(found[0], id=MailboxId(99_999)), *found]

    monkeypatch.setattr(esearch, "chosen", with_one_gone)
    await driver.given("account ann with INBOX of 1 messages")
    came = await answer(driver, b"ESEARCH IN (personal) ALL")
    assert came.count(b"* ESEARCH") == 1 and b"a OK " in came
