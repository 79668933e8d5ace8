"""A shared mailbox at random: what is kept for anybody is what is there, \\Seen of readers too.

A failure tells its seed and what was said last; `MAILBOX_SEED=n` plays that seed alone.
"""

from typing import Final

import pytest

from tests.dialogues.imap.world import World
from tests.properties.imap_shared_play import SharedPlay
from tests.properties.test_imap_sessions import seeds

STEPS: Final = 60


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("most_octets", [1 << 27, 0], ids=["views kept", "views packed away"])
async def test_owner_and_readers(full: bool, most_octets: int) -> None:
    for seed in seeds(full) if full else seeds(full)[:1]:
        world = await World.open()
        world.views.most_octets = most_octets
        play = SharedPlay(world, seed)
        try:
            await play.begin()
            for number in range(1, STEPS + 1):
                await play.step()
                if number % 30 == 0:
                    await play.compare()
        except Exception as broken:
            said = "\n".join(play.transcript)
            raise AssertionError(f"seed {seed}: {broken}\n{said}") from broken
        finally:
            await play.leave()
