"""Steps in which a command changes many messages, each one write that keeps others waiting.

A run of consecutive UIDs costs the store a few statements whatever its length, so a step is
long where the UIDs stand together and short where they are scattered.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from mailbox_server.imap.telling.headway import Headway

SCATTERED_A_STEP: Final = 2_000
_RUNS_A_STEP: Final = 500


def steps(uids: Sequence[int], most: int, headway: Headway) -> Iterator[Sequence[int]]:
    """The ascending UIDs in steps of at most so many; of SCATTERED_A_STEP where they are.

    headway: whoever asks for a step has done the one before.
    """
    headway.set_out(len(uids))
    at = 0
    while at < len(uids):
        step = uids[at : at + most]
        # Between two runs there is at least one UID that is missing.
        missing = step[-1] - step[0] + 1 - len(step)
        if missing >= _RUNS_A_STEP and _breaks(step) >= _RUNS_A_STEP:
            step = step[:SCATTERED_A_STEP]
        yield step
        headway.did(len(step))
        at += len(step)


def _breaks(uids: Sequence[int]) -> int:
    """How often the UIDs do not go on with the next one."""
    return sum(after != before + 1 for before, after in pairwise(uids))
