"""What a session asks of the store, what it holds, and what it says when things go wrong."""

import base64
import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
import scramp

from mailbox_server.auth.outcomes import Service, Visitor
from mailbox_server.model.account import Account, AccountState, Scope
from mailbox_server.model.errors import ContentDamaged, DiskLow, StoreUnavailable, TooBusy
from mailbox_server.model.keywords import SEEN
from mailbox_server.net.tls_ends import TlsEnds
from mailbox_server.pop3.capabilities import Tls
from mailbox_server.pop3.engine import Engine
from mailbox_server.pop3.locks import MaildropLocks
from mailbox_server.pop3.session import Pop3Services, Session
from mailbox_server.pop3.settings import (
    Pop3Limits,
    Pop3Settings,
    Removal,
    Retrieved,
    SecondSession,
)
from tests.unit.auth.house import House
from tests.unit.auth.memory_store import Messages

LIMITS = Pop3Limits(block_octets=1_000, prefetch_octets=1_000, prefetch_messages=8)
SETTINGS = Pop3Settings(hostname="mail.example.org", limits=LIMITS)


class Client:
    """An engine and a session with everything that was written, and how."""

    def __init__(self, place: "Place", settings: Pop3Settings) -> None:
        visitor = Visitor(ipaddress.ip_address("192.0.2.7"), Service.POP3, Scope.READ, "c1")
        self.tls = Tls.ACTIVE
        self.written: list[bytes] = []
        self.drains = 0
        self.is_closed = self.is_aborted = self.is_lost = False
        self.engine = Engine(settings.limits.line_octets)
        self.session = Session(place.services, settings, visitor, self)

    def write(self, octets: bytes) -> None:
        self.written.append(octets)

    async def drained(self) -> None:
        self.drains += 1
        if self.is_lost:
            raise ConnectionResetError

    tls_ends: TlsEnds | None = None

    def start_tls(self) -> None:
        raise AssertionError("not here")

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    async def say(self, *lines: str) -> bytes:
        """Send lines; all that was answered."""
        self.written.clear()
        self.engine.receive("".join(line + "\r\n" for line in lines).encode())
        while not self.session.is_over:
            waits = self.session.awaits_response
            event = self.engine.next_response() if waits else self.engine.next_command()
            if event is None:
                break
            await self.session.handle(event)
        return b"".join(self.written)

    async def log_in(self) -> bytes:
        return await self.say("USER ann@example.org", "PASS secret")


class Place:
    """A house with Ann in it."""

    def __init__(self) -> None:
        self.house = House()
        self.store = self.house.store
        self.ann: Account = self.store.add_account(
            "ann@example.org", self.house.passwords.credentials("secret")
        )
        self.locks = MaildropLocks()
        self.services = Pop3Services(
            self.store,  # type: ignore[arg-type]
            self.house.authenticator,
            self.locks,
            self.house.clock,
            self.house.events,
        )

    def fill(self, count: int, size: int = 20) -> None:
        for number in range(count):
            head = b"N: %d\r\n\r\n" % number
            self.store.add_message(self.ann, head + b"x" * (size - len(head) - 2) + b"\r\n")

    async def client(self, settings: Pop3Settings = SETTINGS) -> Client:
        client = Client(self, settings)
        assert (await client.log_in()).startswith(b"+OK send PASS\r\n+OK maildrop")
        return client


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.house.crunch.close()


# Reading


async def test_messages_taken_one_after_the_other_are_read_together(place: Place) -> None:
    place.fill(20)
    client = await place.client()
    place.store.reads = 0
    for number in range(1, 21):
        assert (await client.say(f"RETR {number}")).startswith(b"+OK 20 octets\r\nN: ")
    # 1 alone, then 2-9, 10-17, 18-20.
    assert place.store.reads == 4


async def test_messages_taken_here_and_there_are_read_one_by_one(place: Place) -> None:
    place.fill(20)
    client = await place.client()
    place.store.content_reads = 0
    for number in (20, 3, 11, 7):
        await client.say(f"RETR {number}")
    assert place.store.content_reads == 4


