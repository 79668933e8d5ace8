"""Jobs run when they are due, and one that fails stops no other."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.ops import housekeeping
from mailbox_server.ops.housekeeping import COLLECT, JOBS, Housekeeping, HousekeepingRules, Job
from mailbox_server.store.ports import Room
from tests.unit.auth.memory_store import HandClock, RecordedEvents


@pytest.fixture(autouse=True)
def _new_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing ran before, and there is nobody."""

    async def runs(store: object) -> dict[str, object]:
        return {}

    async def since(store: object) -> None:
        return None

    monkeypatch.setattr(housekeeping, "last_runs", runs)
    monkeypatch.setattr(housekeeping, "since_when", since)


def _keeper(clock: HandClock, events: RecordedEvents) -> Housekeeping:
    nothing: Any = None
    store: Any = SimpleNamespace(when_low=lambda call: None)
    rules = HousekeepingRules(timedelta(days=90), timedelta(days=90), timedelta(days=30))
    return Housekeeping(store, nothing, nothing, nothing, clock, events, rules)


def test_every_job_has_a_name_of_its_own_and_a_period() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS)
    assert all(job.every >= timedelta(minutes=1) for job in JOBS)
    assert COLLECT in JOBS


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (StoreUnavailable("the disk is gone"), "housekeeping.failed"),
        (ValueError("a bug"), "housekeeping.fault"),
    ],
)
async def test_trouble_is_logged_and_passes(error: Exception, event: str) -> None:
    async def work(_: Housekeeping) -> None:
        raise error

    events = RecordedEvents()
    await _keeper(HandClock(), events).do(Job("break", timedelta(minutes=1), work))
    assert events.seen[0][0] == event
    assert events.seen[0][1]["job"] == "break"


async def test_jobs_run_when_they_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, ran = HandClock(), list[tuple[str, float]]()

    def job(name: str, minutes: int) -> Job:
        async def work(_: Housekeeping) -> None:
            ran.append((name, clock.seconds))
            if len(ran) == 6:
                raise asyncio.CancelledError

        return Job(name, timedelta(minutes=minutes), work)

    async def sleep(seconds: float) -> None:
        clock.seconds += seconds

    monkeypatch.setattr(housekeeping, "JOBS", (job("often", 1), job("seldom", 3)))
    monkeypatch.setattr("mailbox_server.ops.housekeeping.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await _keeper(clock, RecordedEvents()).run()
    assert [at for name, at in ran if name == "often"] == [60.0, 120.0, 180.0, 240.0, 300.0]
    assert [at for name, at in ran if name == "seldom"] == [180.0]


async def test_while_room_is_low_what_was_expunged_meanwhile_is_collected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms = [Room.LOW, Room.LOW, Room.AMPLE]
    collected: list[int] = []
    pauses: list[float] = []
    ample = asyncio.Event()

    def room() -> Room:
        found = rooms.pop(0)
        if found is Room.AMPLE:
            ample.set()
        return found

    async def work(_: Housekeeping) -> None:
        collected.append(len(rooms))

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if seconds > 60:
            await asyncio.Event().wait()

    keeper = _keeper(HandClock(), RecordedEvents())
    store: Any = SimpleNamespace(when_low=lambda call: call(), room=room)
    keeper.store = store
    monkeypatch.setattr(housekeeping, "COLLECT", Job("collect", timedelta(minutes=10), work))
    monkeypatch.setattr(housekeeping, "JOBS", (Job("seldom", timedelta(hours=1), work),))
    monkeypatch.setattr("mailbox_server.ops.housekeeping.asyncio.sleep", sleep)
    running = asyncio.create_task(keeper.run())
    async with asyncio.timeout(30):
        await ample.wait()
    running.cancel()
    assert collected == [3, 2, 1]
    assert [seconds for seconds in pauses if seconds < 60] == [2.0, 2.0]
