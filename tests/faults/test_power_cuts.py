"""Power cuts under load: after the next mount everything that was acknowledged is there.

The same load and the same cuts without syncs (eatmydata) must lose mail, or the cuts prove
nothing.  The short form makes 14 cuts, `--full` 200; MAILBOX_CUTS names another number.
"""

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from mailbox_server.model.errors import MailboxServerFault
from tests.e2e.appliance import address
from tests.e2e.kept import SETTINGS, Load
from tests.e2e.peers.programs import need
from tests.faults import template
from tests.faults.forked import ForkedAppliance
from tests.faults.loop_disk import EXT4, EXT4_WRITEBACK, XFS, FileSystem, LoopDisk
from tests.faults.world import unsound, world_of

CUTS: Final = 14
CUTS_FULL: Final = 200
CONTROL_CUTS: Final = 2
CONTROL_CUTS_FULL: Final = 6
SHARES: Final = ((EXT4, 4), (EXT4_WRITEBACK, 3), (XFS, 3))
"""Tenths of the cuts, at least one each."""

MOST_BETWEEN: Final = 120
"""Acknowledgments before a cut."""

SMTP_CLIENTS: Final = 8
IMAP_CLIENTS: Final = 4
MEBIBYTES: Final = 2_000
WITHOUT_SYNCS: Final = {"LD_PRELOAD": "libeatmydata.so"}


@contextmanager
def _on_a_disk(
    place: Path, system: FileSystem, preloaded: dict[str, str]
) -> Iterator[tuple[ForkedAppliance, LoopDisk]]:
    """An appliance with accounts, whose data folder is a disk of its own; it is not running."""
    appliance = ForkedAppliance(place, SETTINGS, preloaded)
    disk = LoopDisk(place / "disk", appliance.data, system, MEBIBYTES)
    with closing(disk), closing(appliance):
        disk.mount()
        appliance.open_accounts()
        yield appliance, disk


async def _cut(appliance: ForkedAppliance, disk: LoopDisk, load: Load, count: int) -> None:
    """Run, lose the power when so many were acknowledged, and have the disk mounted again."""
    await asyncio.to_thread(appliance.start)
    await load.progress(count)
    disk.cut()
    await asyncio.to_thread(appliance.kill)
    disk.unmount()
    disk.mount()


def _cuts(system: FileSystem, *, full: bool) -> int:
    wanted = int(os.environ.get("MAILBOX_CUTS", CUTS_FULL if full else CUTS))
    return max(1, round(wanted * dict(SHARES)[system] / 10))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("system", [each for each, _ in SHARES], ids=lambda each: each.name)
def test_what_was_acknowledged_outlives_the_power(
    tmp_path: Path,
    system: FileSystem,
    full: bool,
    record_property: Callable[[str, object], None],
) -> None:
    seed = random.SystemRandom().getrandbits(32)
    chance, cuts = random.Random(seed), _cuts(system, full=full)

    async def cut_often(appliance: ForkedAppliance, disk: LoopDisk, load: Load) -> None:
        async with load.working():
            for _ in range(cuts):
                await _cut(appliance, disk, load, chance.randrange(MOST_BETWEEN))
            await asyncio.to_thread(appliance.start)
            await load.progress(MOST_BETWEEN)

    with _on_a_disk(tmp_path, system, {}) as (appliance, disk):
        load = Load(appliance, seed, smtp_clients=SMTP_CLIENTS, imap_clients=IMAP_CLIENTS)
        appliance.start()
        load.make_mailboxes()
        assert appliance.stop() == 0
        asyncio.run(cut_often(appliance, disk, load))
        load.check(may_refuse=True)
        assert appliance.stop() == 0
        assert asyncio.run(template.inside(appliance.data, unsound)) == []
    record_property("cuts", cuts)
    record_property("acknowledged", load.acknowledged)
    record_property("lost replies", load.delivered.unanswered)
    record_property("stored again", load.surplus)


@pytest.mark.timeout(600)
def test_without_syncs_the_cuts_lose_mail(
    tmp_path: Path, full: bool, record_property: Callable[[str, object], None]
) -> None:
    need("eatmydata")
    seed = random.SystemRandom().getrandbits(32)
    cuts = CONTROL_CUTS_FULL if full else CONTROL_CUTS
    acknowledged = lost = 0
    for number in range(cuts):
        place = tmp_path / str(number)
        place.mkdir()
        with _on_a_disk(place, (EXT4, XFS)[number % 2], WITHOUT_SYNCS) as (appliance, disk):
            load = Load(appliance, seed + number, smtp_clients=SMTP_CLIENTS, imap_clients=0)
            asyncio.run(_worked_once(appliance, disk, load))
            acknowledged += len(load.delivered.acknowledged)
            lost += _lost(appliance, load)
    record_property("cuts", cuts)
    record_property("acknowledged", acknowledged)
    record_property("copies lost, one a recipient", lost)
    assert acknowledged, "no mail was acknowledged"
    assert lost, "nothing was lost without a single sync: the cuts prove nothing"


async def _worked_once(appliance: ForkedAppliance, disk: LoopDisk, load: Load) -> None:
    async with load.working(to_the_end=False):
        await _cut(appliance, disk, load, MOST_BETWEEN)


def _lost(appliance: ForkedAppliance, load: Load) -> int:
    """How many acknowledged messages are not in the INBOX of each who should have them."""
    owed = [(to, sent.digest) for sent in load.delivered.acknowledged for to in sent.recipients]
    try:
        world = asyncio.run(template.inside(appliance.data, world_of))
    except MailboxServerFault:
        return len(owed)
    held = {
        (address(name), one.digest)
        for (name, mailbox), box in world.boxes.items()
        if mailbox == "INBOX"
        for one in box.letters.values()
    }
    return sum(one not in held for one in owed)
