"""Steps hold all UIDs once, long where they stand together."""

import pytest

from mailbox_server.imap.commands.steps import SCATTERED_A_STEP, steps
from mailbox_server.imap.telling.headway import Headway


@pytest.mark.parametrize(
    ("uids", "sizes"),
    [
        ([], []),
        (range(5, 10), [5]),
        (range(1, 25_001), [10_000, 10_000, 5_000]),
        ([*range(1, 5_000), *range(6_000, 8_000)], [6_999]),
        (range(1, 8_001, 2), [SCATTERED_A_STEP, SCATTERED_A_STEP]),
        ([*range(1, 4_001, 2), *range(4_001, 12_001)], [SCATTERED_A_STEP, 8_000]),
    ],
)
def test_all_are_in_one_step(uids: list[int], sizes: list[int]) -> None:
    headway = Headway(10.0)
    headway.begin(b"a", 0.0)
    told, found = [], []
    for step in steps(list(uids), 10_000, headway):
        told.append(headway.notice(10.0 * len(told) + 10.0))
        found.append(list(step))
    goals = [b'"a" %d %d' % (sum(sizes[:place]), len(uids)) for place in range(len(sizes))]
    assert all(goal in line for goal, line in zip(goals, told, strict=True))
    assert [uid for step in found for uid in step] == list(uids)
    assert [len(step) for step in found] == sizes
