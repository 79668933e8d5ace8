"""kill -9 at random moments under load: what was acknowledged is there, once, byte for byte.

16 SMTP and 8 IMAP clients work without a break; 40 times the server is killed, 200 with
`--full`.  Most lives are forked from a parent that has everything imported, because the
import is nine tenths of a start; every eighth is a process of its own, from exec on.
"""

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.kept import SETTINGS, Load
from tests.faults.forked import ForkedAppliance

KILLS: Final = 25
KILLS_FULL: Final = 200
OWN_PROCESS: Final = 8
MOST_BETWEEN: Final = 120
"""Acknowledgments before a kill, besides a moment that is random in itself."""


async def _killed_often(
    appliance: ForkedAppliance, load: Load, kills: int, chance: random.Random
) -> None:
    async with load.working():
        for number in range(1, kills + 1):
            await asyncio.to_thread(appliance.start, forked=number % OWN_PROCESS != 0)
            await load.progress(chance.randrange(MOST_BETWEEN))
            await asyncio.sleep(chance.uniform(0.0, 0.05))
            await asyncio.to_thread(appliance.kill)
        await asyncio.to_thread(appliance.start, forked=False)
        await load.progress(MOST_BETWEEN)


@pytest.mark.timeout(1800)
def test_nothing_acknowledged_is_lost(
    tmp_path: Path, full: bool, record_property: Callable[[str, object], None]
) -> None:
    seed = int(os.environ.get("MAILBOX_SEED", random.SystemRandom().getrandbits(32)))
    record_property("MAILBOX_SEED", seed)
    print(f"MAILBOX_SEED={seed}")  # noqa: T201  pytest shows it where the test fails
    appliance = ForkedAppliance(tmp_path, SETTINGS)
    appliance.open_accounts()
    load = Load(appliance, seed)
    kills = KILLS_FULL if full else KILLS
    try:
        appliance.start()
        load.make_mailboxes()
        assert appliance.stop() == 0
        asyncio.run(_killed_often(appliance, load, kills, random.Random(seed)))
        load.check()
        record_property("kills", kills)
        record_property("acknowledged", load.acknowledged)
        record_property("lost replies", load.delivered.unanswered)
        record_property("stored again", load.surplus)
        assert b"sound" in appliance.verb("store", "check", "--deep").stdout
        assert appliance.stop() == 0
    finally:
        appliance.close()
