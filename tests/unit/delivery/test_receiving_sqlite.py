"""The same journey into the real store: what was answered 250 can be read."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailbox_server.delivery.arrival import Acceptance, Opening
from mailbox_server.delivery.receiving import Arrival, Receiver, ReceivingRules
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.envelope import Peer
from mailbox_server.model.ids import ContentId, ModSeq
from mailbox_server.model.mailbox import INBOX
from mailbox_server.model.outbound import Origin
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import Column, ReadTx, Rooms, WriteTx
from tests.small_store import SMALL_STORE
from tests.unit.delivery.house import (
    HOSTNAME,
    OWN,
    PEER,
    REWRITER,
    CountingEntropy,
    HandClock,
    House,
    KeptEvents,
)
from tests.unit.delivery.test_receiving import MESSAGE, SENDER, envelope

ANN, BEN = Address.parse("ann@example.org"), Address.parse("ben@example.org")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    clock = HandClock()
    opened = await SqliteStore.open(
        tmp_path,
        SMALL_STORE,
        clock,
        CountingEntropy(),
        KeptEvents(),
        lambda _error: None,
    )

    def people(tx: WriteTx) -> None:
        tx.domains.add(Domain.parse("example.org"), None, clock.now())
        for address in (ANN, BEN):
            tx.accounts.add(address, None, 0, clock.now())
        tx.aliases.add(Address.parse("all@example.org"), [ANN, BEN], clock.now())

    await opened.write(people)
    yield opened
    await opened.close()


def receiver(store: SqliteStore, events: KeptEvents) -> Receiver:
    return Receiver(
        store=store,
        rules=ReceivingRules(RoutingRules(HOSTNAME)),
        names=None,
        clock=HandClock(),
        events=events,
        tasks=TaskKeeper(lambda _name, _error: None),
        rewriter=REWRITER,
    )


async def begin(into: Receiver) -> Arrival:
    begun = await into.begin(Opening(Peer(PEER, 1, "c1"), OWN, SENDER, None))
    assert isinstance(begun, Arrival)
    return begun


async def deliver(into: Receiver, content: bytes, *recipients: str) -> Acceptance:
    arrival = await begin(into)
    for recipient in recipients:
        assert (await arrival.recipient(Address.parse(recipient))).is_positive
    for at in range(0, len(content), 65_536):
        if arrival.feed(content[at : at + 65_536]):
            await arrival.drained()
    return await arrival.accept(envelope(House(), *recipients))


def inbox(tx: ReadTx, owner: Address) -> list[bytes]:
    """Trace and content of each message in the INBOX, as readers get them."""
    account = tx.accounts.find(owner)
    assert account is not None
    mailbox = tx.mailboxes.find(account.id, INBOX)
    assert mailbox is not None
    rows = tx.messages.rows(
        mailbox.id, tx.messages.view(mailbox.id).uids, [Column.TRACE, Column.CONTENT, Column.SIZE]
    )
    found = []
    for _, trace, content, size in rows:
        assert isinstance(trace, bytes) and isinstance(content, int)
        known = ContentId(content)
        whole = trace
        for at in range(0, tx.contents.size(known), 1 << 20):
            whole += tx.contents.read(known, at, 1 << 20)
        assert len(whole) == size
        found.append(whole)
    return found


async def test_what_is_passed_on_waits_in_the_queue(store: SqliteStore) -> None:
    alias, far = Address.parse("out@example.org"), Address.parse("far@elsewhere.example")
    now = HandClock().now()
    await store.write(lambda tx: tx.aliases.add(alias, [BEN, far], now))
    acceptance = await deliver(receiver(store, KeptEvents()), MESSAGE, "out@example.org")
    assert acceptance.replies[0].is_positive

    def queued(tx: ReadTx) -> bytes:
        (due,) = tx.outbound.due(now, 10, Rooms(10, {}))
        assert due.lane == "elsewhere.example"
        assert due.sender == tx.accounts.find(BEN).id  # type: ignore[union-attr]
        departure = tx.outbound.departure(due.departure)
        assert departure is not None
        assert departure.origin is Origin.FORWARD
        assert departure.trace.startswith(b"Delivered-To: out@example.org\r\nReceived: ")
        assert tx.outbound.evidence(due.departure)[-1].stage == "forward"
        return tx.contents.read(departure.content, 0, 1_000)

    assert await store.read(queued) == MESSAGE
    (stored,) = await store.read(lambda tx: inbox(tx, BEN))
    assert stored.endswith(MESSAGE)


@pytest.mark.parametrize("octets", [0, 100_000, 2_000_000])
async def test_what_was_accepted_is_read_back(store: SqliteStore, octets: int) -> None:
    events = KeptEvents()
    content = MESSAGE + b"0123456789abcdef0123456789abcd\r\n" * (octets // 32)
    rung: list[ModSeq] = []
    account = await store.read(lambda tx: tx.accounts.find(ANN))
    assert account is not None
    listening = store.listen(account.id, rung.append)
    acceptance = await deliver(
        receiver(store, events), content, "all@example.org", "ann@example.org"
    )
    assert [reply.code for reply in acceptance.replies] == [250, 250], events.faults
    for owner in (ANN, BEN):
        (whole,) = await store.read(lambda tx, owner=owner: inbox(tx, owner))  # type: ignore[misc]
        assert whole.startswith(b"Return-Path: <bob@example.net>\r\nReceived: from ")
        assert whole.endswith(content)
    await asyncio.sleep(0)
    assert rung
    listening.close()


async def test_a_repeat_is_found_by_another_receiver(store: SqliteStore) -> None:
    """As after a crash between commit and reply."""
    first = await deliver(receiver(store, KeptEvents()), MESSAGE, "ann@example.org")
    again = receiver(store, KeptEvents())
    await again.prepare()
    second = await deliver(again, MESSAGE, "ann@example.org")
    assert second.replies[0].lines[0] == first.replies[0].lines[0].replace("kept", "kept before")
    again.confirm(second)
    await again.settle()
    third_run = receiver(store, KeptEvents())
    await third_run.prepare()
    third = await deliver(third_run, MESSAGE, "ann@example.org")
    assert "before" not in third.replies[0].lines[0]
    assert len(await store.read(lambda tx: inbox(tx, ANN))) == 2


async def test_a_recipient_removed_meanwhile(store: SqliteStore) -> None:
    events = KeptEvents()
    into = receiver(store, events)
    arrival = await begin(into)
    await arrival.recipient(BEN)

    def remove(tx: WriteTx) -> None:
        account = tx.accounts.find(BEN)
        assert account is not None
        tx.accounts.remove(account.id)

    await store.write(remove)
    arrival.feed(MESSAGE)
    acceptance = await arrival.accept(envelope(House(), "ben@example.org"))
    assert acceptance.replies[0].is_positive, events.faults
    assert len(await store.read(lambda tx: inbox(tx, ANN))) == 1


async def test_many_at_once_share_commits_and_none_is_lost(store: SqliteStore) -> None:
    into = receiver(store, KeptEvents())
    contents = [MESSAGE.replace(b"<1@", b"<%d@" % number) for number in range(40)]
    told = await asyncio.gather(
        *(deliver(into, content, "ann@example.org") for content in contents)
    )
    assert all(acceptance.replies[0].is_positive for acceptance in told)
    kept = await store.read(lambda tx: inbox(tx, ANN))
    assert sorted(whole[whole.index(b"Subject") :] for whole in kept) == sorted(contents)


def content_file(data: Path) -> Path:
    """The only content file."""
    (file,) = data.glob("contents/??/*")
    return file


async def test_a_repeat_of_what_lost_its_file_is_kept_anew(
    store: SqliteStore, tmp_path: Path
) -> None:
    content = MESSAGE + b"x" * 700_000
    await deliver(receiver(store, KeptEvents()), content, "ann@example.org")
    content_file(tmp_path).unlink()
    into = receiver(store, KeptEvents())
    await into.prepare()
    again = await deliver(into, content, "ann@example.org")
    assert again.replies[0].is_positive and "before" not in again.replies[0].lines[0]
    assert content_file(tmp_path).read_bytes() == content


async def test_a_cancelled_accept_takes_nothing_from_its_write(store: SqliteStore) -> None:
    """As at shutdown: the write is queued, and will be committed."""
    held, go_on = threading.Event(), threading.Event()

    def wait(tx: WriteTx) -> None:
        held.set()
        assert go_on.wait(30)

    waiting = asyncio.ensure_future(store.write(wait))
    await asyncio.to_thread(held.wait, 30)
    into, content = receiver(store, KeptEvents()), MESSAGE + b"x" * 700_000
    queued = store._writer._waiting
    accepting = asyncio.ensure_future(deliver(into, content, "ann@example.org"))
    for _ in range(100_000):
        if store._writer._waiting > queued:
            break
        await asyncio.sleep(0)
    accepting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await accepting
    go_on.set()
    await waiting
    await store.write(lambda tx: None)
    (whole,) = await store.read(lambda tx: inbox(tx, ANN))
    assert whole.endswith(content)
    repeat = await deliver(into, content, "ann@example.org")
    assert "kept before" in repeat.replies[0].lines[0]
    assert (store._staging.used, store.held_files) == (0, frozenset())
