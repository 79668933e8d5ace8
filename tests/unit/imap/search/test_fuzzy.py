"""FUZZY is wider than what it stands before, and scores tell how close a message is (RFC 6203)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailbox_server.imap.grammar.search_criteria import parse_stored
from mailbox_server.imap.grammar.search_keys import FuzzyKey, SearchKey, TextKey, leaves
from mailbox_server.imap.search.fuzzy import (
    GRADED_MOST,
    WORDS_MOST,
    grade_of,
    is_fuzzy,
    keys_of,
    relevancy,
    widened,
)
from mailbox_server.mime.normal_form import normalize
from mailbox_server.store.ports import TextCriterion, TextScope


def read(text: str) -> SearchKey:
    return parse_stored(text.encode())


@pytest.mark.parametrize(
    ("fuzzy", "wide"),
    [
        ("FUZZY SEEN", "SEEN"),
        ('FUZZY SUBJECT "IMAP  Break!"', "SUBJECT imap SUBJECT brea"),
        ("FUZZY FROM Work", "FROM work"),
        ("FUZZY BODY meetings", "BODY meetin"),
        ("FUZZY TEXT 2026", "TEXT 2026"),
        ('FUZZY TEXT "?!"', 'TEXT "?!"'),
        ('FUZZY HEADER X-Mailer ""', 'HEADER X-Mailer ""'),
        ("FUZZY (SINCE 21-Jan-2009 BEFORE 24-Jan-2009)", "SINCE 19-Jan-2009 BEFORE 26-Jan-2009"),
        ("FUZZY SENTON 1-Jan-2009", "SENTSINCE 30-Dec-2008 SENTBEFORE 4-Jan-2009"),
        ("FUZZY SINCE 1-Jan-0001", "SINCE 1-Jan-0001"),
        ("FUZZY BEFORE 31-Dec-9999", "BEFORE 31-Dec-9999"),
        ("FUZZY (LARGER 900000 SMALLER 1100000)", "LARGER 810000 SMALLER 1210000"),
        ("FUZZY (OLDER 100 YOUNGER 200)", "OLDER 90 YOUNGER 220"),
        ("FUZZY (UID 1:3 MODSEQ 5 EMAILID m1)", "UID 1:3 MODSEQ 5 EMAILID m1"),
        ("FUZZY NOT BODY meetings", "NOT BODY meetings"),
        ("NOT FUZZY BODY meetings", "NOT BODY meetin"),
        ("FUZZY FUZZY LARGER 10", "LARGER 9"),
        ("OR FUZZY LARGER 10 LARGER 10", "OR LARGER 9 LARGER 10"),
        ("SUBJECT meetings", "SUBJECT meetings"),
    ],
)
def test_what_it_asks_for(fuzzy: str, wide: str) -> None:
    assert widened(read(fuzzy)) == read(wide)
    assert is_fuzzy(read(fuzzy)) is ("FUZZY" in fuzzy)


@given(text=st.text(max_size=60), start=st.integers(0, 60), stop=st.integers(0, 60))
@example(text="Straße İ ﬁ x\u0301", start=0, stop=60)
def test_what_matches_exactly_matches_fuzzily(text: str, start: int, stop: int) -> None:
    needle, whole = text[start:stop], normalize(text)
    key = widened(FuzzyKey(TextKey(TextCriterion(TextScope.BODY, needle))))
    if normalize(needle) in whole:
        for leaf in leaves(key):
            assert isinstance(leaf, TextKey) and normalize(leaf.criterion.needle) in whole


def test_words_are_bounded() -> None:
    many = " ".join(f"w{number}" for number in range(WORDS_MOST + 5))
    asked = " ".join(f"BODY w{number}" for number in range(WORDS_MOST))
    assert widened(read(f'FUZZY BODY "{many}"')) == read(asked)


def test_keys_that_are_graded_are_bounded() -> None:
    keys = " ".join(f"LARGER {number}0" for number in range(1, GRADED_MOST + 10))
    assert GRADED_MOST < len(keys_of(grade_of(read(f"FUZZY ({keys})")))) <= 2 * GRADED_MOST


def scored(text: str, *hits: str) -> int:
    """What a message gets that matches these keys."""
    grade = grade_of(read(text))
    matched = {read(hit) for hit in hits} | {read("ALL")}
    keys = keys_of(grade)
    assert matched <= {*keys, read("ALL")}
    return relevancy(grade, {key: {1} if key in matched else set() for key in keys}, 1)


IMAP, BREAKS = "SUBJECT imap", "SUBJECT breaks"
LOOSE = "SUBJECT imap SUBJECT brea"


@pytest.mark.parametrize(
    ("hits", "score"),
    [
        ((LOOSE,), 10),
        ((LOOSE, IMAP), 35),
        ((LOOSE, IMAP, BREAKS), 60),
        ((LOOSE, IMAP, BREAKS, 'SUBJECT "IMAP breaks"'), 100),
    ],
)
def test_the_more_of_a_text_the_more_relevant(hits: tuple[str, ...], score: int) -> None:
    assert scored('FUZZY SUBJECT "IMAP breaks"', *hits) == score


def test_the_subject_counts_more_than_the_rest() -> None:
    assert scored("FUZZY TEXT work", "TEXT work") == 70
    assert scored("FUZZY TEXT work", "TEXT work", "SUBJECT work") == 100


def test_numbers_are_exact_or_near() -> None:
    assert scored("FUZZY LARGER 100", "LARGER 90") == 1
    assert scored("FUZZY LARGER 100", "LARGER 90", "LARGER 100") == 100


def test_of_and_the_mean_of_or_the_best() -> None:
    hits = ("LARGER 90", "LARGER 100", "SMALLER 220")
    assert scored("FUZZY (LARGER 100 SMALLER 200)", *hits) == 50
    assert scored("FUZZY OR LARGER 100 SMALLER 200", *hits) == 100
    assert scored("OR FUZZY LARGER 100 SMALLER 200") == 1


def test_what_is_not_within_does_not_count() -> None:
    assert scored("FUZZY LARGER 100 SEEN", "LARGER 90", "LARGER 100") == 100
    assert scored("FUZZY NOT SEEN") == 100


def test_a_field_of_its_own_keeps_its_name() -> None:
    grade = grade_of(read("FUZZY HEADER X-A b"))
    assert TextKey(TextCriterion(TextScope.HEADER, "b", "X-A")) in keys_of(grade)
