"""What the index says of messages, as UIDs of a view."""

from array import array

import pytest

from mailbox_server.imap.search.indexed import Sorted, sorted_by
from mailbox_server.store.ports import Candidates


@pytest.mark.parametrize(
    ("messages", "sure", "maybe"),
    [
        ([1, 2, 3, 4], [20], [30]),
        ([4, 3, 2, 1], [30], [20]),
        ([1, 2, 2, 3], [20, 30], [40]),
        ([1, 2, 3, 9], [20], [30, 40]),
        ([0, 2, 3, 4], [20], [10, 30]),
        ([9, 0, 4, 4], [], [10, 20]),
        ([4, 4, 4, 4], [], []),
    ],
)
def test_what_is_newer_or_not_known_may_match(
    messages: list[int], sure: list[int], maybe: list[int]
) -> None:
    candidates = Candidates([2], [3], 5)
    found = sorted_by(candidates, array("I", [10, 20, 30, 40]), array("q", messages))
    assert found == Sorted(sure, maybe)


def test_of_no_messages_nothing_is_said() -> None:
    candidates = Candidates([2], [3], 5)
    assert sorted_by(candidates, [], []) == Sorted([], [])
