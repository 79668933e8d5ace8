"""What a LIST asks the store for: no more than it tells."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailbox_server.model.ids import AccountId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.rights import Rights
from mailbox_server.store.ports import WriteTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.rights import MailboxRights
from mailbox_server.store.transactions import SqlTx
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.shared_inbox import SHARED, account, say, shared_inbox

MANY = 300
INBOX = b'(\\HasChildren) "/" "INBOX"'
BELOW = b'(\\HasNoChildren) "/" "INBOX/below"'
OTHER = b'(\\HasNoChildren) "/" "in"'
SEVENTH = b'(\\HasChildren) "/" "Many/7"'
ALL_FIGURES = b"RETURN (STATUS (MESSAGES RECENT DELETED DELETED-STORAGE))"


async def test_rights_are_asked_for_only_where_something_is_told_by_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of each mailbox of somebody else's that is a read of its own."""
    held, asked = MailboxRights.held, list[str]()

    def counted(rights: MailboxRights, mailbox: Mailbox, account: AccountId) -> Rights:
        asked.append(mailbox.name)
        return held(rights, mailbox, account)

    async with shared_inbox() as driver:
        monkeypatch.setattr(MailboxRights, "held", counted)
        assert SHARED in await say(driver, b'a LIST "" "*"', 2)
        assert not asked
        told = await say(driver, b'b LIST "" "*" RETURN (STATUS (MESSAGES))', 2)
        assert b"STATUS " + SHARED in told
        assert asked


# ---------------------------------------------------------------- many mailboxes


class Rows:
    """How many statements were run, and the rows they gave."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements = self.rows = 0
        rows = Prepared.rows

        def counted(prepared: Prepared, tx: SqlTx, **values: Any) -> list[Any]:
            found = rows(prepared, tx, **values)
            self.statements += 1
            self.rows += len(found)
            return found

        monkeypatch.setattr(Prepared, "rows", counted)


@pytest.fixture
async def driver() -> AsyncIterator[MemoryDriver]:
    """Ann has many mailboxes; in two of them somebody has put what is \\Deleted."""

    def furnish(tx: WriteTx) -> None:
        ann = account(tx, "ann")
        for number in range(MANY):
            tx.mailboxes.create(ann, f"Many/{number}/below")
            tx.mailboxes.subscribe(ann, f"Many/{number}")

    async with shared_inbox() as driver:
        await driver.world.store.write(furnish)
        for name in (b"7", b"70/below"):
            told = await say(driver, b"a APPEND Many/%b (\\Deleted) {4+}\r\nA:\r\n" % name)
            assert b"a OK" in told
        yield driver


@pytest.mark.parametrize("revision", [b"", b"ENABLE IMAP4rev2"])
async def test_few_of_many_mailboxes_are_looked_up_as_few(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, revision: bytes
) -> None:
    """With what is below them, which tells whether they have children."""
    await say(driver, b"b " + revision)
    seen = Rows(monkeypatch)
    told = await say(
        driver, b"c LIST (SUBSCRIBED) Many/ (299 297/%) RETURN (CHILDREN STATUS (MESSAGES))"
    )
    assert told.splitlines()[0] == b'* LIST (\\HasChildren \\Subscribed) "/" "Many/299"'
    told = await say(driver, b'd LIST "" Many/7 RETURN (STATUS (MESSAGES DELETED))')
    assert told.startswith(
        b'* LIST (\\HasChildren) "/" "Many/7"\r\n* STATUS "Many/7" (MESSAGES 1 DELETED 1)\r\nd OK'
    )
    if revision:
        assert b"f OK" in await say(driver, b"f SELECT Many/7")
    assert seen.rows < MANY // 2


async def test_figures_of_many_mailboxes_are_asked_for_at_once(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is counted row by row too: it costs no statement a mailbox."""
    seen = Rows(monkeypatch)
    told = await say(driver, b'b LIST "" Many/* ' + ALL_FIGURES)
    figures = b"(MESSAGES 1 RECENT 1 DELETED 1 DELETED-STORAGE 4)"
    for name in (b"Many/7", b"Many/70/below"):
        assert b'* STATUS "%b" %b\r\n' % (name, figures) in told
    nothing = b"(MESSAGES 0 RECENT 0 DELETED 0 DELETED-STORAGE 0)\r\n"
    assert told.count(nothing) == 2 * MANY - 2
    assert seen.statements < 20


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (b"in*", [INBOX, OTHER]),
        (b"%b%", [INBOX]),
        (b"INBOX", [INBOX]),
        (b"inbox/*", [BELOW]),
        (b"iNbOx", [INBOX]),
        (b"inbo", []),
        (b"INBOX-%", []),
        (b"(Many/7 inbox)", [INBOX, SEVENTH]),
        (b"()", []),
        (b"(Many/70/* Many/7)", [SEVENTH, b'(\\HasNoChildren) "/" "Many/70/below"']),
    ],
)
async def test_narrow_patterns_find_what_wide_ones_do(
    driver: MemoryDriver, pattern: bytes, found: list[bytes]
) -> None:
    """INBOX in any case, but in what lies below it only where it is spelled out (RFC 9051 §5.1)."""
    assert b"c OK" in await say(driver, b"b CREATE INBOX/below\r\nc CREATE in")
    told = await say(driver, b'd LIST "" ' + pattern)
    assert told.splitlines()[:-1] == [b"* LIST " + each for each in found]
    assert told.splitlines()[-1].startswith(b"d OK")
