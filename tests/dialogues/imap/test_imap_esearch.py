"""What scripts cannot say of ESEARCH: time that is up, and mailboxes that vanish meanwhile."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import combinations
from typing import Any

import pytest

from mailbox_server.imap.grammar.mailbox_filters import FilterKind, MailboxFilter
from mailbox_server.imap.search import filtered_mailboxes, reading_ahead
from mailbox_server.imap.search.filtered_mailboxes import chosen
from mailbox_server.imap.search.searched import UnselectedMailbox
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.store.mailboxes import Mailboxes
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
        account: Account,
        filters: Iterable[MailboxFilter],
        selected: MailboxId | None,
    ) -> list[Mailbox]:
        found = chosen(tx, account, filters, selected)
        return [replace(found[0], id=MailboxId(99_999)), *found]

    def filled(self: Mailboxes, account: AccountId) -> dict[MailboxId, int]:
        return counted(self, account) | {MailboxId(99_999): 1}

    counted = Mailboxes.filled
    monkeypatch.setattr(esearch, "chosen", with_one_gone)
    monkeypatch.setattr(Mailboxes, "filled", filled)
    await driver.given("account ann with INBOX of 1 messages")
    came = await answer(driver, b"ESEARCH IN (personal) ALL")
    assert came.count(b"* ESEARCH") == 1 and b"a OK " in came


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the unselected mailboxes that each read looked into."""
    found: list[list[str]] = []
    views = reading_ahead.read_unselected
    reading = reading_ahead.ReadingAhead._reading

    def noted(tx: ReadTx, mailbox: Mailbox, *others: Any) -> UnselectedMailbox:
        found[-1].append(mailbox.name)
        return views(tx, mailbox, *others)

    def begun(self: reading_ahead.ReadingAhead, mailboxes: Sequence[Mailbox]) -> object:
        found.append([])
        return reading(self, mailboxes)

    monkeypatch.setattr(reading_ahead, "read_unselected", noted)
    monkeypatch.setattr(reading_ahead.ReadingAhead, "_reading", begun)
    return found


@pytest.mark.parametrize(
    ("mailboxes_most", "messages_most", "reads"),
    [
        (100, 100, [["INBOX", "a", "b", "d", "e"]]),
        (2, 100, [["INBOX", "a"], ["b", "d"], ["e"]]),
        (100, 3, [["INBOX", "a"], ["b"], ["d"], ["e"]]),
    ],
)
async def test_mailboxes_are_read_together_but_empty_ones_are_not(
    driver: MemoryDriver,
    read: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    mailboxes_most: int,
    messages_most: int,
    reads: list[list[str]],
) -> None:
    """c is selected; it is looked at as the session sees it."""
    monkeypatch.setattr(reading_ahead, "MAILBOXES_A_READ", mailboxes_most)
    monkeypatch.setattr(reading_ahead, "MESSAGES_A_READ", messages_most)
    for name, count in {"INBOX": 1, "a": 2, "b": 2, "c": 2, "d": 4, "e": 1}.items():
        await driver.given(f"account ann with {name} of {count} messages")
    await driver.given("account ann with mailbox ab")
    await driver.connect(1)
    for line in (b"SELECT c", b"STORE 1 +FLAGS.SILENT (\\Deleted)", b"EXPUNGE"):
        await answer(driver, line, connects=False)
    came = await answer(driver, b"ESEARCH IN (personal) RETURN (COUNT) ALL", connects=False)
    told = re.findall(rb'MAILBOX "(\w+)" UIDVALIDITY \d+\) UID COUNT (\d)', came)
    counts = [(b"INBOX", b"1"), (b"a", b"2"), (b"b", b"2"), (b"c", b"1"), (b"d", b"4")]
    assert told == [*counts, (b"e", b"1")]
    assert read == reads


async def test_mailboxes_of_others_are_read_one_by_one(
    driver: MemoryDriver, read: list[list[str]]
) -> None:
    """The right to read may be taken while another one is searched."""
    for name in OWNERS:
        await driver.given(f"account {name} with INBOX of 1 messages")
        await driver.given(f"account {name} with a of 1 messages")
    await driver.given("client 2 is bob")
    for line in (b"SETACL INBOX bob lr", b"SETACL a bob lr"):
        await answer(driver, line, connects=line.startswith(b"SETACL INBOX"))
    await driver.connect(2)
    await driver.send(2, b'a ESEARCH IN (personal subtree "Other users") ALL\r\n')
    came = b""
    while b"\r\na " not in came:
        more = await driver.receive(2, wait=True)
        assert not isinstance(more, Ending), came
        came += more
    assert came.count(b"* ESEARCH") == 4
    others = "Other users/ann@example.test/"
    assert read == [["INBOX", "a"], [others + "INBOX"], [others + "a"]]


OWNERS = ("ann", "bob")
NAMES = (
    "INBOX",
    "a",
    "a/b",
    "Missing",
    "Other users",
    "Other users/ann@example.test/INBOX",
    "Other users/ANN@example.test/INBOX",
    "Other users/ann@example.test/a",
    "Other users/ann@example.test/b",
    "Other users/ann@example.test/c",
    "Other users/bob@example.test/INBOX",
)


async def test_named_mailboxes_are_those_that_all_names_would_give(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ann's, bob may read INBOX and a, look up b, and do nothing with c."""
    for name in ("INBOX", "a", "b", "c"):
        await driver.given(f"account ann with {name} of 1 messages")
    await driver.given("account bob with a/b of 1 messages")
    for number, line in enumerate((b"SETACL INBOX bob lr", b"SETACL a bob lr", b"SETACL b bob l")):
        await answer(driver, line, connects=not number)

    def play(tx: ReadTx) -> None:
        ann, bob = (tx.accounts.find(Address.parse(f"{name}@example.test")) for name in OWNERS)
        assert ann is not None and bob is not None
        own, others = tx.mailboxes.all(bob.id), tx.mailboxes.all(ann.id)
        found: set[MailboxId] = set()
        for selected in (None, own[-1].id, *(each.id for each in others[-3:])):
            for names in (*combinations(NAMES, 1), *combinations(NAMES, 2)):
                filters = [
                    MailboxFilter(FilterKind.SELECTED_DELAYED),
                    MailboxFilter(FilterKind.MAILBOXES, names),
                ]
                with monkeypatch.context() as patched:
                    patched.setattr(filtered_mailboxes, "_NAMES_FEW", -1)
                    among_all = chosen(tx, bob, filters, selected)
                assert chosen(tx, bob, filters, selected) == among_all, (names, selected)
                found |= {each.id for each in among_all}
        # c is none of them, and b only while it is selected.
        assert len(found) == 6

    await driver.world.store.read(play)
