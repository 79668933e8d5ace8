"""What scripts cannot write down: large messages, quotas, and a store in trouble."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import import_module
from typing import Any, Final

import pytest

from mailbox_server.imap.search.matching import deadline
from mailbox_server.model.errors import ContentDamaged, DiskLow
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.store import expunges, message_blocks
from mailbox_server.store.annotations import Annotations
from mailbox_server.store.doorbell import Doorbell
from mailbox_server.store.ports import FiledCopy, Room
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.world import World, message

LARGE: Final = (
    b"Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nfirst\r\n--b\r\n\r\n" + b"0123456789abcdef" * 16 * 1024 * 12 + b"\r\n--b--\r\n"
)


@pytest.fixture
async def driver() -> AsyncIterator[MemoryDriver]:
    driver = MemoryDriver(await World.open())
    await driver.given("account ann with INBOX of 2 messages")
    await driver.connect(1)
    yield driver
    await driver.close()


async def say(driver: MemoryDriver, octets: bytes) -> bytes:
    await driver.send(1, octets + b"\r\n")
    came = await driver.receive(1, wait=False)
    assert isinstance(came, bytes)
    return came


async def test_a_header_too_large_to_be_kept_is_refused(driver: MemoryDriver) -> None:
    """What is kept of a message to search and to list it must never be wrong."""
    header = b"Subject: x\r\n" + b"X-Long: %b\r\n" % (b"y" * 1000) * 1100
    told = await say(driver, b"b APPEND INBOX {%d+}\r\n%b\r\nbody" % (len(header) + 6, header))
    assert told.startswith(b"b NO [LIMIT]")
    assert b"* 3 EXISTS" not in await say(driver, b"c SELECT INBOX")


async def test_only_copies_where_it_files_its_own_yield(driver: MemoryDriver) -> None:
    """A copy elsewhere yields still, though it has the UID of one that is gone."""
    for copy in ("5 is filed for ann", "6 is filed for ann", "7 is filed for ann"):
        await driver.given(f"a copy of message {copy}")
    await driver.given("a copy of message 8 is filed for ann in INBOX")
    literals = [b" {%d+}\r\n%b" % (len(octets), octets) for octets in map(message, (7, 8))]
    assert b"b OK [APPENDUID" in await say(driver, b"b APPEND Sent" + b"".join(literals))
    inbox = await driver.world.store.read(lambda tx: tx.mailboxes.find(AccountId(1), "INBOX"))
    assert inbox is not None
    left = sorted((each.mailbox == inbox.id, each.uid) for each in await copies(driver.world))
    assert left == [(False, 1), (False, 2), (True, 3)]


async def test_a_copy_filed_meanwhile_yields_still(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same Message-ID was submitted again between the look for its copy and the write."""
    world, filed = driver.world, "a copy of message 7 is filed for ann"
    await driver.given(filed)
    write = world.store.write

    async def meanwhile(work: Any, contents: Any = ()) -> Any:
        monkeypatch.undo()
        await driver.given(filed)
        return await write(work, contents)

    literal = b"{%d+}\r\n%b" % (len(message(7)), message(7))
    monkeypatch.setattr(world.store, "write", meanwhile)
    assert b"b OK [APPENDUID" in await say(driver, b"b APPEND Sent " + literal)
    assert [each.uid for each in await copies(world)] == [2]
    newer = world.sent_copies.find(AccountId(1), "7@example.test")
    assert newer is not None and newer.uid == 2
    assert b"c OK [APPENDUID" in await say(driver, b"c APPEND Sent " + literal)
    assert await copies(world) == []
    assert world.sent_copies.find(AccountId(1), "7@example.test") is None
    await say(driver, b"d SELECT Sent")
    assert b"* SEARCH 3 4\r\n" in await say(driver, b"e UID SEARCH ALL")


