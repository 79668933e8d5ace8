"""What waits for others goes on beside housekeeping, once at a time, and ends when told to."""

import asyncio
from typing import Any

import pytest

from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.tls_upkeep import TlsUpkeep
from tests.unit.delivery.house import KeptEvents


class Work:
    """Policies, levels, news and reporter in one; it hangs while the gate is shut."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.gate = asyncio.Event()
        self.fault: Exception | None = None

    async def refresh(self) -> None:
        self.done.append("refresh")
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault

    async def send_due(self) -> None:
        self.done.append("send")
        await self.gate.wait()

    async def forget_old(self) -> None:
        self.done.append("forget old")

    async def forget(self, store: object) -> None:
        self.done.append("forget levels")

    async def settle(self, store: object) -> None:
        self.done.append("settle")


@pytest.fixture
def work() -> Work:
    return Work()


def upkeep_of(work: Work, tasks: TaskKeeper, events: KeptEvents, *, sends: bool) -> TlsUpkeep:
    anything: Any = work
    return TlsUpkeep(
        store=anything,
        policies=anything,
        news=anything,
        levels=anything,
        reporter=anything,
        sends_reports=sends,
        tasks=tasks,
        events=events,
    )


async def test_long_work_goes_on_beside_and_once_at_a_time(work: Work) -> None:
    tasks, events = TaskKeeper(lambda name, error: None), KeptEvents()
    upkeep = upkeep_of(work, tasks, events, sends=True)
    for _ in range(2):
        await upkeep.refresh()
        await upkeep.report()
        await upkeep.settle()
        await asyncio.sleep(0)
    assert sorted(work.done) == ["forget levels"] * 2 + ["refresh", "send"] + ["settle"] * 2
    work.gate.set()
    assert await tasks.rest(5.0)
    await upkeep.refresh()
    assert await tasks.rest(5.0)
    assert work.done.count("refresh") == 2


async def test_reports_that_are_not_wanted(work: Work) -> None:
    upkeep = upkeep_of(work, TaskKeeper(lambda name, error: None), KeptEvents(), sends=False)
    await upkeep.report()
    assert work.done == ["forget old"]


async def test_trouble_is_told_and_the_next_time_comes(work: Work) -> None:
    tasks, events = TaskKeeper(lambda name, error: None), KeptEvents()
    upkeep = upkeep_of(work, tasks, events, sends=True)
    work.fault = StoreUnavailable("the disk is gone")
    work.gate.set()
    for _ in range(2):
        await upkeep.refresh()
        assert await tasks.rest(5.0)
    assert [name for name, _ in events.told] == ["relay.upkeep_failed"] * 2


async def test_stopping_leaves_off(work: Work) -> None:
    tasks = TaskKeeper(lambda name, error: None)
    upkeep = upkeep_of(work, tasks, KeptEvents(), sends=True)
    await upkeep.refresh()
    await asyncio.sleep(0)
    upkeep.stop()
    assert await tasks.rest(5.0)
    assert len(tasks) == 0
