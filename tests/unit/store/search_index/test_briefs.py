"""Short texts: what is asked of their words is so in every text with the needle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.store.search_index import briefs
from mailbox_server.store.search_index.briefs import (
    Part,
    holding,
    is_brief,
    learned,
    learned_everywhere,
    parts,
    words_of,
)

TEXTS = st.text(st.sampled_from("abc1é大阪_-. \n\u0301"), max_size=20)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(0, 20), st.integers(1, 20))
def test_a_text_with_the_needle_has_a_word_for_each_part(
    text: str, start: int, length: int
) -> None:
    needle = text[start : start + length]
    lines = "".join(f"\n{word}" for word in words_of(text)).encode()
    for part in parts((needle,)).words:
        assert holding(lines, part)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_a_needle_that_is_a_part_is_where_a_word_holds_it(text: str, needle: str) -> None:
    asked = parts((needle,))
    if asked.is_needle:
        lines = "".join(f"\n{word}" for word in words_of(text)).encode()
        assert bool(holding(lines, asked.words[0])) == (needle in text)


@pytest.mark.parametrize(
    ("needle", "words"),
    [
        ("apple", [Part("apple", False, False)]),
        ("n apple-pi", [Part("apple", True, True)]),
        ("9:33:1", [Part("33", True, True)]),
        ("大阪", [Part("大阪", False, False)]),
        ("c++", []),
    ],
)
def test_of_a_needle_its_words_are_asked_for(needle: str, words: list[Part]) -> None:
    assert list(parts((needle,)).words) == words


def test_only_a_needle_of_one_word_is_decided_by_words() -> None:
    assert parts(("apple",)).is_needle
    assert not parts((" apple",)).is_needle
    assert not parts(("apple", "pear")).is_needle


def test_words_are_found_whole_where_they_must_be() -> None:
    lines = b"\napple\npineapple\napples"
    assert holding(lines, Part("apple", False, False)) == ["apple", "pineapple", "apples"]
    assert holding(lines, Part("apple", True, False)) == ["apple", "apples"]
    assert holding(lines, Part("apple", False, True)) == ["apple", "pineapple"]
    assert holding(lines, Part("apple", True, True)) == ["apple"]
    assert holding(b"", Part("apple", False, False)) == []


def test_texts_that_say_the_same_again_and_long_ones_are_not_brief() -> None:
    assert is_brief("an apple a day")
    assert is_brief("")
    assert not is_brief("an apple a day " * 20)
    assert not is_brief(" ".join(map(str, range(10_000))))


def test_words_that_some_texts_share_are_learned_up_to_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = [{"apple", "pear"}, {"apple", "pear"}, {"apple", "pear", "fig"}, {"apple"}]
    assert learned(texts, set()) == ["apple", "pear"]
    assert learned(texts, {"apple"}) == ["pear"]
    monkeypatch.setattr(briefs, "VOCABULARY", 2)
    assert learned(texts, {"fig"}) == ["apple"]
    assert learned(texts, {"fig", "plum"}) == []


def test_a_few_texts_of_random_words_leave_room_for_the_words_of_others() -> None:
    random_words = {f"{number:06x}" for number in range(briefs.VOCABULARY)}
    mail = [{"apple"}] * 4 + [random_words] * 3
    new = learned(mail, set())
    assert new[0] == "apple"
    assert len(new) == briefs.LEARNED_AT_ONCE < briefs.VOCABULARY // 8


def test_capitals_that_folding_leaves_are_not_learned() -> None:
    """Full text would take them for small letters."""
    assert learned([{"TEL"}] * 3, set()) == []


def test_words_of_nearly_all_of_many_texts_are_everywhere() -> None:
    texts = [{"from", "to"} if number % 5 else {"from"} for number in range(100)]
    assert learned_everywhere(texts, set()) == ["from"]
    assert learned_everywhere(texts, {"from"}) == []
    assert learned_everywhere(texts[:10], set()) == []