async def test_what_a_client_files_is_known_when_it_sends_that(driver: MemoryDriver) -> None:
    world = driver.world
    await driver.given("account ann")
    literal = b"{%d+}\r\n%b" % (len(message(7)), message(7))
    assert b"a OK" in await say(driver, b"a APPEND Drafts " + literal)
    assert b"b OK" in await say(driver, b"b APPEND Sent " + literal)
    brought = world.sent_copies.same(AccountId(1), "7@example.test", b"")
    sent = await world.store.read(lambda tx: tx.mailboxes.find(AccountId(1), "Sent"))
    assert brought is not None and sent is not None
    assert (brought.mailbox, brought.uid) == (sent.id, 1)
    assert world.sent_copies.find(AccountId(1), "7@example.test") is None, "it does not yield"
    world.clock.turn(timedelta(seconds=3_601))
    assert world.sent_copies.same(AccountId(1), "7@example.test", b"") is None


async def copies(world: World) -> list[FiledCopy]:
    """Those that yield, as they are known after a restart."""
    now = world.clock.now()
    return await world.store.read(lambda tx: tx.sent_copies.since(now, 9))


async def test_who_asks_hears_of_mail_that_did_not_ring(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(driver, b"a SELECT INBOX")
    assert await say(driver, b"b NOOP") == b"b OK Done\r\n"
    monkeypatch.setattr(Doorbell, "ring", lambda bell, touched: None)
    await driver.world.deliver("ann", "INBOX", message(3))
    assert b"EXISTS" not in await say(driver, b"c FETCH 1 UID")
    assert await say(driver, b"d NOOP") == b"* 3 EXISTS\r\n* 3 RECENT\r\nd OK Done\r\n"
    assert await say(driver, b"e CHECK") == b"e OK Done\r\n"


async def test_a_large_message_comes_back_octet_for_octet(driver: MemoryDriver) -> None:
    assert len(LARGE) > 3_000_000
    await say(driver, b"a SELECT INBOX")
    told = await say(driver, b"b APPEND INBOX {%d+}\r\n%b" % (len(LARGE), LARGE))
    assert b"* 3 EXISTS" in told and b"b OK [APPENDUID" in told
    told = await say(driver, b"c FETCH 2:3 (BODY.PEEK[] UID)")
    start = told.index(b"* 3 FETCH (BODY[] {%d}\r\n" % len(LARGE))
    start = told.index(b"\r\n", start) + 2
    found = told[start : start + len(LARGE)]
    assert hashlib.sha256(found).digest() == hashlib.sha256(LARGE).digest()
    assert told[start + len(LARGE) :] == b" UID 3)\r\nc OK That is all\r\n"
    told = await say(driver, b"d FETCH 3 (BODY[1] BODY.PEEK[2]<3145720.100> RFC822.SIZE)")
    assert told.startswith(b"* 3 FETCH (BODY[1] {5}\r\nfirst BODY[2]<3145720> {8}\r\n89abcdef ")
    assert b"RFC822.SIZE %d FLAGS (\\Seen \\Recent))" % len(LARGE) in told


async def test_a_large_binary_part_comes_back_octet_for_octet(driver: MemoryDriver) -> None:
    data = bytes(range(256)) * 8 * 1024
    message = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Transfer-Encoding: binary\r\n\r\n%b\r\n--b--\r\n" % data
    )
    await say(driver, b"a SELECT INBOX")
    told = await say(driver, b"b APPEND INBOX ~{%d+}\r\n%b" % (len(message), message))
    assert b"b OK [APPENDUID" in told
    told = await say(driver, b"c FETCH 3 (BINARY.SIZE[1] BINARY.PEEK[1])")
    opening = b"* 3 FETCH (BINARY.SIZE[1] %d BINARY[1] ~{%d}\r\n" % (len(data), len(data))
    assert told == opening + data + b")\r\nc OK That is all\r\n"
    told = await say(driver, b"d FETCH 3 BODY.PEEK[]")
    assert b"\0" not in told and len(told) > len(data) * 4 // 3
    told = await say(driver, b"e FETCH 3 BINARY.PEEK[1]<2000000.300>")
    assert told.startswith(b"* 3 FETCH (BINARY[1]<2000000> ~{300}\r\n" + data[2000000:2000300])


