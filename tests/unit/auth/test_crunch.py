"""Work off the loop is bounded in threads and in line."""

import asyncio
import threading

import pytest

from mailbox_server.auth.crunch import Crunch, CrunchLimits
from mailbox_server.model.errors import TooBusy


async def test_the_line_is_bounded() -> None:
    crunch = Crunch(CrunchLimits(threads=1, waiting=2))
    gate = threading.Event()
    waiting = [asyncio.ensure_future(crunch.run(gate.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await crunch.run(lambda: True)
    gate.set()
    assert await asyncio.gather(*waiting) == [True, True, True]
    assert await crunch.run(lambda: 7) == 7
    crunch.close()


async def test_a_caller_that_leaves_still_counts_until_its_work_is_done() -> None:
    crunch = Crunch(CrunchLimits(threads=1, waiting=0))
    gate = threading.Event()
    caller = asyncio.ensure_future(crunch.run(gate.wait))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    with pytest.raises(TooBusy):
        await crunch.run(lambda: True)
    gate.set()
    # Behind it in the line of one thread, so the loop hears of the first one first.
    await asyncio.wrap_future(crunch._pool.submit(lambda: None))
    assert await crunch.run(lambda: True)
    crunch.close()


async def test_what_work_raises_passes() -> None:
    crunch = Crunch(CrunchLimits())

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await crunch.run(fail)
    crunch.close()
