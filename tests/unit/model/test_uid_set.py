"""Sets of UIDs as ranges behave as the sets of numbers they stand for."""

from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.model.uid_set import UidSet

NUMBERS = st.sets(st.integers(1, 40))


@given(NUMBERS, NUMBERS)
def test_as_sets_of_numbers(one: set[int], other: set[int]) -> None:
    first, second = UidSet.of(one), UidSet.of(other)
    assert set(first.common(second)) == one & other
    assert set(first.without(second)) == one - other
    for found in (first.common(second), first.without(second)):
        assert found == UidSet.of(found)
    assert len(first) == len(one)
    assert {n for n in range(45) if n in first} == one


@given(st.lists(st.integers(1, 12)))
def test_numbers_come_in_any_order_and_more_than_once(numbers: list[int]) -> None:
    assert UidSet.of(numbers) == UidSet.of_ranges((number, number) for number in numbers)


def test_wide_ranges_cost_nothing() -> None:
    everything = UidSet(((1, 2**32 - 1),))
    assert everything.without(UidSet.of([5])).text() == "1:4,6:4294967295"
    assert everything.common(UidSet(((7, 2**63),))).text() == "7:4294967295"
