"""What others do between the steps of a command: rights, quotas and mailboxes that move on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module

import pytest

from mailbox_server.imap.telling.account_watch import Picture
from mailbox_server.imap.telling.notifications import Notifications
from mailbox_server.store.ports import Edit, FlagChange, WriteTx
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.shared_inbox import (
    SHARED,
    Deed,
    account,
    mailbox,
    say,
    shared_inbox,
)
from tests.dialogues.imap.world import message


@pytest.fixture
async def driver() -> AsyncIterator[MemoryDriver]:
    async with shared_inbox() as driver:
        yield driver


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


# ---------------------------------------------------------------- rights


@pytest.mark.parametrize(
    ("command", "letters"),
    [
        (b"STORE 1 +FLAGS (\\Flagged)", "w"),
        (b"STORE 1 +FLAGS (\\Seen)", "s"),
        (b"STORE 1 +FLAGS (\\Deleted)", "t"),
        (b"MOVE 1 INBOX", "t"),
        (b"MOVE 1 INBOX", "e"),
        (b"COPY 1 INBOX", "r"),
        (b"EXPUNGE", "e"),
        (b"UID EXPUNGE 2", "e"),
        (b"REPLACE 1 INBOX {12+}\r\nSubject: x\r\n", "t"),
        (b"COPY 1 " + SHARED, "i"),
        (b"MOVE 1 " + SHARED, "i"),
        (b"APPEND " + SHARED + b" {12+}\r\nSubject: x\r\n", "i"),
        (b"REPLACE 1 " + SHARED + b" {12+}\r\nSubject: x\r\n", "i"),
    ],
)
async def test_what_needs_a_right_is_refused_once_it_was_taken(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, command: bytes, letters: str
) -> None:
    """Nothing is done then, not even half (RFC 4314 §4)."""
    await say(driver, b"a SELECT " + SHARED, 2)
    await say(driver, b"b STORE 2 +FLAGS (\\Deleted)", 2)
    before_the_write(driver, monkeypatch, taking(letters))
    told = await say(driver, b"c " + command, 2)
    assert b"c NO [NOPERM]" in told
    assert b"EXPUNGE" not in told and b"COPYUID" not in told and b"FETCH" not in told
    assert b"(MESSAGES 3 UNSEEN 3)" in await say(driver, b"d STATUS INBOX (MESSAGES UNSEEN)")
    assert b"(MESSAGES 0)" in await say(driver, b"e STATUS INBOX (MESSAGES)", 2) or b"BYE" in told
    await say(driver, b"f SELECT INBOX")
    assert b"* SEARCH 1 3\r\n" in await say(driver, b"g SEARCH UNFLAGGED UNDELETED")


# ---------------------------------------------------------------- mailboxes


def deleting(name: str, owner: str = "ann", *, again: bool = False) -> Deed:
    """Delete a mailbox with all that is in it; again: another one takes its name."""

    def deed(tx: WriteTx) -> None:
        tx.mailboxes.delete(account(tx, owner), name)
        if again:
            tx.mailboxes.create(account(tx, owner), name)

    return deed


CHANGING = [
    b"STORE 1 +FLAGS (\\Flagged)",
    b"MOVE 1 INBOX",
    b"COPY 1 INBOX",
    b"EXPUNGE",
    b"UID EXPUNGE 1",
    b"FETCH 1 BODY[TEXT]",
    b"REPLACE 1 INBOX {12+}\r\nSubject: x\r\n",
]


@pytest.mark.parametrize(
    ("command", "again"), [(CHANGING[0], False), *((command, True) for command in CHANGING)]
)
async def test_the_selected_mailbox_is_deleted(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, command: bytes, *, again: bool
) -> None:
    """Another one of its name is another one: nothing of the command reaches it."""
    told = await say(driver, b"a CREATE Work\r\nb SELECT INBOX\r\nb COPY 1:3 Work\r\nc SELECT Work")
    assert b"c OK" in told
    await say(driver, b"d STORE 1 +FLAGS (\\Deleted)")
    before_the_write(driver, monkeypatch, deleting("Work", again=again))
    told = await say(driver, b"e " + command)
    assert b"* BYE [NONEXISTENT]" in told
    assert b"e NO" in told and b"SERVERBUG" not in told and b" FETCH (" not in told
    assert b"(MESSAGES 3)" in await say(driver, b"f STATUS " + SHARED + b" (MESSAGES)", 2)


@pytest.mark.parametrize(
    ("command", "again"),
    [(b"COPY 1", False), (b"MOVE 1", False), (b"REPLACE 1", False), (b"MOVE 1", True)],
)
async def test_the_target_is_deleted(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, command: bytes, *, again: bool
) -> None:
    """What bears the name when the messages are placed is what they are placed in."""
    await say(driver, b"a CREATE Work\r\nb SELECT INBOX")
    before_the_write(driver, monkeypatch, deleting("Work", again=again))
    literal = b" {12+}\r\nSubject: x\r\n" if command.startswith(b"REPLACE") else b""
    told = await say(driver, b"c " + command + b" Work" + literal)
    if not again:
        assert b"c NO [TRYCREATE]" in told and b"EXPUNGE" not in told
        assert b"(MESSAGES 3)" in await say(driver, b"d STATUS INBOX (MESSAGES)")
    else:
        assert b"c OK" in told
        told = await say(driver, b"d STATUS Work (MESSAGES UIDNEXT)")
        assert b"(MESSAGES 1 UIDNEXT 2)" in told


@pytest.mark.parametrize(
    ("command", "again"),
    [(b"APPEND Work", False), (b"APPEND Work", True), (b"REPLACE 1 Work", False)],
)
async def test_the_target_is_deleted_while_the_message_comes(
    driver: MemoryDriver, command: bytes, *, again: bool
) -> None:
    await say(driver, b"a CREATE Work\r\nb SELECT INBOX")
    assert b"+ OK" in await say(driver, b"c " + command + b" {12}")
    await driver.world.store.write(deleting("Work", again=again))
    told = await say(driver, b"Subject: x\r\n")
    assert (b"c OK" if again else b"c NO [TRYCREATE]") in told
    assert b"d OK" in await say(driver, b"d NOOP")


# ---------------------------------------------------------------- quotas


def limiting(octets: int, messages: int) -> Deed:
    def deed(tx: WriteTx) -> None:
        tx.accounts.set_quota(account(tx, "ann"), octets)
        tx.accounts.set_message_quota(account(tx, "ann"), messages)

    return deed


@pytest.mark.parametrize(("octets", "messages"), [(1, 0), (0, 3)])
@pytest.mark.parametrize(
    "command",
    [
        b"COPY 1 " + SHARED,
        b"MOVE 1 " + SHARED,
        b"APPEND " + SHARED + b" {12+}\r\nSubject: x\r\n {12+}\r\nSubject: x\r\n",
    ],
)
async def test_a_quota_that_falls_meanwhile_holds(
    driver: MemoryDriver,
    monkeypatch: pytest.MonkeyPatch,
    command: bytes,
    octets: int,
    messages: int,
) -> None:
    """The owner's, whoever brings the message; nothing comes and nothing goes."""
    await driver.given("account bob with INBOX of 1 messages")
    await say(driver, b"a SELECT INBOX", 2)
    before_the_write(driver, monkeypatch, limiting(octets, messages))
    told = await say(driver, b"b " + command, 2)
    assert b"b NO [OVERQUOTA]" in told and b"EXPUNGE" not in told
    assert b"(MESSAGES 3)" in await say(driver, b"c STATUS INBOX (MESSAGES)")
    assert b"(MESSAGES 1)" in await say(driver, b"d STATUS INBOX (MESSAGES)", 2)


