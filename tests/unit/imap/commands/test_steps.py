"""Steps hold all UIDs once, long where they stand together."""

import pytest

from mailbox_server.imap.commands.steps import SCATTERED_A_STEP, steps


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
    found = [list(step) for step in steps(list(uids), 10_000)]
    assert [uid for step in found for uid in step] == list(uids)
    assert [len(step) for step in found] == sizes