async def test_reading_ahead_is_bounded_in_octets_and_skips_deleted_messages(place: Place) -> None:
    place.fill(10, size=400)
    client = await place.client()
    await client.say("DELE 3", "RETR 1")
    place.store.content_reads = 0
    await client.say("RETR 2")
    # 2 and 4: the next would pass 1,000 octets.
    assert place.store.content_reads == 2
    assert client.session._opened is not None
    ahead = client.session._opened.retrieval._ahead
    assert list(ahead) == [3]
    assert sum(len(letter.beginning) for letter in ahead.values()) <= 1_000
    assert (await client.say("RETR 4")).count(b"N: 3\r\n") == 1


async def test_a_large_message_travels_in_blocks_each_after_the_one_before(place: Place) -> None:
    place.fill(1, size=10_500)
    client = await place.client()
    place.store.reads, client.drains = 0, 0
    answer = await client.say("RETR 1")
    assert answer.startswith(b"+OK 10500 octets\r\nN: 0\r\n\r\nxxx")
    assert answer.endswith(b"xx\r\n.\r\n")
    assert len(answer) == 10_500 + len(b"+OK 10500 octets\r\n") + 3
    assert place.store.reads == 11
    assert client.drains >= 11
    assert max(map(len, client.written)) <= 1_100


@pytest.mark.parametrize(
    ("end", "added"), [(b"", 2), (b"\r\n", 0), (b"\n", 2), (b"\r", 2), (b"\r\n.", 2)]
)
@pytest.mark.parametrize("middle", [b"", b"\r\n" + b"x" * 2_500])
async def test_sizes_are_what_is_sent(place: Place, end: bytes, added: int, middle: bytes) -> None:
    """A message without CRLF at its end gets one, which every size counts (RFC 1939 §11)."""
    octets = b"N: 1\r\n\r\nbody" + middle + end
    place.store.add_message(place.ann, octets)
    client = await place.client()
    size = len(octets) + added
    assert await client.say("STAT") == b"+OK 1 %d\r\n" % size
    assert await client.say("LIST 1") == b"+OK 1 %d\r\n" % size
    answer = await client.say("RETR 1")
    head, _, sent = answer.partition(b"\r\n")
    assert head == b"+OK %d octets" % size
    assert len(sent.replace(b"\r\n..", b"\r\n.")) == size + len(b".\r\n")


async def test_a_small_message_leaves_in_one_write(place: Place) -> None:
    place.fill(1)
    client = await place.client()
    await client.say("RETR 1")
    assert len(client.written) == 1


async def test_top_reads_no_further_than_it_must(place: Place) -> None:
    place.store.add_message(place.ann, b"A: b\r\n\r\n" + b"line\r\n" * 10_000)
    client = await place.client()
    place.store.content_reads = 0
    answer = await client.say("TOP 1 3")
    assert answer.endswith(b"A: b\r\n\r\nline\r\nline\r\nline\r\n.\r\n")
    assert place.store.content_reads == 1
    assert (await client.say("TOP 1 9999999999")).count(b"line\r\n") == 10_000


async def test_dots_at_the_edge_of_a_block_are_doubled(place: Place) -> None:
    head = b"A: b\r\n\r\n"
    body = b"x" * (1_000 - len(head) - 2) + b"\r\n.\r\nend\r\n"
    place.store.add_message(place.ann, head + body)
    client = await place.client()
    assert b"\r\n..\r\nend\r\n.\r\n" in await client.say("RETR 1")


