"""Who works where nobody waits rests as often as it works, and longer."""

import asyncio

import pytest

from mailbox_server.store import unhurried
from mailbox_server.store.unhurried import Unhurried
from tests.contract.conftest import TurnedClock


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken = list[float]()

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return taken


class Worked(TurnedClock):
    """Time passes where work is done."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


async def test_after_enough_work_comes_a_longer_rest(rests: list[float]) -> None:
    clock = Worked()
    work = Unhurried(clock)
    for _ in range(10):
        clock.seconds += 0.001
        await work.rest()
    assert len(rests) == 5
    assert sum(rests) == pytest.approx(0.010 * unhurried._REST_TIMES)


async def test_after_a_long_step_it_rests_for_a_second(rests: list[float]) -> None:
    """The machine may have slept."""
    clock = Worked()
    work = Unhurried(clock)
    clock.seconds += 3_600
    await work.rest()
    await work.rest()
    assert rests == [1.0]
