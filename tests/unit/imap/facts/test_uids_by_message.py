"""Which messages of a mailbox the index lets in question, asked by message."""

from array import array
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailbox_server.imap.facts import uids_by_message
from mailbox_server.imap.facts.uids_by_message import UidsByMessage
from mailbox_server.imap.search.indexed import Sorted, sorted_by
from mailbox_server.store.ports import Candidates

IDS = st.integers(1, 60)
LISTS = st.sets(IDS, max_size=4).map(sorted)


ROWS = st.builds(lambda first, count: [*range(first, first + count)], IDS, st.integers(0, 30))
"""Ids without a gap."""
MIXED: st.SearchStrategy[list[int]] = ROWS.flatmap(
    lambda row: st.permutations(row[1:-1]).map(lambda within: [*row[:1], *within, *row[-1:]])
)
"""The same in any order, but for the first and the last."""


@example([1, 2, 3, 4, 6, 7, 8, 9, 5, 10], 8, set(), Candidates([5], [], 60))
@given(
    messages=st.one_of(st.lists(st.integers(0, 60), max_size=60), ROWS, MIXED),
    first=st.integers(0, 60),
    unknown=st.sets(st.integers(1, 60)),
    candidates=st.builds(Candidates, LISTS, LISTS, st.integers(40, 70)),
)
def test_it_says_what_going_through_all_would(
    messages: list[int], first: int, unknown: set[int], candidates: Candidates
) -> None:
    """However ids are ordered, repeated or unknown, and in how many steps they came."""
    candidates = replace(candidates, sure=sorted({*candidates.sure}.difference(candidates.maybe)))
    uids = array("I", range(1, len(messages) + 1))
    ids = array("q", messages)
    whole = UidsByMessage().with_more(uids[:first], ids[:first])
    whole = whole.with_more(uids[first:], ids[first:])
    assert len(whole) == len(messages)
    asked = [uid for uid in uids if uid not in unknown]
    plain = sorted_by(candidates, asked, [messages[uid - 1] for uid in asked])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uids_by_message, "MANY", 0)
        assert whole.sorted_by(candidates, asked) == plain


def test_where_many_are_named_it_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uids_by_message, "MANY", 2)
    uids = array("I", range(1, 9))
    whole = UidsByMessage().with_more(uids, array("q", range(11, 19)))
    for candidates, said in (
        (Candidates([12, 15], [16], 18), Sorted([2, 5], [6])),
        (Candidates([12, 15], [], 17), Sorted([2, 5], [8])),
        (Candidates([], [], 18), Sorted([], [])),
        # Those below 11 and above 18 lie in other mailboxes.
        (Candidates([1, 2, 3, 4, 12, 15], [5, 16, 40, 41], 50), Sorted([2, 5], [6])),
        (Candidates([12, 13, 15], [16, 17], 18), None),
        (Candidates([], [], 13), None),
    ):
        assert whole.sorted_by(candidates, uids) == said