async def test_sizes_are_read_once_and_in_bounded_steps(place: Place) -> None:
    place.fill(9_000)
    client = await place.client()
    place.store.reads = place.store.row_calls = 0
    assert await client.say("STAT") == b"+OK 9000 180000\r\n"
    assert (place.store.reads, place.store.row_calls) == (3, 18)
    listing = await client.say("LIST")
    assert listing.startswith(b"+OK 9000 messages (180000 octets)\r\n1 20\r\n2 20\r\n")
    assert listing.endswith(b"9000 20\r\n.\r\n")
    assert place.store.reads == 3
    assert client.drains >= 4
    assert (await client.say("UIDL")).count(b"\r\n") == 9_002


async def test_unique_ids_are_what_the_rfc_allows(place: Place) -> None:
    place.fill(3)
    client = await place.client()
    lines = (await client.say("UIDL")).split(b"\r\n")[1:4]
    ids = [line.split(b" ")[1] for line in lines]
    assert len(set(ids)) == 3
    assert all(1 <= len(i) <= 70 and all(0x21 <= octet <= 0x7E for octet in i) for i in ids)
    inbox = place.store.inbox(place.ann)
    assert ids[0] == f"{inbox.uid_validity}-{place.store.uids_in(place.ann)[0]}".encode()


# Messages that go meanwhile


async def test_a_message_expunged_meanwhile_is_still_read(place: Place) -> None:
    place.fill(2)
    client = await place.client()
    inbox = place.store.inbox(place.ann).id
    uid = place.store.uids_in(place.ann)[0]
    place.store.tombs[inbox, uid] = place.store.placements.pop((inbox, uid))
    assert (await client.say("RETR 1")).startswith(b"+OK 20 octets")


async def test_a_message_that_is_gone_for_good_is_said_to_be(place: Place) -> None:
    place.fill(3)
    client = await place.client()
    inbox = place.store.inbox(place.ann).id
    one, two, three = place.store.uids_in(place.ann)
    del place.store.placements[inbox, one]
    place.store.lost_contents.add(place.store.placements[inbox, two])
    gone = b"-ERR the message was removed by another session\r\n"
    assert await client.say("RETR 1") == gone
    assert await client.say("RETR 2") == gone
    assert await client.say("TOP 2 0") == gone
    assert (await client.say("RETR 3")).startswith(b"+OK")
    assert await client.say("STAT") == b"+OK 3 40\r\n"
    assert three


async def test_a_lost_content_does_not_hurt_the_message_before_it(place: Place) -> None:
    place.fill(4)
    client = await place.client()
    inbox = place.store.inbox(place.ann).id
    third = place.store.uids_in(place.ann)[2]
    place.store.lost_contents.add(place.store.placements[inbox, third])
    await client.say("RETR 1")
    assert (await client.say("RETR 2")).startswith(b"+OK")
    assert (await client.say("RETR 3")).startswith(b"-ERR")
    assert (await client.say("RETR 4")).startswith(b"+OK")


async def test_a_damaged_content_does_not_hurt_its_neighbors(place: Place) -> None:
    place.fill(4)
    client = await place.client()
    inbox = place.store.inbox(place.ann).id
    third = place.store.uids_in(place.ann)[2]
    place.store.damaged_contents.add(place.store.placements[inbox, third])
    for number, answer in enumerate((b"+OK", b"+OK", b"-ERR [SYS/TEMP]", b"+OK"), 1):
        assert (await client.say(f"RETR {number}")).startswith(answer)


@pytest.mark.parametrize(
    "error", [StoreUnavailable("down"), ContentDamaged("flipped"), KeyError("bug"), TooBusy("full")]
)
async def test_trouble_before_an_answer_is_temporary(place: Place, error: Exception) -> None:
    place.fill(2)
    client = await place.client()
    place.store.broken = error
    for command in ("RETR 1", "STAT", "LIST", "TOP 1 1"):
        answer = await client.say(command)
        assert answer == b"-ERR [SYS/TEMP] trouble on our side, try again later\r\n"
    place.store.broken = None
    assert (await client.say("RETR 1")).startswith(b"+OK")


