"""Blocks of header values: whatever is asked of them is what looking at each value gives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.store.search_index.field_block import (
    MESSAGES_MOST,
    BlockDamaged,
    Columns,
    FieldBlock,
    ValueSeeker,
)

VALUES = st.text(st.sampled_from("abé大\0\x7f\x80¿ÿ\U0001f600 "), max_size=5)
MESSAGES = st.dictionaries(
    st.integers(1, 1 << 25), st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=30
)
SPAN = 1 << 24


@settings(max_examples=200, deadline=None)
@given(
    MESSAGES,
    st.sampled_from((0, SPAN - 5, 1 << 40)),
    st.text(st.sampled_from("abé大\0\x80ÿ\U0001f600 \n"), max_size=3),
    st.integers(0, 30),
)
def test_those_with_the_needle_are_found(
    messages: dict[int, list[str]], above: int, needle: str, stored_after: int
) -> None:
    """They are added by ascending ids; a value is one of its own, however many a message has."""
    values = {above + message: messages[message] for message in sorted(messages)}
    blocks = [FieldBlock()]
    for number, (message, each) in enumerate(values.items()):
        if number == stored_after and number:
            blocks[-1] = FieldBlock(blocks[-1].columns())
        if not blocks[-1].has_room(message):
            blocks.append(FieldBlock())
        assert blocks[-1].has_room(message)
        blocks[-1].add(message, each)
    seeker = ValueSeeker(needle)
    found = [message for block in blocks for message in seeker.messages(block.columns())]
    assert sorted(found) == [
        message for message, each in values.items() if any(needle in value for value in each)
    ]


def test_the_needle_often_in_one_value_is_found_once() -> None:
    block = FieldBlock()
    for message, value in enumerate(("aaaa", "", "b", "ba aab a"), 1):
        block.add(message, [value])
    assert list(ValueSeeker("a").messages(block.columns())) == [1, 4]


def test_the_same_value_is_written_once() -> None:
    block, other = FieldBlock(), FieldBlock()
    for message in (1, 2, 3):
        block.add(message, ["a long subject"])
        other.add(message, [f"a long subject {message}"])
    assert len(block.columns().lines) < len(other.columns().lines) / 2
    assert list(ValueSeeker("").messages(block.columns())) == [1, 2, 3]


def test_what_is_no_utf_8_is_in_no_value() -> None:
    block = FieldBlock()
    block.add(1, ["é", "\x80"])
    assert list(ValueSeeker("\ud800").messages(block.columns())) == []


def test_a_full_block_gives_all_it_holds() -> None:
    block, message = FieldBlock(), SPAN - MESSAGES_MOST
    while block.has_room(message):
        block.add(message, ["re: the same"])
        message += 1
    assert list(ValueSeeker("same").messages(block.columns())) == list(
        range(SPAN - MESSAGES_MOST, SPAN)
    )


def test_ids_too_far_apart_for_one_block_are_begun_anew() -> None:
    block = FieldBlock()
    block.add(SPAN - 1, ["a"])
    assert not block.has_room(SPAN)
    assert FieldBlock().has_room(SPAN)


@pytest.mark.parametrize(
    "lines", [b"sea", b"sea\n", b"sea\n\x80\x80\x80", b"sea\n\x80\x80\x80\x80\x80", b"\x80" * 8]
)
def test_lines_that_are_none_are_damage(lines: bytes) -> None:
    with pytest.raises(BlockDamaged):
        FieldBlock(Columns(0, lines))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 40), st.text("a\n\x80\xff", max_size=8), st.binary(max_size=48))
def test_whatever_is_stored_is_damage_or_ends(base: int, text: str, octets: bytes) -> None:
    def asked() -> None:
        for lines in (text.encode("latin-1"), octets, octets + b"a\n" + octets):
            ValueSeeker("a").messages(Columns(base, lines))
            block = FieldBlock(Columns(base, lines))
            if block.has_room(1):
                block.add(1, ["a"])

    try:
        asked()
    except BlockDamaged:
        """As it should be."""
