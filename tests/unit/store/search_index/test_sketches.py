"""Blocks of sketches: they never miss a word, and seldom take one for another."""

import random
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.store.search_index.brief_writing import MERGED
from mailbox_server.store.search_index.briefs import Part
from mailbox_server.store.search_index.sketches import (
    WIDTHS,
    SketchBlock,
    SketchColumns,
    SketchDamaged,
    columns_of,
    grams_of_part,
    hashes,
    hashes_of,
    merged,
    messages_of,
    places_with,
    room,
    width,
)

WORDS = st.sets(st.text(st.sampled_from("abcz17é大阪"), min_size=1, max_size=8), max_size=6)


def stored(texts: Sequence[set[str]], bits: int, stored_after: int = -1) -> SketchColumns:
    """Message 1,000 has the first text, 1,003 the second, and so on."""
    block = SketchBlock(bits)
    for number, words in enumerate(texts):
        if number == stored_after and number:
            block = SketchBlock(bits, block.columns())
        block.add(1_000 + 3 * number, columns_of(hashes_of(words)[0], bits))
    return block.columns()


def found(columns: SketchColumns, bits: int, part: Part) -> list[int]:
    ids = messages_of(columns.first, columns.messages)
    wanted = hashes(grams_of_part(part))
    return [ids[place] for place in places_with(bits, len(ids), wanted, columns.slices.__getitem__)]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(WORDS, min_size=1, max_size=20),
    st.integers(0, 20),
    st.sampled_from([32, 48, 256, 6144]),
    st.data(),
)
def test_a_text_with_a_word_that_a_part_is_of_is_found(
    texts: list[set[str]], stored_after: int, bits: int, data: st.DataObject
) -> None:
    columns = stored(texts, bits, stored_after)
    for number, words in enumerate(texts):
        for word in words:
            begin = data.draw(st.integers(0, len(word) - 1))
            end = data.draw(st.integers(begin + 1, len(word)))
            part = Part(word[begin:end], begin == 0, end == len(word))
            if grams_of_part(part):
                assert 1_000 + 3 * number in found(columns, bits, part)


def test_of_many_texts_few_are_found_in_vain() -> None:
    chance = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    texts = [{"".join(chance.choices(letters, k=300))} for _ in range(200)]
    bits = width(hashes_of(texts[0])[1], 12, 12, 0)
    assert bits == 768
    assert len(found(stored(texts, bits), bits, Part("signature", False, False))) < 5


def test_a_sketch_is_as_wide_as_its_trigrams_and_its_octets_ask() -> None:
    words = [f"{number:09}" for number in range(0, 1_000_000_000, 7_654_321)]
    few, many = hashes_of(words[:5])[1], hashes_of(words)[1]
    assert width(few, 16, 32, 0) < width(many, 16, 32, 0) < width(many, 16, 32, 1_000_000)
    assert width(many, 16, 32, 1_000_000) == width(many, 32, 32, 0)
    assert width(0, 16, 32, 0) == width(hashes_of(["大"])[1], 16, 32, 0) == min(WIDTHS)


def test_long_words_are_taken_apart_in_little_memory() -> None:
    chance = random.Random(1)
    word = "".join(chr(0x4E00 + chance.randrange(20_000)) for _ in range(32 * 1024))
    tracemalloc.start()
    hashed, trigrams = hashes_of([word])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert trigrams == len(word) - 2
    for at in range(0, len(word), 1_000):
        assert hashes(grams_of_part(Part(word[at : at + 40], False, False))) <= hashed
    assert peak < 12 * 1024 * 1024


def test_one_or_two_letters_of_ascii_are_found_as_words_alone() -> None:
    columns = stored([{"33"}, {"1335"}], 256)
    assert not grams_of_part(Part("33", True, False))
    assert found(columns, 256, Part("33", True, True)) == [1_000]


def test_a_block_is_full_at_last_and_keeps_ids_that_are_near() -> None:
    block = SketchBlock(1024)
    for number in range(room(1024)):
        assert block.has_room(5 + number)
        block.add(5 + number, [7])
    assert not block.has_room(5 + room(1024))
    block = SketchBlock(1024)
    block.add(5, [7])
    assert not block.has_room(5 + (1 << 32))
    assert not block.has_room(4)


def full(bits: int, first: int) -> SketchColumns:
    block = SketchBlock(bits)
    for number in range(room(bits)):
        block.add(first + number, columns_of(hashes_of([f"{number:05}"])[0], bits))
    return block.columns()


def test_full_blocks_become_one_that_finds_the_same() -> None:
    bits, count = 3072, room(3072)
    blocks = [full(bits, first) for first in (10, 5_000, 9_000)]
    one = merged(bits, blocks)
    assert one is not None
    for number in (0, count // 2, count - 1):
        part = Part(f"{number:05}", True, True)
        assert found(one, bits, part) == [id_ for each in blocks for id_ in found(each, bits, part)]


def test_blocks_whose_ids_are_far_apart_stay_several() -> None:
    assert merged(3072, [full(3072, 10), full(3072, 10 + (1 << 32))]) is None


def test_blocks_of_wide_sketches_become_one_in_little_memory() -> None:
    bits = 1 << 16
    blocks = [full(bits, first) for first in range(1, 1 + MERGED * room(bits), room(bits))]
    tracemalloc.start()
    assert merged(bits, blocks) is not None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * MERGED * bits * room(bits) // 8


@pytest.mark.parametrize("octets", [0, 63, 65])
def test_what_does_not_fit_together_is_damage(octets: int) -> None:
    columns = stored([{"apple"}, {"apples"}], 64)
    (bits,) = columns.slices
    damaged = columns._replace(slices=[(bits + b"\0")[:octets]])
    with pytest.raises(SketchDamaged):
        found(damaged, 64, Part("apple", False, False))
    with pytest.raises(SketchDamaged):
        SketchBlock(64, damaged)
    with pytest.raises(SketchDamaged):
        merged(64, [damaged])
    with pytest.raises(SketchDamaged):
        messages_of(1, b"parts")
