"""Message numbers over slots, against a plain list."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.imap.views.numbering import Numbering

SLOTS = 24


@given(dead=st.sets(st.integers(0, SLOTS - 1)), fresh=st.sets(st.integers(0, SLOTS - 1)))
def test_numbers_are_places_among_the_living(dead: set[int], fresh: set[int]) -> None:
    numbering = Numbering(dead)
    numbering.bury(sorted(fresh - dead))
    alive = [slot for slot in range(SLOTS) if slot not in dead | fresh]
    assert [numbering.number(slot) for slot in alive] == [*range(1, len(alive) + 1)]
    assert [numbering.slot(number) for number in range(1, len(alive) + 1)] == alive
    runs = numbering.runs([(1, len(alive))] if alive else [])
    assert [slot for run in runs for slot in range(*run)] == alive
    some = numbering.living(3, SLOTS - 3)
    assert [slot for run in some for slot in range(*run)] == [
        slot for slot in alive if 3 <= slot < SLOTS - 3
    ]
    assert numbering.number(SLOTS) == len(alive) + 1
    assert numbering.is_plain == (not dead | fresh)


def test_runs_end_where_the_session_knows_no_more() -> None:
    runs = Numbering().runs_within([7, 1, 2, 9, 3, 8], known=9)
    assert list(runs) == [(1, 3), (7, 2)]


@given(
    uids=st.sets(st.integers(1, 60)).map(sorted),
    known=st.integers(0, 60),
    dead=st.sets(st.integers(0, 59)),
    asked=st.sets(st.integers(1, 60)).map(sorted),
)
def test_slots_are_those_of_uids_that_are_known_and_not_dead(
    uids: list[int], known: int, dead: set[int], asked: list[int]
) -> None:
    known = min(known, len(uids))
    numbering = Numbering(slot for slot in dead if slot < known)
    plain = [slot for slot in range(known) if uids[slot] in asked and slot not in dead]
    assert list(numbering.slots_of(asked, array("I", uids), known)) == plain


def test_slots_that_lie_together_are_a_range() -> None:
    uids = array("I", [3, 4, 7, 9, 12])
    assert Numbering().slots_of([4, 7, 9], uids, 5) == range(1, 4)
    assert Numbering([0]).slots_of([4, 7, 9], uids, 5) == range(1, 4)
    assert Numbering([2]).slots_of([4, 9], uids, 5) == [1, 3]


def test_numbers_of_messages_that_follow_each_other_are_a_range() -> None:
    assert Numbering([0, 2]).numbers([1, 3, 4]) == range(1, 4)
    assert Numbering([0, 2]).numbers([1, 4]) == [1, 3]
    assert list(Numbering([0, 2]).numbers([])) == []
