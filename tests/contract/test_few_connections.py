"""Fewer connections than destinations would use: who gets them, and when one is looked for."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from mailbox_server.model.next_hop import Host
from mailbox_server.relay.client.opening import Opening
from mailbox_server.relay.queue.carrying import CarryingRules
from mailbox_server.store.door import SqliteStore
from tests.contract.conftest import TurnedClock
from tests.contract.scripted_peers import House, Told, World


class Turnstile(asyncio.Event):
    """Lets as many messages on as it was told to."""

    def __init__(self) -> None:
        super().__init__()
        self._passes = asyncio.Semaphore(0)

    def admit(self, messages: int) -> None:
        for _ in range(messages):
            self._passes.release()

    async def wait(self) -> bool:  # type: ignore[override]
        return await self._passes.acquire()


@pytest.fixture
def world(clock: TurnedClock) -> World:
    return World(clock)


@pytest.fixture
async def house(store: SqliteStore, world: World) -> AsyncIterator[House]:
    made = House(store, world, Told())
    await made.scheduler.begin()
    yield made
    made.scheduler.stop()
    assert await made.tasks.rest(20)
    assert made.faults == []


async def taken(house: House, messages: int) -> None:
    """Return when other servers have so many messages, and that is written down."""
    done = asyncio.Event()
    recorded = len(house.world.got)

    def step(name: str) -> None:
        nonlocal recorded
        recorded += name == "recorded"
        if recorded >= messages:
            done.set()

    house.world.step = step
    if recorded < messages:
        async with asyncio.timeout(20):
            await done.wait()


async def hold_three(house: House) -> None:
    """Mail has gone to each of three destinations, whose connections are all there may be."""
    house.scheduler.carrying.rules = CarryingRules(connections=3, idle_seconds=3_600.0)
    await house.send_each([["a@x.example"], ["a@y.example"], ["a@z.example"]])
    await house.scheduler.take_due()
    await taken(house, 3)


async def test_a_connection_that_waits_for_mail_is_ended_for_who_has_none(
    house: House, world: World
) -> None:
    house.scheduler.carrying.rules = CarryingRules(connections=1, idle_seconds=3_600.0)
    await house.send("a@x.example")
    await house.scheduler.take_due()
    await taken(house, 1)
    await house.send("a@y.example")
    await house.scheduler.take_due()
    await taken(house, 2)
    assert [address for address, _ in world.got] == ["a@x.example", "a@y.example"]


async def test_who_waits_for_others_to_be_tried_is_tried_when_they_are_reached(
    house: House, world: World
) -> None:
    """Of three at most two are tried at once; none of the connections ends."""
    await hold_three(house)


async def test_no_more_connections_that_wait_are_ended_than_are_needed(
    house: House, world: World
) -> None:
    await hold_three(house)
    world.gate = turnstile = Turnstile()
    await house.send_each([["a@w.example"]] * 3)
    sending = asyncio.Event()

    def step(name: str) -> None:
        if name == "send":
            sending.set()

    world.step = step
    await house.scheduler.take_due()
    async with asyncio.timeout(20):
        await sending.wait()
    assert world.at_once == 3, "two wait still, and a new server is tried over one"
    turnstile.admit(3)
    await taken(house, 6)


async def test_who_has_more_than_a_share_gives_of_it(house: House, world: World) -> None:
    house.scheduler.carrying.rules = CarryingRules(connections=2, idle_seconds=0.0)
    world.gate = turnstile = Turnstile()
    await house.send_each([["a@x.example"]] * 20)
    await house.scheduler.take_due()
    turnstile.admit(1)
    await taken(house, 1)
    await house.scheduler.take_due()
    await house.send("a@y.example")
    await house.scheduler.take_due()
    turnstile.admit(100)
    await taken(house, 11)
    assert "a@y.example" in [address for address, _ in world.got[:8]]


async def test_nobody_gives_to_who_may_not_be_tried_yet(
    house: House, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hosts hang that were never reached: half of all, so a third one has to wait."""
    house.scheduler.carrying.rules = CarryingRules(connections=4, idle_seconds=0.0)
    world.gate = turnstile = Turnstile()
    await house.send_each([["a@x.example"]] * 20)
    await house.scheduler.take_due()
    turnstile.admit(1)
    await taken(house, 1)
    await house.scheduler.take_due()
    world_open = world.open

    async def hangs(hosts: Sequence[Host]) -> Opening:
        if hosts[0].name != "mx.x.example":
            await asyncio.Event().wait()
        return await world_open(hosts)

    monkeypatch.setattr(world, "open", hangs)
    await house.send_each([[f"a@h{number}.example"] for number in range(3)])
    await house.scheduler.take_due()
    turnstile.admit(17)
    await taken(house, 18)
    assert world.openings["x.example"] <= 5
    turnstile.admit(100)


async def test_a_lane_of_which_all_is_in_hand_is_looked_at_once(house: House, world: World) -> None:
    house.destinations.most_connections = 1
    world.gate = turnstile = Turnstile()
    await house.send_each([["a@x.example"]] * 5)
    await house.scheduler.take_due()
    turnstile.admit(3)
    await taken(house, 3)
    await asyncio.sleep(0)
    assert house.scheduler.is_awake, "there might be more"
    await house.scheduler.take_due()
    turnstile.admit(1)
    await taken(house, 4)
    await asyncio.sleep(0)
    assert not house.scheduler.is_awake
    turnstile.admit(1)


async def test_many_recipients_of_one_message_go_one_pass_after_the_other(
    house: House, world: World
) -> None:
    """A hundred of them take as much of a lane's room as a message: more are due than fit."""
    house.scheduler.carrying.rules = CarryingRules(idle_seconds=0.0)
    await house.send(*(f"a{number}@x.example" for number in range(1_000)))
    await house.settle()
    assert len(world.got) == 1_000
