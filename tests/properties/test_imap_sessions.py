"""Three sessions at random on one account, against a reference model.

After each step the store holds what the model holds, each client knows what it must know,
and modseqs have only risen.  The same history is read again through QRESYNC, CONDSTORE and
from nothing, and gives the same mailbox.

A failure tells its seed and what was said last; `MAILBOX_SEED=n` plays that seed alone.
"""

import os
import random
from typing import Final

import pytest

from tests.dialogues.imap.world import World
from tests.properties.imap_sessions_play import SessionsPlay

STEPS: Final = 200
SEEDS: Final = 10
SEEDS_FULL: Final = 300


def seeds(full: bool) -> list[int]:
    """The short form has the same ones each time: what it finds is what the change did."""
    chosen = os.environ.get("MAILBOX_SEED")
    if chosen is not None:
        return [int(chosen)]
    return random.SystemRandom().sample(range(2**31), SEEDS_FULL) if full else list(range(SEEDS))


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("most_octets", [1 << 27, 0], ids=["views kept", "views packed away"])
async def test_sessions_and_model(full: bool, most_octets: int) -> None:
    for seed in seeds(full):
        world = await World.open()
        world.views.most_octets = most_octets
        play = SessionsPlay(world, seed)
        try:
            await play.begin()
            for _ in range(STEPS):
                await play.step()
            await play.end()
        except Exception as broken:
            said = "\n".join(play.transcript)
            raise AssertionError(f"seed {seed}: {broken}\n{said}") from broken
        finally:
            await play.leave()
