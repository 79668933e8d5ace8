"""The queue gives way to mail that keeps coming, for a bounded time (relay.queue.deference)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mailbox_server.relay.queue.deference import MOST_SECONDS
from mailbox_server.store.door import SqliteStore
from tests.contract.conftest import TurnedClock
from tests.contract.scripted_peers import House, Told, World

FLOOD = 60


@pytest.fixture
def world(clock: TurnedClock) -> World:
    return World(clock)


@pytest.fixture
async def house(store: SqliteStore, world: World) -> AsyncIterator[House]:
    made = House(store, world, Told())
    running = asyncio.create_task(made.scheduler.run())
    await asyncio.sleep(0)
    yield made
    made.scheduler.stop()
    await running
    assert await made.tasks.rest(20)
    assert made.faults == []


async def all_recorded(world: World, messages: int) -> None:
    """Return when so many messages were taken by others and are written down."""
    done = asyncio.Event()
    world.step = lambda name: (
        done.set() if name == "recorded" and len(world.got) >= messages else None
    )
    if len(world.got) < messages:
        async with asyncio.timeout(20):
            await done.wait()


async def flood(house: House) -> None:
    """One commit after the other, in no time; return when nothing moves any more."""
    for number in range(FLOOD):
        await house.send(f"a@h{number}.example")
    for _ in range(20):  # a look at what is due is three turns at the store
        await house.store.write(lambda tx: None)
        assert await house.tasks.rest(20)


async def test_in_a_flood_mail_is_carried_when_its_time_is_over(house: House, world: World) -> None:
    await flood(house)
    assert len(world.got) < FLOOD
    world.clock.turn(seconds=MOST_SECONDS)
    await all_recorded(world, FLOOD)


async def test_an_operator_waits_for_no_flood(house: House, world: World) -> None:
    await flood(house)
    (number,) = await house.send("a@x.example")
    now = world.clock.now()
    await house.store.write(lambda tx: tx.queue.retry([number], now))
    await all_recorded(world, FLOOD + 1)


async def test_a_stop_waits_for_no_flood(house: House, world: World) -> None:
    await flood(house)
    house.scheduler.stop()
    async with asyncio.timeout(20):
        assert await house.tasks.rest(5)
