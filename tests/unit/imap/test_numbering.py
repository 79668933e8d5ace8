"""Message numbers over slots, against a plain list."""

from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.imap.numbering import Numbering

SLOTS = 24


@given(dead=st.sets(st.integers(0, SLOTS - 1)), fresh=st.sets(st.integers(0, SLOTS - 1)))
def test_numbers_are_places_among_the_living(dead: set[int], fresh: set[int]) -> None:
    numbering = Numbering(dead)
    numbering.bury(sorted(fresh - dead))
    alive = [slot for slot in range(SLOTS) if slot not in dead | fresh]
    assert [numbering.number(slot) for slot in alive] == [*range(1, len(alive) + 1)]
    assert [numbering.slot(number) for number in range(1, len(alive) + 1)] == alive
    assert list(numbering.slots([(1, len(alive))] if alive else [])) == alive
    assert numbering.number(SLOTS) == len(alive) + 1
    assert numbering.is_plain == (not dead | fresh)


def test_runs_end_where_the_session_knows_no_more() -> None:
    runs = Numbering().runs_within([7, 1, 2, 9, 3, 8], known=9)
    assert list(runs) == [(1, 3), (7, 2)]
