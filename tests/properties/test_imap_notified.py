"""NOTIFY at random (RFC 5465): what a client is told of mailboxes is what is there.

A failure tells its seed and what was said last; `MAILBOX_SEED=n` plays that seed alone.
"""

from typing import Final

import pytest

from tests.dialogues.imap.world import World
from tests.properties.imap_notified_play import OWNER, READER, NotifiedPlay
from tests.properties.test_imap_sessions import seeds

STEPS: Final = 100
STEPS_BETWEEN: Final = 10


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("login", [OWNER, READER])
@pytest.mark.parametrize("most_octets", [1 << 27, 0], ids=["views kept", "views packed away"])
async def test_told_is_there(full: bool, login: str, most_octets: int) -> None:
    for seed in seeds(full) if full else seeds(full)[:3]:
        world = await World.open()
        world.views.most_octets = most_octets
        play = NotifiedPlay(world, seed, login)
        try:
            await play.begin()
            for number in range(1, STEPS + 1):
                await play.step()
                if number % STEPS_BETWEEN == 0:
                    await play.compare()
        except Exception as broken:
            said = "\n".join(play.transcript)
            raise AssertionError(f"seed {seed}: {broken}\n{said}") from broken
        finally:
            await play.leave()
