"""Rows of the queue that cannot be read: no other mail, no verb and no start waits for them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from mailbox_server.model.errors import OutboundMissing
from mailbox_server.model.ids import DepartureId, MessageId, OutboundId
from mailbox_server.model.outbound import OutboundState
from mailbox_server.model.passport import Evidence
from mailbox_server.ops import stories, tracing
from mailbox_server.ops.story_requests import MessageTrace
from mailbox_server.relay.queue.stumbling import TIMES_BORNE
from mailbox_server.store.door import SqliteStore
from tests.contract.conftest import TurnedClock
from tests.contract.outgoing import attempt, to
from tests.contract.queued import put
from tests.contract.scripted_peers import House, Told, World
from tests.contract.test_cold_contents import spoil
from tests.contract.test_queue_verbs import Office
from tests.contract.test_stories import arrive

NO_UTF8 = "CAST(x'ff40' AS TEXT)"
OUTBOUND_GARBAGE = (
    "address = 'no address'",
    f"address = {NO_UTF8}",
    f"lane = {NO_UTF8}",
    f"route = {NO_UTF8}, address = 'no address'",
    "return_path = '@'",
    f"original_type = 'rfc822', original_address = {NO_UTF8}",
    "due = 1 << 60",
    "expires = -(1 << 62)",
)
DEPARTURE_GARBAGE = (
    "reverse_path = 'nobody'",
    f"reverse_path = {NO_UTF8}",
    f"message_id = {NO_UTF8}",
    "origin = 'nowhere'",
    "arrived = 1 << 60",
)


@pytest.fixture
def office(store: SqliteStore, clock: Any) -> Office:
    return Office(store, clock)


@pytest.fixture
async def house(store: SqliteStore, clock: TurnedClock) -> Any:
    made = House(store, World(clock), Told())
    await made.scheduler.begin()
    yield made


async def states(store: SqliteStore, ids: Sequence[OutboundId]) -> list[str]:
    found = [await store.read(lambda tx, one=one: tx.queue.queued(one)) for one in ids]  # type: ignore[misc]
    return [each.state for each in found if each is not None]


async def spoil_attempt(store: SqliteStore, clock: Any, number: OutboundId, garbage: str) -> None:
    """Two attempts at it, of which the first makes no sense."""
    at = clock.now()
    for code in (450, 451):
        await store.write(
            lambda tx, code=code: tx.outbound.record(  # type: ignore[misc]
                number, attempt(at, code), OutboundState.WAITING, at, None
            )
        )
    await spoil(store, f"UPDATE attempt SET {garbage} WHERE code = 450")


# ---------------------------------------------------------------- the relay


@pytest.mark.parametrize(
    ("table", "garbage"),
    [("outbound", each) for each in OUTBOUND_GARBAGE if "lane" not in each and "due" not in each]
    + [("departure", each) for each in DEPARTURE_GARBAGE],
)
async def test_other_mail_leaves_and_the_spoiled_is_held(
    house: House, table: str, garbage: str
) -> None:
    bad = await house.send("bad@x.example")
    await spoil(house.store, f"UPDATE {table} SET {garbage} WHERE id = 1")
    ids = [each for (each,) in await house.send_each([["a@x.example"]] * 9)]
    tries = 0
    while await states(house.store, bad) == ["waiting"]:
        tries += 1
        await house.settle()
        house.world.clock.turn(seconds=3 * 3_600)
    assert tries == TIMES_BORNE
    assert await states(house.store, [*bad, *ids]) == ["held"] + ["delivered"] * 9


async def test_a_lane_or_a_turn_that_cannot_be_read_stops_no_pass(house: House) -> None:
    """Such a row goes by its address where it can, for that is what counts."""
    lane, turn, last = await house.send("a@x.example", "b@y.example", "c@z.example")
    await spoil(house.store, f"UPDATE outbound SET lane = {NO_UTF8} WHERE id = ?", lane)
    await spoil(house.store, "UPDATE outbound SET turn = 1 << 60 WHERE id = ?", turn)
    await house.settle()
    assert house.faults == []
    assert await states(house.store, [lane, turn, last]) == ["delivered", "waiting", "delivered"]
    await house.scheduler.begin()
    await house.settle()
    assert await states(house.store, [turn]) == ["delivered"]


async def test_a_start_gives_back_what_was_taken_before_it_was_spoiled(house: House) -> None:
    ids = await house.send("a@x.example", "b@x.example")
    await house.store.write(lambda tx: tx.outbound.lease(ids))
    await spoil(house.store, f"UPDATE outbound SET address = {NO_UTF8} WHERE id = ?", ids[0])
    await house.scheduler.begin()
    await house.settle()
    assert await states(house.store, ids) == ["waiting", "delivered"]


# ---------------------------------------------------------------- the verbs


@pytest.mark.parametrize("garbage", OUTBOUND_GARBAGE)
async def test_a_recipient_is_found_by_nobody_and_shown_to_operators(
    office: Office, garbage: str
) -> None:
    bad, good = await put(office.store, to("a@h.example", "b@h.example"))
    await spoil(office.store, f"UPDATE outbound SET {garbage} WHERE id = ?", bad)
    found = await office.store.read(lambda tx: tx.outbound.find(bad))
    assert found is None or "lane" in garbage
    assert await office.store.read(lambda tx: tx.outbound.find(good))
    assert [row.id for row in await office.rows(most=1)] in (["q1", "q2"], ["q2", "q1"])
    for asked in ("q1", "s1"):
        story = await office.store.read(lambda tx, asked=asked: stories.story_of(tx, asked))  # type: ignore[misc]
        assert story.recipients[0].id == "q1"
    assert await office.change("hold", [bad]) == 1
    assert await office.change("drop", [bad]) == 1


@pytest.mark.parametrize("garbage", DEPARTURE_GARBAGE)
async def test_a_departure_is_found_by_nobody_and_shown_to_operators(
    office: Office, garbage: str
) -> None:
    for at in (1, 2):
        stamp = Evidence(office.clock.now() - timedelta(days=at), "submit.copy", ())
        await put(office.store, to("a@h.example"), [stamp], arrived=office.clock.now())
    await spoil(office.store, f"UPDATE departure SET {garbage} WHERE id = 1")
    assert await office.store.read(lambda tx: tx.outbound.departure(DepartureId(1))) is None
    assert await office.store.read(lambda tx: tx.outbound.departure(DepartureId(2)))
    assert [row.id for row in await office.rows()] == ["q1", "q2"]
    for asked in ("q1", "s1"):
        story = await office.store.read(lambda tx, asked=asked: stories.story_of(tx, asked))  # type: ignore[misc]
        assert (story.id, story.origin, story.arrived) == (
            "s1",
            stories.UNREADABLE,
            "2026-01-01T03:04:05+00:00",
        )
        assert [each.address for each in story.recipients] == ["a@h.example"]
    for what in ("a@h.example", "s1"):
        trace = await tracing.find(office.store, office.clock, MessageTrace(what))
        assert "s1" in [each.id for each in trace]
    with pytest.raises(OutboundMissing):
        await office.store.read(lambda tx: stories.story_of(tx, "s3"))
    assert await office.change("drop", [OutboundId(1)]) == 1


@pytest.mark.parametrize("garbage", ["finding = 'lost'", f"host = {NO_UTF8}", "at = 1 << 60"])
async def test_attempts_that_make_no_sense_are_left_out(office: Office, garbage: str) -> None:
    (number,) = await put(office.store, to("a@h.example"))
    await spoil_attempt(office.store, office.clock, number, garbage)
    made = await office.store.read(lambda tx: tx.outbound.attempts(number))
    assert [each.reply.code for each in made] == [451]
    story = await office.store.read(lambda tx: stories.story_of(tx, "q1"))
    assert [each.code for each in story.recipients[0].attempts] == [451]


@pytest.mark.parametrize(
    "line",
    ["'garbage' || char(10)", "'[1,2' || char(10)", f"{NO_UTF8} || char(10)", "'7' || char(10)"],
)
async def test_a_stamp_that_makes_no_sense_keeps_no_other_from_being_read(
    store: SqliteStore, clock: Any, line: str
) -> None:
    stamps = [Evidence(clock.now(), "submit.copy", ())]
    await put(store, to("a@h.example"), stamps)
    await arrive(store, *stamps)
    for table in ("departure", "passport"):
        await spoil(store, f"UPDATE {table} SET evidence = evidence || {line} || evidence")
    of_departure = await store.read(lambda tx: tx.outbound.evidence(DepartureId(1)))
    of_message = await store.read(lambda tx: tx.passports.of(MessageId(1)))
    assert [each.stage for each in of_departure] == ["submit.copy", "unreadable", "submit.copy"]
    assert of_message == of_departure
    assert {each.at for each in of_message} == {clock.now()}
    found = await tracing.find(store, clock, MessageTrace("ann@example.org"))
    assert {each.id for each in found} == {"m1", "s1"}


async def test_counts_are_of_the_states_that_there_are(store: SqliteStore) -> None:
    await put(store, to("a@h.example", "b@h.example", "c@h.example"))
    await spoil(store, "UPDATE outbound SET state = 'lost' WHERE id = 1")
    await spoil(store, f"UPDATE outbound SET state = {NO_UTF8} WHERE id = 2")
    assert await store.read(lambda tx: tx.queue.counts()) == {OutboundState.WAITING: 1}
