"""What is kept of a derived file stays within its bounds."""

from pathlib import Path

from mailbox_server.store.derived_state import DerivedState

FILE = Path("search-1.db")


def test_what_was_kept_is_given_until_another_is() -> None:
    state = DerivedState(FILE, 100)
    assert state.get("a") is None
    state.keep("a", 1, 10)
    state.keep("a", 2, 20)
    assert state.get("a") == 2


def test_what_came_first_makes_room() -> None:
    state = DerivedState(FILE, 100)
    for name in "abcd":
        state.keep(name, name, 30)
        assert state.is_crowded == (name == "d")
    assert [state.get(name) for name in "abcd"] == [None, "b", "c", "d"]


def test_what_is_kept_instead_takes_the_room_of_the_other() -> None:
    state = DerivedState(FILE, 100)
    state.keep("a", "a", 50)
    for _ in range(5):
        state.keep("b", "b", 50)
    assert state.get("a") == "a"


def test_what_would_take_more_than_half_is_not_kept() -> None:
    state = DerivedState(FILE, 100)
    state.keep("a", "a", 50)
    state.keep("b", "b", 51)
    assert (state.get("a"), state.get("b")) == ("a", None)


def test_what_is_to_be_made_is_wanted_once_until_it_begins() -> None:
    state = DerivedState(FILE, 100)
    assert [state.is_newly_wanted(name) for name in "aab"] == [True, False, True]
    state.begins("a")
    assert [state.is_newly_wanted(name) for name in "ab"] == [True, False]