@pytest.mark.parametrize("error", [StoreUnavailable("down"), KeyError("bug")])
async def test_trouble_in_the_middle_of_a_message_ends_the_connection(
    place: Place, error: Exception
) -> None:
    place.fill(1, size=5_000)
    client = await place.client()
    write = client.write

    def write_and_break(octets: bytes) -> None:
        place.store.broken = error
        write(octets)

    client.write = write_and_break  # type: ignore[method-assign]
    answer = await client.say("RETR 1")
    assert not answer.endswith(b".\r\n")
    assert client.is_aborted
    assert client.session.is_over


async def test_a_content_shorter_than_its_row_ends_the_connection(place: Place) -> None:
    place.fill(1, size=5_000)
    client = await place.client()
    content = place.store.placements[place.store.inbox(place.ann).id, 101]
    await client.say("STAT")
    whole = place.store.contents[content]
    real = place.store._tx.contents.read
    place.store._tx.contents.read = lambda c, start, length: real(c, start, length)[: 3_000 - start]
    assert not (await client.say("RETR 1")).endswith(b".\r\n")
    assert client.is_aborted
    assert len(whole) == 5_000


async def test_a_lost_line_passes_out_of_the_session(place: Place) -> None:
    place.fill(1, size=5_000)
    client = await place.client()
    client.is_lost = True
    with pytest.raises(ConnectionResetError):
        await client.say("RETR 1")


# Logging in


async def scram(client: Client, password: str) -> bytes:
    exchange = scramp.ScramClient(["SCRAM-SHA-256"], "ann@example.org", password)
    first = base64.b64encode(exchange.get_client_first().encode()).decode()
    answer = await client.say(f"AUTH SCRAM-SHA-256 {first}")
    exchange.set_server_first(base64.b64decode(answer[2:-2]).decode())
    final = base64.b64encode(exchange.get_client_final().encode()).decode()
    answer = await client.say(final)
    if answer.startswith(b"+ "):
        exchange.set_server_final(base64.b64decode(answer[2:-2]).decode())
        answer = await client.say("")
    return answer


async def test_scram(place: Place) -> None:
    client = Client(place, SETTINGS)
    assert await scram(client, "wrong") == b"-ERR [AUTH] wrong login or password\r\n"
    assert await scram(client, "secret") == b"+OK maildrop has 0 messages\r\n"


async def test_a_store_that_is_down_at_login(place: Place) -> None:
    place.store.broken = StoreUnavailable("down")
    client = Client(place, SETTINGS)
    for _ in range(5):
        assert (await client.log_in()).endswith(
            b"-ERR [SYS/TEMP] trouble on our side, try again later\r\n"
        )
    assert not client.is_closed


async def test_an_inbox_that_cannot_be_opened_gives_everything_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(SETTINGS, second_session=SecondSession.REFUSE)
    client = Client(place, settings)

    async def fail(work: Any) -> Any:
        raise StoreUnavailable("down")

    with monkeypatch.context() as broken:
        broken.setattr(place.store, "read", fail)
        assert (await client.log_in()).endswith(
            b"-ERR [SYS/TEMP] trouble on our side, try again later\r\n"
        )
    assert (await client.log_in()).endswith(b"+OK maildrop has 0 messages\r\n")


async def test_throttled_logins_are_temporary_and_end_the_connection(place: Place) -> None:
    for n in range(10):
        client = Client(place, SETTINGS)
        await client.say("USER ann@example.org", f"PASS wrong {n}")
    client = Client(place, SETTINGS)
    for _ in range(3):
        answer = await client.log_in()
        assert answer.endswith(b"-ERR [SYS/TEMP] too many failed logins, try again later\r\n")
    assert client.is_closed


async def test_what_was_held_is_given_back_however_a_session_ends(place: Place) -> None:
    settings = replace(SETTINGS, second_session=SecondSession.REFUSE)
    for end in ("QUIT", "line lost", "shut down"):
        client = await place.client(settings)
        assert not place.locks.take(place.ann.id)
        if end == "QUIT":
            await client.say("QUIT")
        elif end == "line lost":
            client.session.ended()
        else:
            client.session.shut_down()
            assert client.written[-1] == b"-ERR [SYS/TEMP] the server is shutting down\r\n"
        client.session.ended()
        assert place.locks.take(place.ann.id)
        place.locks.release(place.ann.id)


