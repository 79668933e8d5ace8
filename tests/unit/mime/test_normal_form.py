"""The normal form that search compares, and that the fast ways to it give the same."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.mime.normal_form import TEXT_CHARACTERS, normalize, normalize_stripped


def by_definition(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.replace("\0", " ").split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HELLO", "hello"),
        ("Straße", "strasse"),
        ("ﬁne ①", "fine 1"),
        ("a\r\n\t b", "a b"),
        (" a ", " a "),
        ("  ", " "),
        ("", ""),
        ("a\0b", "a b"),
        ("e\u0301", "é"),
        ("ＡＢＣ", "abc"),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_normalizing_is_the_same_however_long_the_text() -> None:
    word = "Größe\u0301 "
    assert normalize(word * 1_000).startswith(normalize(word * 20))


@pytest.mark.parametrize(
    "pair", ["か\u3099", "ｶﾞ", "\u1100\u1161", "ㄱㅏ", "e\u0301", "\u0bc6\u0bbe"]
)
@pytest.mark.parametrize("behind", range(247, 252))
def test_no_character_is_parted_in_a_long_text_without_spaces(pair: str, behind: int) -> None:
    text = "東" * behind + pair + "東" * 300
    assert normalize(text) == by_definition(text)


def test_text_that_grows_is_cut() -> None:
    assert len(normalize("\ufdfa" * 500_000)) <= 2 * TEXT_CHARACTERS
    assert normalize("a" + "\u0315\u0300" * 50_000)


@pytest.mark.parametrize("around", ["@", "a @ b", "x\n@\n\n\n y" * 20, "@–ß™" * 30])
def test_every_character_of_the_basic_plane_is_as_defined(around: str) -> None:
    step = 1 if len(around) < 10 else 7
    for number in range(0, 0x10000, step):
        text = around.replace("@", "" if 0xD800 <= number < 0xE000 else chr(number))
        assert normalize_stripped(text) == by_definition(text), hex(number)


WESTERN = st.text(alphabet="aB \t\n\r\x0b\x1c\x1f\0\x85\xa0ÄßéÿŸ´½…™–€ﬁŽ", max_size=300)


@settings(max_examples=500, deadline=None)
@given(WESTERN, st.integers(0, 9))
def test_any_western_text_is_as_defined(text: str, spaces: int) -> None:
    text = text.replace(" ", " " * spaces)
    assert normalize_stripped(text) == by_definition(text)
    found = normalize(text)
    assert found.strip(" ") == by_definition(text)
    assert "  " not in found