# ---------------------------------------------------------------- between two writes


@pytest.mark.parametrize("letters", ["t", "e"])
async def test_what_was_moved_before_a_right_was_taken_is_told(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, letters: str
) -> None:
    """RFC 6851 §4.3: each message is in one place, and the client knows in which."""
    monkeypatch.setattr(import_module("mailbox_server.imap.commands.copy"), "ACROSS_A_STEP", 1)
    await say(driver, b"a SELECT " + SHARED, 2)
    before_the_write(driver, monkeypatch, taking(letters), at=2)
    told = await say(driver, b"b MOVE 1:3 INBOX", 2)
    assert b" 1 1] Moved\r\n" in told and told.count(b"COPYUID") == 1
    assert told.count(b" EXPUNGE\r\n") == 1 and b"b NO [NOPERM]" in told
    assert b"(MESSAGES 2)" in await say(driver, b"c STATUS INBOX (MESSAGES)")
    assert b"(MESSAGES 1)" in await say(driver, b"d STATUS INBOX (MESSAGES)", 2)


async def test_flags_changed_before_the_mailbox_was_deleted(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("mailbox_server.imap.commands.store"), "MESSAGES_A_STEP", 1)
    await say(driver, b"a CREATE Work\r\nb SELECT INBOX\r\nc COPY 1:3 Work\r\nd SELECT Work")
    before_the_write(driver, monkeypatch, deleting("Work"), at=2)
    told = await say(driver, b"e STORE 1:3 +FLAGS (work)")
    assert b"e NO [NONEXISTENT]" in told and b"* BYE [NONEXISTENT]" in told


