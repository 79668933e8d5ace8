"""Housekeeping over a real store: what is collected, compressed and forgotten, and when."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from mailbox_server.auth.known_networks import KnownNetworks
from mailbox_server.model.address import Address
from mailbox_server.model.errors import ContentMissing, DiskLow
from mailbox_server.model.ids import AccountId, MessageId
from mailbox_server.model.passport import Evidence
from mailbox_server.ops.housekeeping import (
    COLLECT,
    JOBS,
    Housekeeping,
    HousekeepingRules,
    Job,
    Keepers,
)
from mailbox_server.store.attached_text.catching_up import AttachedTexts
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.integrity import violations
from mailbox_server.store.ports import Room
from mailbox_server.store.search_index.catching_up import SearchIndexer
from mailbox_server.store.unhurried import Unhurried
from tests.contract.outgoing import to
from tests.contract.queued import put
from tests.contract.test_cold_contents import kept, rows, text
from tests.contract.test_contents import releasing, whole
from tests.contract.test_store_purging import deliver, inbox_of, open_accounts
from tests.contract.workbench import ANN
from tests.unit.auth.memory_store import RecordedEvents


class AwaitedEvents(RecordedEvents):
    """Events that a test can wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._rang = asyncio.Event()

    def info(self, event: str, /, **fields: object) -> None:
        super().info(event, **fields)
        self._rang.set()

    async def come(self, event: str, count: int = 1) -> dict[str, Any]:
        """The fields of the count-th such event, as soon as it was told."""
        async with asyncio.timeout(30):
            while len(found := [fields for name, fields in self.seen if name == event]) < count:
                self._rang.clear()
                await self._rang.wait()
        return found[count - 1]


def job(name: str) -> Job:
    (found,) = [job for job in JOBS if job.name == name]
    return found


@pytest.fixture
def events() -> AwaitedEvents:
    return AwaitedEvents()


@pytest.fixture
def keeper(store: SqliteStore, clock: Any, events: AwaitedEvents) -> Housekeeping:
    nobody: Any = None
    rules = HousekeepingRules(timedelta(days=90), timedelta(days=90), timedelta(days=30))
    known = KnownNetworks(clock, timedelta(days=30), 100)
    indexer = SearchIndexer(store, clock, events)
    attached = AttachedTexts(store, events)
    keepers = Keepers(nobody, nobody, known, nobody, nobody)
    return Housekeeping(store, keepers, indexer, attached, clock, events, rules)


@pytest.fixture
async def running(keeper: Housekeeping) -> AsyncIterator[Housekeeping]:
    """Every job waits for a clock that stands still."""
    task = asyncio.ensure_future(keeper.run())
    await asyncio.sleep(0)
    yield keeper
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert keeper.events.faults == []  # type: ignore[attr-defined]


def turn_room(store: SqliteStore, clock: Any, room: Room) -> None:
    """Let there be as much, and somebody ask."""
    store._meter._low = 2**62 if room is Room.LOW else 0
    clock.turn(seconds=2)
    assert store.room() is room


async def expunged(store: SqliteStore) -> AccountId:
    """An account that had one message; its content still waits for its grace."""
    (ann,) = await open_accounts(store, ANN)
    await deliver(store, ann)
    inbox = await inbox_of(store, ann)
    await store.write(lambda tx: tx.messages.remove(inbox.id, [1]))
    return ann


# ---------------------------------------------------------------- low room


async def test_collection_runs_at_once_when_room_becomes_low(
    running: Housekeeping, store: SqliteStore, clock: Any, events: AwaitedEvents
) -> None:
    ann = await expunged(store)
    await deliver(store, ann, message_id="kept@x")
    loose = await kept(store, text(900_000))
    await store.write(releasing(loose))
    clock.turn(hours=1)
    await running.do(COLLECT)
    assert len(await rows(store, "SELECT id FROM content")) == 3
    turn_room(store, clock, Room.LOW)
    assert (await events.come("housekeeping.collected"))["contents"] == 2
    # What a message names stays; so does every tombstone.
    assert len(await rows(store, "SELECT id FROM content")) == 1
    assert len(await rows(store, "SELECT uid FROM placement")) == 2
    assert await violations(store) == []


