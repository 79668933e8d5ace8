"""Which messages of a mailbox the index lets in question, asked by message."""

from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.imap import uids_by_message
from mailbox_server.imap.indexed import sorted_by
from mailbox_server.imap.uids_by_message import UidsByMessage
from mailbox_server.store.ports import Candidates

IDS = st.integers(1, 60)
SETS = st.frozensets(IDS, max_size=4)


@pytest.mark.parametrize("many", [0, 1_000], ids=["by message", "through all"])
@given(
    messages=st.lists(st.integers(0, 60), min_size=30, max_size=60),
    first=st.integers(0, 60),
    unknown=st.sets(st.integers(1, 60)),
    candidates=st.builds(Candidates, SETS, SETS, st.integers(40, 70)),
)
def test_it_names_what_going_through_all_would(
    many: int, messages: list[int], first: int, unknown: set[int], candidates: Candidates
) -> None:
    """However ids are ordered, repeated or unknown, and in how many steps they came."""
    uids = array("I", range(1, len(messages) + 1))
    ids = array("q", messages)
    whole = UidsByMessage().with_more(uids[:first], ids[:first])
    whole = whole.with_more(uids[first:], ids[first:])
    assert len(whole) == len(messages)
    asked = [uid for uid in uids if uid not in unknown]
    plain = sorted_by(candidates, asked, ids_of(asked, messages))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uids_by_message, "MANY", many)
        named = whole.narrowed(candidates, asked, lambda some: ids_of(some, messages))
    assert named is asked or named == sorted({*plain.sure, *plain.maybe})


def ids_of(uids: Sequence[int], messages: Sequence[int]) -> list[int]:
    return [messages[uid - 1] for uid in uids]


def test_where_most_are_named_all_are_considered() -> None:
    uids, ids = array("I", range(1, 9)), array("q", range(11, 19))
    whole = UidsByMessage().with_more(uids, ids)
    none = frozenset[int]()
    for candidates, named in (
        (Candidates(frozenset({12, 15}), frozenset({16}), 18), [2, 5, 6]),
        (Candidates(frozenset({12, 15}), none, 17), [2, 5, 8]),
        (Candidates(none, none, 18), []),
    ):
        assert whole.narrowed(candidates, uids, lambda some: ids_of(some, ids)) == named
    for candidates in (
        Candidates(frozenset({12, 13, 15}), frozenset({16}), 18),
        Candidates(none, none, 14),
    ):
        assert whole.narrowed(candidates, uids, lambda some: ids_of(some, ids)) is uids
    assert UidsByMessage().narrowed(Candidates(none, none, 5), (), lambda some: some) == ()
