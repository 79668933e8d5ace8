"""Questions to the index hold what every text with the needle holds."""

import pytest

from mailbox_server.model.ids import AccountId
from mailbox_server.store.search_index import needles
from mailbox_server.store.search_index.needles import (
    AllOf,
    Between,
    account_mark,
    marked,
    question,
)

ANN = AccountId(1)


def test_accounts_of_high_numbers_have_marks_of_their_own() -> None:
    numbers = [1, 5_999, 6_000, 6_001, 36_000_000, 1 << 37]
    marks = {account_mark(AccountId(number)) for number in numbers}
    assert len(marks) == len(numbers)
    assert all(len(mark) == 3 for mark in marks)


def test_all_trigrams_of_a_needle_are_asked_for() -> None:
    asked = question(ANN, ("hallo",))
    assert isinstance(asked, AllOf)
    assert asked.own.endswith('" AND "hal" AND "all" AND "llo"')


def test_quotes_are_doubled() -> None:
    asked = question(ANN, ('a"b',))
    assert isinstance(asked, AllOf)
    assert '"a""b"' in asked.own


def test_of_a_long_needle_some_trigrams_are_asked_for() -> None:
    needle = "".join(chr(0x4E00 + number) for number in range(5_000))
    asked = question(ANN, (needle,))
    assert isinstance(asked, AllOf)
    assert asked.own.count(" AND ") < 40
    assert needle[:3] in asked.own
    assert needle[-3:] in asked.own


def test_one_and_two_characters_are_a_range() -> None:
    asked = question(ANN, ("大阪",))
    assert isinstance(asked, Between)
    assert asked.first == "大阪"


@pytest.mark.parametrize("behind", ["\0", "x", "\uffff", "\U0010ffff", "\U0010ffff" * 2])
def test_whatever_stands_behind_one_character_is_in_its_range(behind: str) -> None:
    asked = question(ANN, ("é",))
    assert isinstance(asked, Between)
    assert asked.first.encode() <= f"é{behind}".encode() < asked.beyond.encode()


@pytest.mark.parametrize("needles", [("",), ("ab",), ("a",), (), ("abc\ud800",)])
def test_for_some_needles_the_index_is_of_no_use(needles: tuple[str, ...]) -> None:
    assert question(ANN, needles) is None


@pytest.mark.parametrize("length", [0, 1, 2, 4, 5, 6, 7, 10, 11, 12])
def test_a_trigram_begins_at_each_character_of_a_text(
    monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(needles, "PIECE_CHARACTERS", 5)
    text = "".join(chr(0x4E00 + number) for number in range(length))
    pieces = list(marked(ANN, text, is_more=True))
    assert len(pieces) == max(1, -(-length // 5))
    grams = [piece[at : at + 3] for piece in pieces for at in range(len(piece) - 2)]
    assert grams[0] == account_mark(ANN)
    assert needles.MARK_MORE in grams
    for character in text:
        assert len([gram for gram in grams if gram.startswith(character)]) == 1
    assert {text[at : at + 3] for at in range(length - 2)} <= set(grams)


def test_a_text_that_is_not_long_is_one_piece() -> None:
    assert len(list(marked(ANN, "a" * needles.PIECE_CHARACTERS, is_more=False))) == 1