async def test_it_runs_each_time_room_becomes_low_and_not_while_it_stays_so(
    running: Housekeeping, store: SqliteStore, clock: Any, events: AwaitedEvents
) -> None:
    rung: list[int] = []
    when_low = store._when_low
    assert when_low is not None
    store.when_low(lambda: rung.append(1) or when_low())  # type: ignore[func-returns-value]
    for count in (1, 2):
        number = await kept(store, text(5_000))
        await store.write(releasing(number))
        turn_room(store, clock, Room.LOW)
        await events.come("housekeeping.collected", count)
        with pytest.raises(ContentMissing):
            await whole(store, number)
        number = await kept(store, text(5_000))
        await store.write(releasing(number))
        # Low still: this one waits for the job, which is due every ten minutes.
        clock.turn(seconds=2)
        assert store.room() is Room.LOW
        assert len(rung) == count
        assert await whole(store, number) == text(5_000)
        turn_room(store, clock, Room.AMPLE)
        await running.do(COLLECT)
        assert await whole(store, number) == text(5_000)
        await store.write(lambda tx, number=number: tx.contents.hold(number))


async def test_a_write_that_finds_the_disk_full_starts_collection(
    running: Housekeeping, store: SqliteStore, events: AwaitedEvents
) -> None:
    number = await kept(store, text(5_000))
    await store.write(releasing(number))
    assert store.room() is Room.AMPLE

    def full(tx: Any) -> None:
        store._reserve.open()
        raise DiskLow("the disk is full")

    store._meter._on_reserve_wanted = lambda: None
    with pytest.raises(DiskLow):
        await store.write(full)
    assert (await events.come("housekeeping.collected"))["contents"] == 1


async def test_two_collections_do_not_meet(
    keeper: Housekeeping, store: SqliteStore, clock: Any, events: AwaitedEvents
) -> None:
    await expunged(store)
    turn_room(store, clock, Room.LOW)
    clock.turn(seconds=2)
    await asyncio.gather(keeper.do(COLLECT), keeper.do(COLLECT))
    assert [name for name, _ in events.seen] == ["housekeeping.collected"]
    assert events.faults == []


# ---------------------------------------------------------------- compressing and forgetting


async def test_contents_are_compressed_when_they_have_lain_long_enough(
    keeper: Housekeeping, store: SqliteStore, clock: Any, events: AwaitedEvents
) -> None:
    number = await kept(store, text(50_000))
    clock.turn(days=29)
    await keeper.do(job("compress contents"))
    assert events.seen == []
    clock.turn(days=1)
    await keeper.do(job("compress contents"))
    ((name, fields),) = events.seen
    assert (name, fields["contents"], fields["octets"]) == ("housekeeping.compressed", 1, 50_000)
    assert 25_000 < fields["saved"] < 50_000
    assert await whole(store, number) == text(50_000)


async def test_contents_stay_as_they_came_where_the_operator_wants_that(
    keeper: Housekeeping, store: SqliteStore, clock: Any, events: AwaitedEvents
) -> None:
    keeper.rules = HousekeepingRules(timedelta(days=90), timedelta(days=90), None)
    await kept(store, text(50_000))
    clock.turn(days=10_000)
    await keeper.do(job("compress contents"))
    assert events.seen == []
    assert await rows(store, "SELECT expands_to FROM content_chunk") == [(None,)]


async def test_what_nothing_leads_to_is_forgotten_daily(
    keeper: Housekeeping, store: SqliteStore, clock: Any, events: AwaitedEvents
) -> None:
    assert job("forget leftovers").every == timedelta(days=1)
    ann = await expunged(store)
    await store.write(lambda tx: tx.mailboxes.delete(ann, "Trash"))
    clock.turn(days=89)
    for name in ("collect contents", "forget tombstones", "forget leftovers"):
        await keeper.do(job(name))
    # A client that comes back may still ask; only the deleted mailbox had nothing to tell.
    assert len(await rows(store, "SELECT uid FROM placement")) == 1
    assert len(await rows(store, "SELECT digest FROM thread_link")) == 1
    clock.turn(days=2)
    for name in ("collect contents", "forget tombstones", "forget leftovers"):
        await keeper.do(job(name))
    for table in ("placement", "message", "thread_link", "keyword_set"):
        assert await rows(store, f"SELECT * FROM {table}") == []
    assert await rows(store, "SELECT id FROM mailbox WHERE destroyed_at IS NOT NULL") == []
    assert events.seen[-1] == (
        "housekeeping.leftovers",
        {"thread_links": 1, "keyword_sets": 1, "seen_runs": 0, "mailboxes": 1},
    )
    assert events.faults == []
    assert await violations(store) == []


