"""Blocks of header values: whatever is asked of them is what looking at each value gives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.store.search_index.field_block import (
    BlockDamaged,
    Columns,
    FieldBlock,
    holding,
)

VALUES = st.text(st.sampled_from("abé大\0\U0001f600 "), max_size=5)
PAIRS = st.lists(st.tuples(st.integers(1, 1 << 40), VALUES), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(PAIRS, st.text(st.sampled_from("abé大\0\U0001f600 \n"), max_size=3), st.integers(0, 30))
def test_those_with_the_needle_are_found(
    pairs: list[tuple[int, str]], needle: str, stored_after: int
) -> None:
    """They are added by ascending ids."""
    block = FieldBlock()
    base = min(message for message, _ in pairs)
    pairs = [(message, value) for message, value in sorted(pairs) if message < base + (1 << 32)]
    for number, (message, value) in enumerate(pairs):
        if number == stored_after and number:
            block = FieldBlock(block.columns())
        assert block.has_room(message)
        block.add(message, value)
    columns = block.columns()
    found = holding(
        columns.places, columns.messages, columns.lines.encode(), needle.encode("utf-8")
    )
    assert set(found) == {message for message, value in pairs if needle in value}


def test_the_needle_often_in_one_value_is_looked_for_once() -> None:
    block = FieldBlock()
    for message, value in enumerate(("aaaa", "", "b", "ba aab a"), 1):
        block.add(message, value)
    columns = block.columns()
    found = holding(columns.places, columns.messages, columns.lines.encode(), b"a")
    assert list(found) == [1, 4]


def test_what_is_no_utf_8_is_in_no_value() -> None:
    block = FieldBlock()
    block.add(1, "é")
    columns = block.columns()
    lines = columns.lines.encode()
    surrogate = "\ud800".encode("utf-8", "surrogatepass")
    assert list(holding(columns.places, columns.messages, lines, surrogate)) == []


@pytest.mark.parametrize(
    "places", [b"", bytes(32), b"\xff" * 32, b"part", b"parts", bytes(24)], ids=repr
)
def test_places_that_do_not_fit_are_damage(places: bytes) -> None:
    """They are met, and neither believed nor looked at for ever."""
    block = FieldBlock()
    for message, value in enumerate(("sea", "", "seas", "b"), 1):
        block.add(message, value)
    columns = block.columns()._replace(places=places)
    with pytest.raises(BlockDamaged):
        holding(columns.places, columns.messages, columns.lines.encode(), b"sea")
    with pytest.raises(BlockDamaged):
        FieldBlock(columns)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=48), st.binary(max_size=40), st.text("a\n", max_size=8))
def test_whatever_is_stored_is_damage_or_ends(places: bytes, messages: bytes, lines: str) -> None:
    def asked() -> None:
        holding(places, messages, lines.encode(), b"a")
        block = FieldBlock(Columns(places, messages, lines))
        if block.has_room(1):
            block.add(1, "a")

    try:
        asked()
    except BlockDamaged:
        """As it should be."""