# Logins that end


async def test_a_disabled_account_ends_its_idle_session(place: Place) -> None:
    client = await place.client()
    place.store.set_state(place.ann, AccountState.DISABLED)
    place.house.clock.seconds += 5
    client.session.check_login()
    assert client.written[-1] == b"-ERR [SYS/PERM] this login is no longer valid\r\n"
    assert client.is_closed
    client.session.check_login()
    assert client.written.count(client.written[-1]) == 1


async def test_a_changed_password_ends_the_session_at_the_next_command(place: Place) -> None:
    place.fill(1)
    client = await place.client()
    await client.say("DELE 1")
    place.store.credentials[place.ann.id] = place.house.passwords.credentials("new")
    place.house.clock.seconds += 5
    answer = await client.say("QUIT")
    assert answer == b"-ERR [SYS/PERM] this login is no longer valid\r\n"
    assert place.store.uids_in(place.ann) == [101]


async def test_a_login_that_stands_is_asked_about_seldom(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await place.client()
    asked: list[object] = []
    monkeypatch.setattr(place.house.authenticator, "stands", lambda g: asked.append(g) or True)
    for _ in range(4):
        await client.say("NOOP", "NOOP", "NOOP")
        place.house.clock.seconds += 2.5
        client.session.check_login()
    assert len(asked) == 2
    assert await client.say("STAT") == b"+OK 0 0\r\n"


# UPDATE


async def test_removal_goes_in_steps(place: Place) -> None:
    place.fill(4_500)
    client = await place.client()
    await client.say(*(f"DELE {number}" for number in range(1, 4_502)))
    place.store.writes = 0
    assert await client.say("QUIT") == b"+OK goodbye (0 messages left)\r\n"
    assert place.store.writes == 3
    assert place.store.uids_in(place.ann) == []


async def test_nothing_to_remove_writes_nothing(place: Place) -> None:
    place.fill(2)
    client = await place.client()
    await client.say("RETR 1", "DELE 1", "RSET")
    writes = place.store.writes
    await client.say("QUIT")
    assert place.store.writes == writes
    assert len(place.store.uids_in(place.ann)) == 2
    assert not place.store.flags


async def test_removed_messages_go_to_trash_which_is_made_where_it_is_missing(
    place: Place,
) -> None:
    place.fill(3)
    for round_number in (1, 2):
        client = await place.client(replace(SETTINGS, removal=Removal.TRASH))
        await client.say("DELE 1")
        await client.say("QUIT")
        assert len(place.store.uids_in(place.ann, "Trash")) == round_number
    assert len(place.store.uids_in(place.ann)) == 1


async def test_a_full_disk_marks_nothing_but_removes(place: Place) -> None:
    """What DELE asked for is done first; a mark is not worth a failed QUIT."""
    place.fill(3)
    client = await place.client(replace(SETTINGS, retrieved=Retrieved.MARK_SEEN))
    await client.say("RETR 1", "DELE 2")
    with mock.patch.object(Messages, "change_flags", side_effect=DiskLow("full")):
        said = await client.say("QUIT")
    assert said.startswith(b"+OK")
    assert len(place.store.uids_in(place.ann)) == 2
    assert not place.store.flags


async def test_retrieved_messages_are_marked_seen(place: Place) -> None:
    place.fill(4)
    client = await place.client(replace(SETTINGS, retrieved=Retrieved.MARK_SEEN))
    await client.say("RETR 1", "RETR 2", "TOP 3 0", "DELE 2")
    await client.say("QUIT")
    inbox = place.store.inbox(place.ann).id
    assert place.store.flags == {(inbox, 101): {SEEN}}
