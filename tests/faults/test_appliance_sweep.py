"""Faults inside the whole server, a process of its own, while SMTP, IMAP and POP3 clients work.

The short form has 8 points, `--full` 40.
"""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.appliance import Appliance
from tests.e2e.kept import SETTINGS, Load
from tests.faults import shim, template
from tests.faults.forked import ForkedAppliance
from tests.faults.shim import Fault, Page
from tests.faults.world import unsound

POINTS: Final = 6
POINTS_FULL: Final = 40
FAULTS: Final = (Fault.KILL, Fault.EIO, Fault.ENOSPC, Fault.TEAR)
FARTHEST: Final = 1_000
"""The last call that is hit; a group of deliveries makes some hundred."""

GOES_ON: Final = 30
"""Acknowledgments that a server which outlived its fault must give."""

SMTP_CLIENTS: Final = 4
IMAP_CLIENTS: Final = 2
POP3_CLIENTS: Final = 2
KILLED: Final = -9
PATIENCE_SECONDS: Final = 60.0


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    yield Page(tmp_path / "page")


@pytest.fixture
def appliance(tmp_path: Path, page: Page) -> Iterator[Appliance]:
    try:
        library = shim.build(tmp_path)
    except shim.NoCompiler as missing:
        pytest.skip(str(missing))
    ForkedAppliance(tmp_path, SETTINGS).open_accounts()
    running = Appliance(tmp_path, SETTINGS, page.environment(library))
    yield running
    running.kill()


async def _fail_often(
    appliance: Appliance, page: Page, load: Load, points: int, chance: random.Random
) -> list[str]:
    """Start, fault and end the server so many times under load; what was hit."""
    hit = []
    async with load.working():
        for number in range(points):
            page.set(chance.randint(1, FARTHEST), FAULTS[number % len(FAULTS)])
            await asyncio.to_thread(appliance.start)
            page.arm(appliance.pid)
            hit.append(await _run_into_it(appliance, page, load, FAULTS[number % len(FAULTS)]))
            page.arm(0)
            assert await template.inside(appliance.data, unsound) == [], hit
        page.set(0, Fault.NONE)
        await asyncio.to_thread(appliance.start)
        await load.progress(GOES_ON)
    return hit


async def _run_into_it(appliance: Appliance, page: Page, load: Load, fault: Fault) -> str:
    """Wait for the fault and for what must come of it; the server has ended then."""
    pid = appliance.pid
    ended = asyncio.create_task(asyncio.to_thread(appliance.wait))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while page.hit is None:  # noqa: ASYNC110  another process writes the page
            await asyncio.sleep(0.005)
        told = f"{fault.name} at {page.hit.name} {page.file}"
        if fault in (Fault.KILL, Fault.TEAR):
            assert await ended == KILLED, told
        elif page.hit.is_sync and fault is Fault.EIO:
            assert await ended > 0, told
            assert not page.resynced, told
        else:
            await _outlive(load, ended)
            if not ended.done():
                os.kill(pid, signal.SIGKILL)
            await ended
    return told


async def _outlive(load: Load, ended: "asyncio.Task[int]") -> None:
    """The server goes on, or has ended because it could not trust the disk."""
    going_on = asyncio.create_task(load.progress(GOES_ON))
    await asyncio.wait((going_on, ended), return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        going_on.cancel()
        assert ended.result() > 0
    else:
        await going_on


@pytest.mark.timeout(1800)
def test_nothing_is_lost_wherever_the_appliance_fails(
    appliance: Appliance,
    page: Page,
    full: bool,
    record_property: Callable[[str, object], None],
) -> None:
    seed = random.SystemRandom().getrandbits(32)
    record_property("seed", seed)
    load = Load(
        appliance,
        seed,
        smtp_clients=SMTP_CLIENTS,
        imap_clients=IMAP_CLIENTS,
        pop3_clients=POP3_CLIENTS,
    )
    appliance.start()
    load.make_mailboxes()
    assert appliance.stop() == 0
    points = POINTS_FULL if full else POINTS
    hit = asyncio.run(_fail_often(appliance, page, load, points, random.Random(seed)))
    load.check(may_refuse=True)
    assert appliance.stop() == 0
    record_property("points", len(hit))
    record_property("acknowledged", load.acknowledged)
    record_property("lost replies", load.delivered.unanswered)
    record_property("stored again", load.surplus)