async def test_an_append_over_the_quota_is_refused_before_its_literal(
    driver: MemoryDriver,
) -> None:
    world = driver.world
    account = world.store.glance(lambda tx: tx.accounts.all())[0].id
    await world.store.write(lambda tx: tx.accounts.set_quota(account, 1_000))
    assert await say(driver, b"a APPEND INBOX {900}") == (
        b"a NO [OVERQUOTA] The account would be over its quota\r\n"
    )
    told = await say(driver, b"b APPEND INBOX {400+}\r\n%b {400}" % (b"a: b\r\n\r\n" + b"x" * 392))
    assert told.startswith(b"b NO [OVERQUOTA]")
    assert b"(MESSAGES 2)" in await say(driver, b"c STATUS INBOX (MESSAGES)")


async def test_a_low_disk_refuses_append_before_its_literal_and_lets_reading_go_on(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = driver.world.store
    monkeypatch.setattr(store, "room", lambda: Room.LOW)

    async def no_room(work: object) -> None:
        raise DiskLow("full")

    await say(driver, b"a SELECT INBOX")
    monkeypatch.setattr(store, "write", no_room)
    assert (await say(driver, b"b APPEND INBOX {900}")).startswith(b"b NO [UNAVAILABLE]")
    assert await say(driver, b"c FETCH 1 (BODY[TEXT])") == (
        b"* 1 FETCH (BODY[TEXT] {20}\r\nThis is message 1.\r\n)\r\nc OK That is all\r\n"
    )
    assert (await say(driver, b"d STORE 1 +FLAGS (\\Seen)")).startswith(b"d NO [UNAVAILABLE]")
    monkeypatch.undo()


async def test_a_full_disk_lets_in_to_delete_what_came_last(driver: MemoryDriver) -> None:
    """K: room is made by deleting, and who deletes must SELECT first, new mail or not."""
    store = driver.world.store
    assert store._reserve.open()
    assert (await say(driver, b"a CREATE More")).startswith(b"a NO [UNAVAILABLE]")
    told = await say(driver, b"b SELECT INBOX")
    assert b"* 2 RECENT\r\n" in told and b"b OK [READ-WRITE]" in told
    assert b"c OK" in await say(driver, b"c STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    assert b"* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n" in await say(driver, b"d EXPUNGE")


async def test_a_client_that_hangs_up_in_its_literal_leaves_nothing(driver: MemoryDriver) -> None:
    await driver.send(1, b"a APPEND INBOX {100000+}\r\nSubject: half")
    await driver.receive(1, wait=False)
    await driver.hang_up(1)
    await driver.connect(2)
    await driver.send(2, b"b STATUS INBOX (MESSAGES)\r\n")
    came = await driver.receive(2, wait=False)
    assert isinstance(came, bytes) and b"(MESSAGES 2)" in came


async def test_too_many_keywords_are_a_limit(driver: MemoryDriver) -> None:
    await say(driver, b"a SELECT INBOX")
    for first in range(0, 500, 100):
        words = b" ".join(b"k%d" % number for number in range(first, first + 100))
        told = await say(driver, b"b STORE 1 +FLAGS.SILENT (%b)" % words)
        assert told.endswith(b"b OK Stored\r\n")
    assert b"\\*" not in told
    told = await say(driver, b"c STORE 2 +FLAGS (one.more)")
    assert told.endswith(b"c NO [LIMIT] The mailbox holds as many keywords as it may\r\n")
    told = await say(driver, b"d STORE 2 +FLAGS.SILENT (K499)")
    assert told.endswith(b"d OK Stored\r\n")


async def test_stores_in_steps_reach_every_message(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await driver.given("account ann with INBOX of 5 messages")
    for name in ("commands.store", "commands.copy", "commands.expunge", "fetch.fetch_answers"):
        # The package of commands has functions of the same names.
        module = import_module(f"mailbox_server.imap.{name}")
        monkeypatch.setattr(module, "MESSAGES_A_STEP", 2)
    await say(driver, b"a SELECT INBOX")
    told = await say(driver, b"b FETCH 1:7 BODY[TEXT]")
    assert told.count(b"FLAGS (\\Seen \\Recent))") == 7
    told = await say(driver, b"c STORE 1:7 +FLAGS (\\Deleted)")
    assert told.count(b" FETCH ") == 7
    told = await say(driver, b"d UID EXPUNGE 1:3")
    assert told.count(b"* 1 EXPUNGE") == 3
    told = await say(driver, b"e MOVE 1:3 Trash")
    assert told.count(b"COPYUID") == 2 and told.count(b"* 1 EXPUNGE") == 3
    told = await say(driver, b"f FETCH 1:* UID")
    assert told == b"* 1 FETCH (UID 7)\r\nf OK That is all\r\n"


async def test_a_dear_step_is_told_in_the_parts_it_goes_in(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a large account whose messages are scattered."""
    monkeypatch.setattr(expunges, "_SMALL_ACCOUNT", 0)
    monkeypatch.setattr(expunges, "DEAR_STEP", 2)
    await driver.given("account ann with INBOX of 6 messages")
    await say(driver, b"a SELECT INBOX")
    monkeypatch.setattr(message_blocks, "are_scattered", lambda *_: True)
    await say(driver, b"b COPY 1:8 Trash")
    await say(driver, b"c STORE 1:8 +FLAGS.SILENT (\\Deleted)")
    told = await say(driver, b"d UID EXPUNGE 1:7")
    assert told.count(b"* 1 EXPUNGE") == 7 and told.endswith(b"d OK Expunged\r\n")
    told = await say(driver, b"e EXPUNGE")
    assert told.count(b"* 1 EXPUNGE") == 1
    assert b"(MESSAGES 8)" in await say(driver, b"f STATUS Trash (MESSAGES)")


async def test_sessions_at_once_keep_every_flag(driver: MemoryDriver) -> None:
    """Conflicting commands of several sessions: nothing is lost, numbers never lie."""
    for client in range(2, 6):
        await driver.connect(client)
    for client in range(1, 6):
        await driver.send(client, b"a SELECT INBOX\r\n")
    await asyncio.gather(
        *(
            driver.send(
                client,
                b"".join(
                    b"b%d UID STORE 1:2 +FLAGS.SILENT (k%d.%d)\r\n" % (turn, client, turn)
                    for turn in range(5)
                ),
            )
            for client in range(1, 6)
        )
    )
    for client in range(1, 6):
        await driver.receive(client, wait=False)
    told = await say(driver, b"c UID FETCH 2 (FLAGS)")
    line = next(line for line in told.split(b"\r\n") if line.startswith(b"* 2 FETCH"))
    for client in range(1, 6):
        for turn in range(5):
            assert b"k%d.%d" % (client, turn) in line


async def test_one_damaged_content_hides_no_other_and_its_seen_is_told(
    driver: MemoryDriver,
) -> None:
    await say(driver, b"a ENABLE CONDSTORE")
    await say(driver, b"b APPEND INBOX {9+}\r\na: b\r\n\r\nc")
    await say(driver, b"c SELECT INBOX")

    def flip(tx: Any) -> None:
        tx.sql.cursor().execute(
            "UPDATE content_chunk SET octets = x'6f6e66'"
            " WHERE id = (SELECT min(id) + (1 << 12) FROM content_chunk)"
        )

    await driver.world.store.write(flip)
    told = await say(driver, b"d FETCH 1:3 (UID BODY[TEXT])")
    assert told.count(b"BODY[TEXT]") == 2
    assert b"* 1 FETCH (UID 1 BODY[TEXT] {" in told
    assert b"* 3 FETCH (UID 3 BODY[TEXT] {1}\r\nc FLAGS (\\Seen \\Recent) MODSEQ (" in told
    assert b"* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent) MODSEQ (" in told
    assert b"d NO [CORRUPTION] Some of the messages are damaged here\r\n" in told
    assert told.count(b"FLAGS (\\Seen") == 3
    assert b" FETCH " not in await say(driver, b"e NOOP")


async def test_a_catenate_over_the_quota_copies_nothing(driver: MemoryDriver) -> None:
    """RFC 4469: what URLs bring counts as if the client had sent it."""
    world = driver.world
    account = world.store.glance(lambda tx: tx.accounts.all())[0].id
    await world.store.write(lambda tx: tx.accounts.set_quota(account, 600))
    urls = b" URL /INBOX/;UID=2/;SECTION=TEXT" * 12
    told = await say(driver, b"a APPEND INBOX CATENATE (URL /INBOX/;UID=1%b TEXT {5}" % urls)
    assert told.startswith(b"a NO [OVERQUOTA]")
    assert b"(MESSAGES 2)" in await say(driver, b"c STATUS INBOX (MESSAGES)")


async def test_large_parts_are_catenated_in_blocks(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than a block of what a URL names is in memory at once."""
    await say(driver, b"a APPEND INBOX {%d+}\r\n%b" % (len(LARGE), LARGE))
    store, read, most = driver.world.store, driver.world.store.read, 0

    async def measured(work: Any) -> Any:
        nonlocal most
        found = await read(work)
        most = max(most, len(found) if isinstance(found, bytes) else 0)
        return found

    monkeypatch.setattr(store, "read", measured)
    url = b"/INBOX/;UID=3"
    told = await say(driver, b"b APPEND INBOX CATENATE (URL %b URL %b/;SECTION=2)" % (url, url))
    assert b"b OK [APPENDUID" in told and 0 < most <= 1 << 17
    monkeypatch.undo()
    await say(driver, b"c SELECT INBOX")
    told = await say(driver, b"d FETCH 4 BODY.PEEK[]")
    begin = told.index(b"}\r\n") + 3
    part = b"0123456789abcdef" * 16 * 1024 * 12
    assert told[begin : begin + len(LARGE) + len(part)] == LARGE + part


async def test_a_url_whose_content_is_damaged_is_told(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("mailbox_server.delivery.message_parts")
    monkeypatch.setattr(module, "read_extent", damaged)
    told = await say(driver, b"a APPEND INBOX CATENATE (URL /INBOX/;UID=1)")
    assert told.startswith(b'a NO [BADURL "/INBOX/;UID=1"]')
    assert b"(MESSAGES 2)" in await say(driver, b"c STATUS INBOX (MESSAGES)")


def damaged(*_: object) -> bytes:
    raise ContentDamaged("bits fell over")


async def authorized(driver: MemoryDriver, path: bytes) -> bytes:
    """An authorized URL of ann's."""
    told = await say(
        driver, b"u GENURLAUTH imap://ann@example.test%b;URLAUTH=authuser INTERNAL" % path
    )
    return told.split(b'"')[1]


async def test_a_large_part_is_fetched_by_its_url_in_blocks(driver: MemoryDriver) -> None:
    await say(driver, b"a APPEND INBOX {%d+}\r\n%b" % (len(LARGE), LARGE))
    url = await authorized(driver, b"/INBOX/;UID=3")
    told = await say(driver, b"b URLFETCH %b %b" % (url, url))
    head = b'* URLFETCH "%b" {%d}\r\n' % (url, len(LARGE))
    assert told == (head + LARGE + b"\r\n") * 2 + b"b OK That is all\r\n"


async def test_a_url_whose_content_breaks_is_nil_or_ends_the_connection(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a literal that has begun nothing can be said any more."""
    await say(driver, b"a APPEND INBOX {%d+}\r\n%b" % (len(LARGE), LARGE))
    url = await authorized(driver, b"/INBOX/;UID=3")
    module = import_module("mailbox_server.delivery.message_parts")
    read, count = module.read_extent, 0

    def breaking(*arguments: Any) -> bytes:
        nonlocal count
        count += 1
        return damaged() if count in (1, 4) else read(*arguments)

    monkeypatch.setattr(module, "read_extent", breaking)
    told = await say(driver, b"b URLFETCH " + url)
    assert told == b'* URLFETCH "%b" NIL\r\nb OK That is all\r\n' % url
    told = await say(driver, b"c URLFETCH " + url)
    assert told.startswith(b'* URLFETCH "%b" {%d}\r\n' % (url, len(LARGE)))
    assert len(told) < len(LARGE) and b"c OK" not in told
    (fault,) = driver.world.faults
    assert isinstance(fault, ContentDamaged)
    driver.world.faults.clear()


async def test_moves_between_accounts_go_in_steps(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a message of its own, so that a large MOVE would keep all other writes waiting."""
    copying = import_module("mailbox_server.imap.commands.copy")
    monkeypatch.setattr(copying, "ACROSS_A_STEP", 1)
    await driver.given("account bob")
    await driver.given("client 2 is bob")
    await driver.connect(2)
    await driver.send(2, b"x SETACL INBOX ann lri\r\n")
    await driver.receive(2, wait=True)
    await say(driver, b"a SELECT INBOX")
    there = b'"Other users/bob@example.test/INBOX"'
    told = await say(driver, b"d MOVE 1:2 " + there)
    assert told.count(b"* OK [COPYUID") == 2 and b"d OK" in told
    # Inside an account nothing is made anew.
    assert b"e OK" in await say(driver, b"e COPY 1:* Sent")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("sort", b"SORT (REVERSE SUBJECT) UTF-8 ALL"),
        ("sort", b"SORT RETURN (SAVE) (SIZE) UTF-8 ALL"),
        ("thread", b"THREAD REFERENCES UTF-8 ALL"),
    ],
)
async def test_sorting_ends_when_its_time_is_up(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, name: str, command: bytes
) -> None:
    """The search before it has a time of its own."""
    await driver.given("account ann with INBOX of 5 messages")
    await say(driver, b"a SELECT INBOX")
    await say(driver, b"b SEARCH RETURN (SAVE) ALL")
    module = import_module(f"mailbox_server.imap.commands.{name}")
    monkeypatch.setattr(module, "deadline", lambda clock: deadline(clock, clock.monotonic() - 1))
    assert b"c NO [LIMIT] " in await say(driver, b"c " + command)
    saved = await say(driver, b"d SEARCH $")
    assert saved.startswith(b"* SEARCH\r\n") is (b"SAVE" in command)


async def test_only_annotations_that_are_told_are_read(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    value = Annotations.value

    def noted(
        self: Annotations, account: AccountId, mailbox: MailboxId | None, entry: str
    ) -> bytes | None:
        read.append(entry)
        return value(self, account, mailbox, entry)

    monkeypatch.setattr(Annotations, "value", noted)
    await driver.given("account ann with INBOX of 1 messages")
    await say(driver, b'a SETMETADATA INBOX (/private/a/b "1" /private/a/c "long" /private/d "2")')
    told = await say(driver, b"b GETMETADATA INBOX (DEPTH 1 MAXSIZE 3) (/private/a /private/e)")
    assert b'* METADATA "INBOX" (/private/a/b "1")\r\n' in told and b"LONGENTRIES 4" in told
    assert read == ["/private/a/b"]
