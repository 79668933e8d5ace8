"""The journey of an arriving message: routed, kept in one write, answered after it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Acceptance, Opening
from mailbox_server.delivery.receiving import Arrival
from mailbox_server.model.address import Address, Domain, IpAddress, ReversePath
from mailbox_server.model.envelope import (
    BodyType,
    Envelope,
    Notify,
    OriginalRecipient,
    Peer,
    Recipient,
    Return,
)
from mailbox_server.model.errors import (
    CommitUnknown,
    ContentDamaged,
    DiskLow,
    OverQuota,
    StoreUnavailable,
    SyncFailed,
    TooBusy,
)
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import QuotaRule
from tests.unit.delivery.house import OWN, PEER, House

MESSAGE = b"Subject: hello\r\nMessage-ID: <1@example.net>\r\n\r\nbody\r\n"
SENDER = ReversePath(Address.parse("bob@example.net"))
OURS = (
    b"Received: from client.example ([192.0.2.1])\r\n\tby mx.example.org (mailbox-server) with\r\n"
    b"\tESMTP id c1-1 for <ann@example.org>; Tue, 24 Nov 2026 10:00:00 +0000\r\n"
)


def envelope(house: House, *recipients: str, peer: IpAddress = PEER) -> Envelope:
    return Envelope(
        peer=Peer(peer, 40_000, "c1"),
        peer_name=None,
        greeting_name="client.example",
        protocol="ESMTP",
        tls=None,
        reverse_path=SENDER,
        recipients=tuple(Recipient(Address.parse(recipient)) for recipient in recipients),
        body=BodyType.SEVEN_BIT,
        smtputf8=False,
        require_tls=False,
        ret=Return.UNSAID,
        envelope_id=None,
        declared_size=None,
        started=house.clock.now(),
    )


async def begin(house: House, size: int | None = None) -> Arrival:
    begun = await house.receiver.begin(Opening(Peer(PEER, 1, "c1"), OWN, SENDER, size))
    assert isinstance(begun, Arrival)
    return begun


async def deliver(
    house: House, *recipients: str, content: bytes = MESSAGE, peer: IpAddress = PEER
) -> Acceptance:
    arrival = await begin(house)
    for recipient in recipients:
        assert (await arrival.recipient(Address.parse(recipient))).is_positive
    arrival.begin_content()
    for at in range(0, len(content), 7):
        arrival.feed(content[at : at + 7])
    return await arrival.accept(envelope(house, *recipients, peer=peer))


@pytest.fixture
def house() -> House:
    made = House()
    made.store.add_account("ann@example.org")
    made.store.add_account("ben@example.org")
    return made


async def test_one_content_and_one_message_an_account(house: House) -> None:
    house.store.add_alias("all@example.org", "ann@example.org", "ben@example.org")
    acceptance = await deliver(
        house, "all@example.org", "ann@example.org", "ann+x@example.org", "ben@example.org"
    )
    assert house.store.kept == [MESSAGE]
    assert [str(stored.account.address) for stored in house.store.stored] == [
        "ann@example.org",
        "ben@example.org",
    ]
    assert [reply.lines[0] for reply in acceptance.replies] == [
        "Ok, kept as m1",
        "Ok, kept as m1",
        "Ok, kept as m1",
        "Ok, kept as m2",
    ]
    assert all(reply.code == 250 for reply in acceptance.replies)


async def test_what_is_stored(house: House) -> None:
    await deliver(house, "ann@example.org")
    (stored,) = house.store.stored
    assert stored.content == MESSAGE
    assert stored.new.trace.startswith(b"Return-Path: <bob@example.net>\r\nReceived: from ")
    assert stored.new.trace.endswith(b"+0000\r\n")
    assert stored.new.analysis.message_id == "1@example.net"
    assert stored.new.keywords == frozenset()
    assert stored.quota is QuotaRule.OVERSHOOT
    assert stored.new.received.seconds == int(house.clock.now().timestamp())


async def test_the_passport_tells_every_way(house: House) -> None:
    targets = ("ann@example.org", "far@elsewhere.example", "gone@example.org")
    house.store.add_alias("all@example.org", *targets)
    arrival = await begin(house)
    said = envelope(house, "all@example.org", "ann+x@example.org")
    for recipient in said.recipients:
        await arrival.recipient(recipient.address)
    first = replace(
        said.recipients[0],
        notify=Notify.SUCCESS | Notify.DELAY,
        original=OriginalRecipient("rfc822", "Old@example.org"),
    )
    said = replace(said, recipients=(first, said.recipients[1]), envelope_id="QQ", ret=Return.FULL)
    arrival.feed(MESSAGE)
    await arrival.accept(said)
    (stamps,) = house.store.stamps.values()
    assert [stamp.stage for stamp in stamps] == [
        "receive.connect",
        "receive.envelope",
        "route",
        "route",
        "deliver.local",
    ]
    assert ("envid", "QQ") in stamps[1].facts
    assert stamps[2].facts == (
        ("recipient", "all@example.org"),
        ("through", "all@example.org"),
        ("skipped", "gone@example.org"),
        ("elsewhere", "far@elsewhere.example"),
        ("notify", "SUCCESS,DELAY"),
        ("orcpt", "rfc822;Old@example.org"),
    )
    assert stamps[3].facts == (("recipient", "ann+x@example.org"), ("detail", "x"))
    assert "body" not in repr(stamps)


async def test_full_mailboxes_are_refused_at_rcpt(house: House) -> None:
    full = house.store.add_account("full@example.org", quota=100)
    house.store.used[full.id] = 100
    near = house.store.add_account("near@example.org", quota=100)
    house.store.used[near.id] = 60
    arrival = await begin(house, size=41)
    for local in ("full", "near"):
        refused = await arrival.recipient(Address.parse(f"{local}@example.org"))
        assert refused == replies.OVER_QUOTA
    house.store.add_alias("both@example.org", "full@example.org", "near@example.org")
    assert await arrival.recipient(Address.parse("both@example.org")) == replies.OVER_QUOTA
    # One full member is enough: left out it would lose mail, forced in it would never stop.
    house.store.add_alias("mixed@example.org", "full@example.org", "ann@example.org")
    assert await arrival.recipient(Address.parse("mixed@example.org")) == replies.OVER_QUOTA


async def test_full_only_at_the_end_is_delivered(house: House) -> None:
    near = house.store.add_account("near@example.org", quota=100)

    async def fill() -> None:
        house.store.used[near.id] = 200

    house.store.before_write = fill
    assert (await deliver(house, "near@example.org")).replies[0].is_positive
    assert house.store.stored[0].quota is QuotaRule.OVERSHOOT


async def test_who_was_removed_meanwhile_is_inherited_by_postmaster(house: House) -> None:
    async def remove() -> None:
        house.store.people = [a for a in house.store.people if a.address.local.text != "ben"]
        house.store.owners_generation += 1

    house.store.before_write = remove
    assert (await deliver(house, "ben@example.org")).replies[0].is_positive
    (stored,) = house.store.stored
    assert str(stored.account.address) == "ann@example.org"
    (stamps,) = house.store.stamps.values()
    assert ("through", "ben@example.org") in stamps[2].facts


async def test_nobody_left_is_temporary(house: House) -> None:
    async def remove() -> None:
        house.store.people.clear()

    house.store.before_write = remove
    assert (await deliver(house, "ben@example.org")).replies == (replies.UNFORESEEN,)


async def test_low_disk_is_told_before_anything_is_sent(house: House) -> None:
    house.store.low = True
    begun = await house.receiver.begin(Opening(Peer(PEER, 1, "c1"), OWN, SENDER, None))
    assert begun == replies.DISK_LOW
    assert house.store.stagings == []


@pytest.mark.parametrize("step", ["finish", "write", "add"])
@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (DiskLow("no room"), replies.DISK_LOW),
        (StoreUnavailable("gone"), replies.UNFORESEEN),
        (TooBusy("full"), replies.UNFORESEEN),
        (SyncFailed("disk"), replies.UNFORESEEN),
        (OverQuota("odd"), replies.UNFORESEEN),
        (ContentDamaged("odd"), replies.UNFORESEEN),
        (RuntimeError("secret text"), replies.UNFORESEEN),
        (RecursionError(), replies.UNFORESEEN),
        (MemoryError(), replies.UNFORESEEN),
        (KeyError("x"), replies.UNFORESEEN),
    ],
)
async def test_trouble_of_ours_is_temporary(
    house: House, step: str, error: Exception, reply: Reply
) -> None:
    """reliability.md §7.5: a 5xx comes from an explicit list of reasons only."""
    house.store.failing[step] = error
    acceptance = await deliver(house, "ann@example.org", "ben@example.org")
    assert acceptance.replies == (reply, reply)
    assert acceptance.receipt is None
    assert house.store.stored == [] and house.store.known == {}
    assert house.store.stagings[0].discarded
    assert "secret" not in repr(acceptance)


async def test_abandoned_content_is_discarded(house: House) -> None:
    arrival = await begin(house)
    arrival.feed(MESSAGE)
    arrival.abandon()
    arrival.abandon()
    assert house.store.stagings[0].discarded
    assert house.store.stored == []


@pytest.mark.parametrize(
    ("header", "reply"),
    [
        (b"Received: x\r\n" * 101, replies.TOO_MANY_HOPS),
        (b"RECEIVED : x\r\n" * 101, replies.TOO_MANY_HOPS),
        (b"Delivered-To: ann@example.org\r\n" + OURS, replies.LOOP),
        (b"X: y\r\n" + OURS + b"delivered-to: <ANN@example.org>\r\n", replies.LOOP),
        (b"X: " + b"y" * (1024 * 1024) + b"\r\n", replies.HEADER_TOO_LARGE),
        (b"X: y\r\n" * 180_000, replies.HEADER_TOO_LARGE),
    ],
)
async def test_headers_that_are_refused(house: House, header: bytes, reply: Reply) -> None:
    arrival = await begin(house)
    await arrival.recipient(Address.parse("ann@example.org"))
    arrival.feed(header + b"\r\nbody\r\n")
    assert (await arrival.accept(envelope(house, "ann@example.org"))).replies == (reply,)
    assert house.store.stored == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"no header at all",
        b"Received: x\r\n" * 100 + b"\r\n" + b"Received: x\r\n" * 50,
        b"X-Received: x\r\n" * 200 + b"\r\n",
        b"Delivered-To: ann@example.com\r\n" + OURS + b"\r\n",
        # Others write the field at every local delivery (Postfix, Dovecot's LDA).
        b"Delivered-To: ann@example.org\r\n\r\n",
        b"Delivered-To: ann@example.org\r\nX-Received: by " + OURS.partition(b"by ")[2] + b"\r\n",
        b"Subject: a\r\n\r\nDelivered-To: ann@example.org\r\n",
        b"X: y\r\n" * 20_000,
        b"\xff\xfe\r\n\r\n\xff",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\n" * 1000,
    ],
)
async def test_odd_messages_are_kept_as_they_are(house: House, content: bytes) -> None:
    acceptance = await deliver(house, "ann@example.org", content=content)
    assert acceptance.replies[0].is_positive
    assert house.store.stored[0].content == content


async def test_a_large_message_is_analyzed_beside_the_loop(house: House) -> None:
    content = MESSAGE + b"x" * 70 * 1024
    arrival = await begin(house)
    await arrival.recipient(Address.parse("ann@example.org"))
    arrival.feed(content)
    acceptance = await arrival.accept(envelope(house, "ann@example.org"))
    assert acceptance.replies[0].is_positive


async def test_wide_aliases_add_up(house: House) -> None:
    house.receiver.rules = replace(house.receiver.rules, ways=3)
    house.store.add_alias("all@example.org", "ann@example.org", "ben@example.org")
    arrival = await begin(house)
    everybody = Address.parse("all@example.org")
    assert (await arrival.recipient(everybody)).is_positive
    assert await arrival.recipient(everybody) == replies.TOO_MANY_WAYS
    assert (await arrival.recipient(Address.parse("ann@example.org"))).is_positive
    arrival.feed(MESSAGE)
    acceptance = await arrival.accept(envelope(house, "all@example.org", "ann@example.org"))
    assert acceptance.replies[0].is_positive


# ------------------------------------------------ repeats (store.md §2)


async def test_a_repeat_after_a_lost_reply_gets_the_old_id(house: House) -> None:
    first = await deliver(house, "ann@example.org", "ben@example.org")
    again = await deliver(house, "ann@example.org", "ben@example.org")
    assert [reply.lines[0] for reply in again.replies] == [
        "Ok, kept before as m1",
        "Ok, kept before as m2",
    ]
    assert again.receipt == first.receipt
    assert len(house.store.stored) == 2


async def test_after_a_seen_reply_a_second_send_is_a_second_message(house: House) -> None:
    first = await deliver(house, "ann@example.org")
    assert len(house.receiver.receipts) == 1
    house.receiver.confirm(first)
    assert len(house.receiver.receipts) == 0
    second = await deliver(house, "ann@example.org")
    assert second.replies[0].lines[0] == "Ok, kept as m2"
    # The second's own reply is lost: its repeat finds the second.
    third = await deliver(house, "ann@example.org")
    assert third.replies[0].lines[0] == "Ok, kept before as m2"


async def test_after_a_failed_write_the_next_send_is_the_first(house: House) -> None:
    house.store.failing["write"] = StoreUnavailable("for now")
    await deliver(house, "ann@example.org")
    house.store.failing.clear()
    again = await deliver(house, "ann@example.org")
    assert again.replies[0].lines[0] == "Ok, kept as m1"


@pytest.mark.parametrize("error", [CommitUnknown("writer"), SyncFailed("disk")])
async def test_a_repeat_of_what_may_have_been_kept_asks_the_store(
    house: House, error: Exception
) -> None:
    kept = house.store.write

    async def write(*arguments: Any) -> Any:
        await kept(*arguments)
        raise error

    house.store.write = write  # type: ignore[method-assign]
    assert (await deliver(house, "ann@example.org")).replies == (replies.UNFORESEEN,)
    house.store.write = kept  # type: ignore[method-assign]
    again = await deliver(house, "ann@example.org")
    assert again.replies[0].lines[0] == "Ok, kept before as m1"


async def test_two_connections_with_one_transaction_make_one_message(house: House) -> None:
    """The second waits for what becomes of the first, whichever way that goes."""
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        entered.set()
        await go_on.wait()

    house.store.before_write = hold
    first = asyncio.ensure_future(deliver(house, "ann@example.org"))
    await entered.wait()
    others = [asyncio.ensure_future(deliver(house, "ann@example.org")) for _ in range(3)]
    await asyncio.sleep(0)
    house.store.failing["write"] = StoreUnavailable("for now")
    house.store.before_write = None
    go_on.set()
    assert (await first).replies == (replies.UNFORESEEN,)
    house.store.failing.clear()
    told = {(await other).replies[0].lines[0] for other in others}
    assert told == {"Ok, kept as m1", "Ok, kept before as m1"}
    assert len(house.store.stored) == 1


async def test_what_lost_its_file_is_kept_anew(house: House) -> None:
    await deliver(house, "ann@example.org")
    house.store.cut.update(house.store.known)
    again = await deliver(house, "ann@example.org")
    assert again.replies[0].lines[0] == "Ok, kept as m2"


async def test_old_receipts_are_forgotten_and_the_open_ones_left_to_the_next_run(
    house: House,
) -> None:
    house.receiver.confirm(await deliver(house, "ann@example.org"))
    await deliver(house, "ben@example.org")
    await house.receiver.settle()
    assert [receipt.messages for receipt in house.store.left] == [(2,)]
    house.clock.seconds += 601
    house.receiver.tidy()
    assert len(house.receiver.receipts) == 0
    await house.receiver.settle()
    assert house.store.left == []


async def test_a_route_is_looked_up_once_until_somebody_changes(house: House) -> None:
    await deliver(house, "ann@example.org")
    glances = house.store.glances
    await deliver(house, "ann@example.org")
    assert house.store.glances == glances
    house.store.people = [a for a in house.store.people if a.address.local.text != "ann"]
    house.store.owners_generation += 1
    arrival = await begin(house)
    assert await arrival.recipient(Address.parse("ann@example.org")) == replies.UNKNOWN


@pytest.mark.parametrize("what", ["peer", "recipient", "content", "late", "no message-id"])
async def test_what_differs_is_no_repeat(house: House, what: str) -> None:
    content = MESSAGE.replace(b"Message-ID", b"X-ID") if what == "no message-id" else MESSAGE
    await deliver(house, "ann@example.org", content=content)
    match what:
        case "peer":
            again = await deliver(house, "ann@example.org", peer=OWN)
        case "recipient":
            again = await deliver(house, "ann+x@example.org")
        case "content":
            again = await deliver(house, "ann@example.org", content=MESSAGE + b"more\r\n")
        case "late":
            house.clock.seconds += timedelta(minutes=10, seconds=1).total_seconds()
            again = await deliver(house, "ann@example.org")
        case _:
            again = await deliver(house, "ann@example.org", content=content)
            assert again.receipt is None
    assert again.replies[0].lines[0] == "Ok, kept as m2"


# ------------------------------------------------ the peer's name


class Names:
    """Tells one name, late or never."""

    def __init__(self, name: Domain | Exception | None, *, never: bool = False) -> None:
        self.name = name
        self.never = never
        self.asked: list[IpAddress] = []

    async def verified_name(self, ip: IpAddress) -> Domain | None:
        self.asked.append(ip)
        if self.never:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if isinstance(self.name, Exception):
            raise self.name
        return self.name


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (Names(Domain.parse("mail.client.example")), b"(mail.client.example [192.0.2.7])"),
        (Names(None), b"([192.0.2.7])"),
        (Names(OSError("no resolver")), b"([192.0.2.7])"),
    ],
)
async def test_the_peers_name_is_told_where_it_is_known(names: Names, told: bytes) -> None:
    house = House(names=names)
    house.store.add_account("ann@example.org")
    await deliver(house, "ann@example.org", "ann@example.org")
    assert told in house.store.stored[0].new.trace
    assert names.asked == [PEER]
    assert bool(house.events.faults) == isinstance(names.name, Exception)


async def test_a_name_that_does_not_come_is_not_waited_for() -> None:
    house = House(names=Names(None, never=True))
    house.store.add_account("ann@example.org")
    house.receiver.rules = replace(house.receiver.rules, name_seconds=0.0)
    assert (await deliver(house, "ann@example.org")).replies[0].is_positive
    assert await house.tasks.drain(1) == ()
    assert house.task_faults == []


async def test_events_join_connection_and_message(house: House) -> None:
    await deliver(house, "ann@example.org")
    ((name, fields),) = house.events.told
    assert name == "smtp.accepted"
    assert fields["connection"] == "c1" and fields["message"] == "m1"
    assert fields["transfer"] == "c1-1"
    assert "hello" not in repr(fields)


async def test_a_recipient_named_again_costs_no_second_look(house: House) -> None:
    arrival = await begin(house)
    ann = Address.parse("ann@example.org")
    for _ in range(50):
        assert await arrival.recipient(ann) == replies.RECIPIENT_OK
    assert (house.store.glances, house.store.reads) == (1, 0)
    arrival.abandon()


async def test_a_wide_alias_is_looked_up_beside_the_loop(house: House) -> None:
    names = [f"member{number}@example.org" for number in range(200)]
    for name in names:
        house.store.add_account(name)
    house.store.add_alias("all@example.org", *names)
    arrival = await begin(house)
    assert await arrival.recipient(Address.parse("all@example.org")) == replies.RECIPIENT_OK
    assert (house.store.glances, house.store.reads) == (1, 1)
    arrival.abandon()


async def test_others_are_served_while_dear_content_is_scanned(house: House) -> None:
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\n\n" * 9_000
    arrival = await begin(house)
    await arrival.recipient(Address.parse("ann@example.org"))
    arrival.begin_content()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.get_running_loop().create_task(other())
    assert arrival.feed(content[:18_000])
    await arrival.drained()
    assert turns > 5
    turns = 0
    arrival.feed(content[18_000:])
    acceptance = await arrival.accept(envelope(house, "ann@example.org"))
    beside.cancel()
    assert acceptance.replies[0].code == 250
    assert turns > 5