async def told(driver: MemoryDriver, octets: bytes, client: int = 2) -> list[bytes]:
    """The FETCH lines of an answer."""
    answer = await say(driver, octets, client)
    return [line for line in answer.split(b"\r\n") if b" FETCH " in line]


async def test_who_reads_no_modseqs_is_not_told_what_another_has_seen(
    driver: MemoryDriver,
) -> None:
    """\\Seen is each reader's own (RFC 4314 §5.2): for bob nothing changed."""
    await say(driver, b"a SELECT INBOX")
    await say(driver, b"a STORE 1 +FLAGS.SILENT (\\Flagged)")
    await say(driver, b"b SELECT " + SHARED, 2)
    await say(driver, b"a STORE 1:2 +FLAGS (\\Seen)")
    assert await told(driver, b"b NOOP") == []
    await say(driver, b"a STORE 2 +FLAGS (\\Answered)")
    await say(driver, b"a STORE 1 -FLAGS (\\Seen)")
    assert await told(driver, b"b NOOP") == [b"* 2 FETCH (UID 2 FLAGS (\\Answered))"]
    # What is told after that is told in full.
    await say(driver, b"a STORE 1 -FLAGS (\\Flagged)")
    assert await told(driver, b"b NOOP") == [b"* 1 FETCH (UID 1 FLAGS ())"]


async def test_who_reads_modseqs_is_told_of_a_new_one(driver: MemoryDriver) -> None:
    """Or the next UNCHANGEDSINCE would fail for no reason that a client knows."""
    await say(driver, b"a SELECT INBOX")
    await say(driver, b"b SELECT " + SHARED + b" (CONDSTORE)", 2)
    await say(driver, b"a STORE 1 +FLAGS (\\Seen)")
    (line,) = await told(driver, b"b NOOP")
    assert line.startswith(b"* 1 FETCH (UID 1 FLAGS () MODSEQ (")


