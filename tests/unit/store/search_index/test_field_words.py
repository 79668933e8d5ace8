"""Words of values: a needle within a word is found in the values that hold it, and no others."""

from array import array
from collections.abc import Iterable
from itertools import chain

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from mailbox_server.store.search_index import field_words
from mailbox_server.store.search_index.field_block import Columns, FieldBlock, ValueSeeker
from mailbox_server.store.search_index.field_values import (
    FOUND_COST,
    FieldBlocks,
    FieldTable,
    ValueTable,
)
from mailbox_server.store.search_index.field_words import ValueWords

WORDS = ("re:", "photo", "photos", "grüße", "大阪", "", "a\x80b", "b12-100", "b7-1", "photo7", "7")
VALUES = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join),
    min_size=1,
    max_size=60,
    unique=True,
)
PARTS = ("photo", "photos", "o", "s", "ü", "大", "e:", "nowhere", "x" * 20, "\x80")
WITH_SIGNS = ("7", "0", "b", "-", "-1", "o7", "2-10", "b0-0", "photo0")
NEEDLES = st.lists(st.sampled_from(PARTS + WITH_SIGNS))


@settings(max_examples=200, deadline=None)
@given(VALUES, NEEDLES)
def test_values_that_hold_a_needle_are_named(values: list[str], needles: list[str]) -> None:
    words = words_of(held(value.encode() for value in values))
    if words is None:
        reject()
    for needle in needles:
        having = words.having(needle.encode())
        assert having is not None
        assert sorted({*chain(*having)}) == [
            at for at, value in enumerate(values) if needle in value
        ]


def test_there_are_none_of_values_that_share_no_words() -> None:
    assert words_of(held(b"an offer for you of %d" % each for each in range(100))) is not None
    assert words_of(held(b"word%d another%d" % (each, each) for each in range(100))) is None


def test_nothing_is_said_of_a_needle_in_many_words() -> None:
    words = words_of(held(b"an offer for you of %d" % each for each in range(100)))
    assert words is not None
    assert words.having(b"1") is None
    assert words.having(b"17") == [array("I", [17])]
    assert words.having(b"o") == [array("I", range(100))] * 4


def test_numbers_are_gone_through_for_needles_with_a_digit_only() -> None:
    """Subjects are full of numbers of which each stands once."""
    words = words_of(held(b"your order N-%d is on its way" % each for each in range(1_000)))
    assert words is not None
    assert words.cost(b"order") < 40 < 5_000 < words.cost(b"n-17")
    assert words.having(b"order") == [array("I", range(1_000))]
    assert words.having(b"N-998") == [array("I", [998])]
    assert words.having(b"N-") is None, "that is in many words"


def test_there_are_none_where_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    values = held(b"an offer for you of %d" % each for each in range(100))
    monkeypatch.setattr(field_words, "WORDS_MOST", 104)
    assert words_of(values) is None
    monkeypatch.setattr(field_words, "WORDS_MOST", 105)
    assert words_of(values) is not None


def test_there_are_none_where_too_many_messages_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be kept is bounded, however many messages a few values have."""
    values = {b"an offer for you of %d" % each: array("I", range(50)) for each in range(10)}
    monkeypatch.setattr(field_words, "HELD_MOST", 2_999)
    assert words_of(values) is None
    monkeypatch.setattr(field_words, "HELD_MOST", 3_000)
    assert words_of(values) is not None


def test_a_few_values_of_many_messages_are_kept_in_little_room() -> None:
    blocks, block = list[Columns](), FieldBlock()
    for message in range(1, 60_001):
        if not block.has_room(message):
            blocks.append(block.columns())
            block = FieldBlock()
        block.add(message, [f"Report of the hosts of that day in house {message % 20}"])
    values = FieldBlocks([*blocks, block.columns()])
    assert len(ids(values, "house 17")) == 3_000
    table = values.table(1 << 30)
    assert table is not None
    assert table.octets < 2 * values.octets


@pytest.mark.parametrize("part", [b"a ", b"1a"])
def test_there_are_none_where_a_value_is_too_long(part: bytes) -> None:
    """Of many words, however few different ones, or of one: it would be taken apart at once."""
    for octets in (64_000, 66_000):
        values = [part * (octets // 2) + b" " + end for end in (b"b", b"c", b"d")]
        assert (words_of(held(values)) is None) == (octets > 64 * 1024)


def test_where_words_answer_the_values_are_not_gone_through() -> None:
    """What an answer costs is told before, so that it can be left to who may take his time."""
    values = held(b"an offer for you of %d" % each for each in range(100))
    words, together = words_of(values), ValueTable(0, values)
    assert words is not None
    table, plain = (FieldTable(0, together, each) for each in (words, None))
    assert table.octets == plain.octets + words.octets

    def costs(table: FieldTable, needle: str) -> list[int]:
        told = list[int]()
        table.found(ValueSeeker(needle), told.append)
        return told

    assert costs(table, "offer") == [words.cost(b"offer"), 100 * FOUND_COST]
    assert costs(table, "nowhere") == [words.cost(b"nowhere"), 0]
    assert costs(plain, "offer") == [plain.octets, 100 * FOUND_COST]
    assert costs(table, "you of 7") == [plain.octets, 11 * FOUND_COST]
    in_many_words = [words.cost(b"1"), plain.octets, 19 * FOUND_COST]
    assert costs(table, "1") == in_many_words


def test_a_table_with_words_answers_as_the_blocks_do() -> None:
    """Needles within words, over several, at their ends, of nothing, and of all values."""
    block = FieldBlock()
    for message in range(1, 1_001):
        block.add(message, [f"Re: photos of week {message % 300}", *(["again"] * (message % 2))])
    assert words_of(held(b"Re: photos of week %d" % each for each in range(300))) is not None
    blocks = FieldBlocks([block.columns()])
    asked = ("photos", "week 1", "week 17", "17", "s of", " of ", "", "again", "k 299", "x", "\n")
    wanted = {needle: ids(blocks, needle) for needle in asked}
    table = blocks.table(1 << 30)
    assert table is not None
    assert {needle: ids(table, needle) for needle in asked} == wanted
    assert wanted["17"] == [each for each in range(1, 1_001) if "17" in str(each % 300)]


def held(values: Iterable[bytes]) -> "dict[bytes, array[int]]":
    """Each value of one message, numbered as they come."""
    return {value: array("I", [number]) for number, value in enumerate(values)}


def words_of(messages: "dict[bytes, array[int]]") -> ValueWords | None:
    return field_words.words_of(messages, 1 << 30)


def ids(values: FieldBlocks | FieldTable, needle: str) -> list[int]:
    costs = list[int]()
    return [*values.found(ValueSeeker(needle), costs.append)]
