"""All values of a field together: whatever is asked of them is what their blocks answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.store.search_index import field_values, field_words
from mailbox_server.store.search_index.field_block import Columns, FieldBlock, ValueSeeker
from mailbox_server.store.search_index.field_values import FieldBlocks, FieldTable

SPAN = 1 << 24
MANY = 1 << 30
VALUES = st.text(st.sampled_from("abé大\x80ÿ\U0001f600 "), max_size=4)
BLOCKS = st.lists(
    st.tuples(
        st.sampled_from((0, SPAN, 3 * SPAN)),
        st.lists(st.lists(VALUES, min_size=1, max_size=2), min_size=1, max_size=12),
    ),
    max_size=4,
)
NEEDLES = st.lists(st.text(st.sampled_from("abé大\x80ÿ\U0001f600 \n"), max_size=3), max_size=5)


def columns(above: int, values: list[list[str]]) -> Columns:
    block = FieldBlock()
    for message, each in enumerate(values, above + 1):
        block.add(message, each)
    return block.columns()


def ids(values: FieldBlocks | FieldTable, needle: str) -> list[int]:
    costs = list[int]()
    found = [*values.found(ValueSeeker(needle), costs.append)]
    assert found == sorted(found)
    return found


def table(blocks: FieldBlocks) -> FieldTable:
    made = blocks.table(MANY)
    assert made is not None
    return made


@settings(max_examples=200, deadline=None)
@given(BLOCKS, NEEDLES)
def test_it_answers_as_the_blocks_do(
    of_blocks: list[tuple[int, list[list[str]]]], needles: list[str]
) -> None:
    """Wherever their ids begin; a message has its place in one block only."""
    blocks = [
        columns(above + 100 * number, values) for number, (above, values) in enumerate(of_blocks)
    ]
    kept = FieldBlocks(blocks)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(field_values, "_PUT_TOGETHER_PART", 0)
        together = table(kept)
    for needle in needles:
        assert ids(together, needle) == ids(kept, needle)


def test_a_needle_in_thousands_of_values_is_found_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [
        columns(4_000 * number, [[f"subject {number} {each}"] for each in range(3_000)])
        for number in range(2)
    ]
    monkeypatch.setattr(field_values, "_PUT_TOGETHER_PART", 0)
    made = table(FieldBlocks(blocks))
    for needle in ("subject", "subject ", "t "):
        assert ids(made, needle) == [*range(1, 3_001), *range(4_001, 7_001)]


def test_values_that_seldom_come_again_stay_in_their_blocks() -> None:
    """Put together they would take more room, and as long to be gone through."""
    seldom = FieldBlocks([columns(0, [[f"an offer for you of {each}"] for each in range(500)])])
    often = FieldBlocks([columns(0, [[f"an offer for you of {each % 9}"] for each in range(500)])])
    told = {id(each): list[int]() for each in (seldom, often)}
    for blocks in (seldom, often):
        assert ids(table(blocks), "you of 8") == ids(blocks, "you of 8")
        table(blocks).found(ValueSeeker("you of 8"), told[id(blocks)].append)
    assert told[id(seldom)][0] == seldom.octets
    assert table(seldom).octets > seldom.octets
    assert told[id(often)][0] < table(often).octets


def test_of_values_that_share_nothing_nothing_is_made() -> None:
    blocks = FieldBlocks([columns(0, [[f"word{each} other{each}"] for each in range(100)])])
    assert blocks.table(MANY) is None


def test_blocks_whose_ids_are_too_far_apart_stay_blocks() -> None:
    blocks = FieldBlocks([columns(0, [["a"]]), columns(1 << 40, [["a"]])])
    assert ids(blocks, "a") == [1, (1 << 40) + 1]
    assert blocks.table(MANY) is None


def test_none_is_made_that_would_not_be_kept() -> None:
    """That is seen before most of the work is done, which would be done again and again."""
    shared = [[f"an offer for you of {each % 40}"] for each in range(500)]
    blocks = FieldBlocks([columns(0, shared)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(field_words, "WORDS_MOST", 0)
        least = table(blocks).octets
        assert blocks.table(least) is not None
        assert blocks.table(least - 1) is None


def test_words_that_would_make_it_too_large_are_left_out() -> None:
    shared = [[f"an offer for you of {each % 40}"] for each in range(500)]
    blocks = FieldBlocks([columns(0, shared)])
    whole = table(blocks)
    least = blocks.table(whole.octets - 1)
    assert least is not None
    assert least.octets < whole.octets
    assert ids(least, "offer") == ids(whole, "offer") == [*range(1, 501)]
