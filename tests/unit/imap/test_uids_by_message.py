"""Which messages of a mailbox the index lets in question, asked by message."""

from array import array
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.imap import uids_by_message
from mailbox_server.imap.indexed import sorted_by
from mailbox_server.imap.uids_by_message import UidsByMessage
from mailbox_server.store.ports import Candidates

IDS = st.integers(1, 9)
SETS = st.frozensets(IDS, max_size=4)


@pytest.fixture(autouse=True, scope="module")
def _always_by_message() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uids_by_message, "MANY", 0)
        yield


@given(
    messages=st.lists(st.integers(0, 9), max_size=12),
    first=st.integers(0, 12),
    known=st.sets(st.integers(1, 12)),
    candidates=st.builds(Candidates, SETS, SETS, IDS),
)
def test_it_names_what_going_through_all_would(
    messages: list[int], first: int, known: set[int], candidates: Candidates
) -> None:
    """However ids are ordered, repeated or unknown, and in how many steps they came."""
    uids = array("I", range(1, len(messages) + 1))
    ids = array("q", messages)
    whole = UidsByMessage().with_more(uids[:first], ids[:first])
    whole = whole.with_more(uids[first:], ids[first:])
    assert len(whole) == len(messages)
    asked = [uid for uid in uids if uid in known]
    plain = sorted_by(candidates, asked, [messages[uid - 1] for uid in asked])
    assert whole.narrowed(candidates, asked) == sorted({*plain.sure, *plain.maybe})


def test_where_many_are_named_all_are_considered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uids_by_message, "MANY", 2)
    uids = array("I", range(1, 7))
    whole = UidsByMessage().with_more(uids, array("q", range(11, 17)))
    few, many = frozenset({12, 15}), frozenset({12, 13, 15})
    assert whole.narrowed(Candidates(few, frozenset({16}), 16), uids) == [2, 5, 6]
    assert whole.narrowed(Candidates(many, frozenset({16}), 16), uids) is uids