async def test_what_became_of_mail_is_remembered_for_its_time(
    store: SqliteStore, keeper: Housekeeping, clock: Any
) -> None:
    (ann,) = await open_accounts(store, ANN)
    await deliver(store, ann)
    stamp = Evidence(clock.now(), "receive.envelope", (("reverse-path", "<b@h.example>"),))
    await store.write(lambda tx: tx.passports.stamp(MessageId(1), [stamp]))
    ids = await put(store, to("b@h.example"), arrived=clock.now())
    await keeper.do(job("follow passports"))
    asked = Address.parse("b@h.example")
    assert await store.read(lambda tx: tx.trail.with_address(asked, None, 9)) == [1]
    inbox = await inbox_of(store, ann)
    await store.write(lambda tx: tx.messages.remove(inbox.id, [1]))
    await store.write(lambda tx: tx.queue.drop(ids))
    for days, is_known in ((89, True), (2, False)):
        clock.turn(days=days)
        for name in ("collect contents", "forget tombstones", "forget passports"):
            await keeper.do(job(name))
        for table in ("message", "passport", "trail", "departure", "outbound"):
            assert bool(await rows(store, f"SELECT * FROM {table}")) is is_known, table
    assert await violations(store) == []


async def test_where_owners_logged_in_from_is_settled_and_forgotten(
    keeper: Housekeeping, store: SqliteStore, clock: Any, events: AwaitedEvents
) -> None:
    settling = job("settle known networks")
    await open_accounts(store, ANN)
    keeper.keepers.known_networks.saw(ANN.key, ipaddress.ip_network("192.0.2.1/32"))
    await keeper.do(settling)
    assert await rows(store, "SELECT network FROM known_network") == [("192.0.2.1/32",)]
    clock.turn(days=31)
    await keeper.do(settling)
    assert await rows(store, "SELECT network FROM known_network") == []
    assert events.seen == []


# ---------------------------------------------------------------- how


async def test_the_check_rests_between_its_steps(
    keeper: Housekeeping, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in a row they make the searches of people several times as long."""
    (ann,) = await open_accounts(store, ANN)
    for _ in range(3):
        await deliver(store, ann)
    rests = list[Unhurried]()

    async def rest(work: Unhurried) -> None:
        rests.append(work)

    monkeypatch.setattr(Unhurried, "rest", rest)
    await keeper.do(job("check the store"))
    assert len(rests) == 3
    assert len(set(map(id, rests))) == 1


# ---------------------------------------------------------------- when


async def test_a_server_that_is_restarted_daily_checks_its_store(
    keeper: Housekeeping, store: SqliteStore, clock: Any
) -> None:
    async def due(name: str) -> timedelta:
        """After a start just now."""
        return timedelta(seconds=(await keeper.first_due())[name] - clock.monotonic())

    name, soon = "check the store", timedelta(minutes=10)
    assert await due(name) == timedelta(days=1), "there is nobody yet"
    await open_accounts(store, ANN)
    clock.turn(hours=20)
    assert await due(name) == timedelta(hours=4), "on the first day mail is brought"
    clock.turn(hours=4)
    assert await due(name) == soon
    assert await due("collect contents") == timedelta(minutes=10)
    await keeper.do(job(name))
    await keeper.do(job("collect contents"))
    assert await due(name) == timedelta(days=1)
    clock.turn(hours=20)
    assert await due(name) == timedelta(hours=4)
    clock.turn(hours=20)
    assert await due(name) == soon
    assert await due("collect contents") == timedelta(minutes=10)
    await keeper.do(job(name))
    clock.turn(days=-300)
    assert await due(name) == timedelta(days=1)


async def test_a_job_that_failed_is_due_still(
    keeper: Housekeeping, store: SqliteStore, clock: Any, events: AwaitedEvents
) -> None:
    async def fail(_: Housekeeping) -> None:
        raise DiskLow("the disk is full")

    await open_accounts(store, ANN)
    clock.turn(days=2)
    check = job("check the store")
    await keeper.do(Job(check.name, check.every, fail))
    assert [name for name, _ in events.seen] == ["housekeeping.failed"]
    assert (await keeper.first_due())[check.name] == clock.monotonic() + 600
