"""Words of values: a needle within a word is found in the values that hold it, and no others."""

from array import array
from collections.abc import Iterable

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from mailbox_server.store.search_index import field_words
from mailbox_server.store.search_index.field_block import FieldBlock, ValueSeeker
from mailbox_server.store.search_index.field_values import QUESTIONS, FieldBlocks, ValueTable
from mailbox_server.store.search_index.field_words import words_of

WORDS = ("re:", "photo", "photos", "grüße", "大阪", "", "a\x80b")
VALUES = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join),
    min_size=1,
    max_size=60,
    unique=True,
)
NEEDLES = st.lists(st.sampled_from(("photo", "o", "s", "ü", "大", "e:", "nowhere", "\x80")))


@settings(max_examples=200, deadline=None)
@given(VALUES, NEEDLES)
def test_values_that_hold_a_needle_are_named(values: list[str], needles: list[str]) -> None:
    words = words_of(held(value.encode() for value in values))
    if words is None:
        reject()
    for needle in needles:
        having = words.having(ValueSeeker(needle))
        assert having is not None
        assert sorted(having) == [at for at, value in enumerate(values) if needle in value]


def test_there_are_none_of_values_that_share_no_words() -> None:
    assert words_of(held(b"an offer for you of %d" % each for each in range(100))) is not None
    assert words_of(held(b"word%d another%d" % (each, each) for each in range(100))) is None


def test_nothing_is_said_of_a_needle_in_many_words() -> None:
    words = words_of(held(b"an offer for you of %d" % each for each in range(100)))
    assert words is not None
    assert words.having(ValueSeeker("1")) is None
    assert words.having(ValueSeeker("17")) == array("I", [17])
    assert words.having(ValueSeeker("o")) == list(range(100))


def test_there_are_none_where_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    values = held(b"an offer for you of %d" % each for each in range(100))
    monkeypatch.setattr(field_words, "WORDS_MOST", 104)
    assert words_of(values) is None
    monkeypatch.setattr(field_words, "WORDS_MOST", 105)
    assert words_of(values) is not None


def test_a_table_with_words_answers_as_the_blocks_do() -> None:
    """Needles within words, over several, at their ends, of nothing, and of all values."""
    block = FieldBlock()
    for message in range(1, 1_001):
        block.add(message, [f"Re: photos of week {message % 300}", *(["again"] * (message % 2))])
    assert words_of(held(b"Re: photos of week %d" % each for each in range(300))) is not None
    blocks = FieldBlocks([block.columns()])
    asked = ("photos", "week 1", "week 17", "17", "s of", " of ", "", "again", "k 299", "x", "\n")
    wanted = {needle: ids(blocks, needle) for needle in asked}
    assert len(asked) > QUESTIONS
    table = blocks.table()
    assert table is not None
    assert {needle: ids(table, needle) for needle in asked} == wanted
    assert wanted["17"] == [each for each in range(1, 1_001) if "17" in str(each % 300)]


def held(values: Iterable[bytes]) -> "dict[bytes, array[int]]":
    """Each value of one message, numbered as they come."""
    return {value: array("I", [number]) for number, value in enumerate(values)}


def ids(values: FieldBlocks | ValueTable, needle: str) -> list[int]:
    return sorted(each for some in values.found(ValueSeeker(needle)) for each in some)