async def test_what_another_took_back_of_a_silent_store_is_told(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The view finds the flags as they were; the client expects what it has stored."""
    await say(driver, b"b SELECT " + SHARED, 2)
    write: Callable[..., Awaitable[object]] = driver.world.store.write

    def change(uid: int, edit: Edit, flag: str) -> Deed:
        change = FlagChange(edit, frozenset({flag}))
        return lambda tx: tx.messages.change_flags(mailbox(tx, "INBOX").id, [uid], change)

    async def amid(*arguments: object) -> object:
        await write(change(1, Edit.ADD, "\\Seen"))
        outcome = await write(*arguments)
        await write(change(2, Edit.REMOVE, "\\Flagged"))
        return outcome

    monkeypatch.setattr(driver.world.store, "write", amid)
    lines = await told(driver, b"b STORE 2 +FLAGS.SILENT (\\Flagged)")
    assert lines == [b"* 2 FETCH (UID 2 FLAGS ())"]


async def test_silence_holds_for_a_message_that_lies_in_several_steps(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9051 §6.4.6: the first step changes what is asked of the next one, too."""
    monkeypatch.setattr(import_module("mailbox_server.imap.commands.store"), "MESSAGES_A_STEP", 2)
    await say(driver, b"a CREATE Work\r\nb SELECT INBOX\r\nc COPY 1 Work\r\nd SELECT Work")
    for _ in range(4):
        await say(driver, b"e COPY 1:* Work")
    await say(driver, b"f NOOP")
    assert await told(driver, b"g STORE 1:16 +FLAGS.SILENT (\\Flagged)", 1) == []
    assert await told(driver, b"h STORE 1:16 FLAGS.SILENT (\\Seen)", 1) == []
    assert await told(driver, b"i NOOP", 1) == []
    # What is not named cannot be known to be the same message.
    assert len(await told(driver, b"j STORE 1:15 +FLAGS.SILENT (\\Flagged)", 1)) == 1
    lines = await told(driver, b"k FETCH 1:16 FLAGS", 1)
    assert len(lines) == 16 and all(b"\\Flagged \\Seen" in line for line in lines)


async def test_what_another_changes_between_two_silent_steps_is_told(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("mailbox_server.imap.commands.store"), "MESSAGES_A_STEP", 1)
    await say(driver, b"a CREATE Work\r\nb SELECT INBOX\r\nc COPY 1:3 Work\r\nd SELECT Work")
    await say(driver, b"e COPY 1:3 Work\r\nf NOOP")

    def answering(tx: WriteTx) -> None:
        change = FlagChange(Edit.ADD, frozenset({"\\Answered"}))
        tx.messages.change_flags(mailbox(tx, "Work").id, [2], change)

    before_the_write(driver, monkeypatch, answering, at=2)
    lines = await told(driver, b"g STORE 1:6 +FLAGS.SILENT (\\Flagged)", 1)
    assert [line.split(b" ")[1] for line in lines] == [b"2", b"5"]


async def mail_comes(driver: MemoryDriver) -> None:
    await driver.world.deliver("ann", "INBOX", message(4))


async def flags_change(driver: MemoryDriver) -> None:
    def deed(tx: WriteTx) -> None:
        change = FlagChange(Edit.ADD, frozenset({"\\Seen"}))
        tx.messages.change_flags(mailbox(tx, "INBOX").id, [2], change)

    await driver.world.store.write(deed)


@pytest.mark.parametrize(
    ("happens", "enabled", "told"),
    [
        (mail_comes, b"", b"(MESSAGES 4 UIDNEXT 5 UNSEEN 4)"),
        (flags_change, b"", b"(UNSEEN 2)"),
        (flags_change, b"CONDSTORE", b"(UNSEEN 2 UIDVALIDITY 1767323045 HIGHESTMODSEQ 6)"),
    ],
)
async def test_who_leaves_is_told_what_happened_while_others_were_looked_at(
    driver: MemoryDriver,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[MemoryDriver], Awaitable[None]],
    enabled: bytes,
    told: bytes,
) -> None:
    """RFC 5465 §5.2, §5.1: with STATUS once its mailbox is not selected any more."""
    look, is_over = Notifications.look, False

    async def behind(notifications: Notifications) -> tuple[Picture, Picture]:
        nonlocal is_over
        if not is_over:
            is_over = True
            await happens(driver)
        return await look(notifications)

    events = b"(MessageNew MessageExpunge FlagChange)"
    await say(driver, b"a NOTIFY SET (SELECTED " + events + b") (PERSONAL " + events + b")")
    await say(driver, b"b ENABLE " + enabled)
    await say(driver, b"c SELECT INBOX")
    monkeypatch.setattr(Notifications, "look", behind)
    came = await say(driver, b"d NOOP\r\ne UNSELECT\r\nf NOOP")
    assert b"EXISTS" not in came and b"FETCH" not in came
    assert came.count(b'* STATUS "INBOX" ' + told + b"\r\n") == 1
