"""SORT and THREAD as arguments (RFC 5256 §5)."""

import pytest

from mailbox_server.imap.grammar.faults import (
    ArgumentsMalformed,
    ArgumentsTooMany,
    CharsetUnknown,
)
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.partial_ranges import PartialRange
from mailbox_server.imap.grammar.search_criteria import parse_stored
from mailbox_server.imap.grammar.search_keys import TextKey
from mailbox_server.imap.grammar.search_returns import SearchReturn, SearchReturns
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.grammar.sort_arguments import (
    CRITERIA_MOST,
    SortArguments,
    SortCriterion,
    SortKey,
    ThreadAlgorithm,
    parse_sort,
    parse_thread,
)
from mailbox_server.store.ports import TextCriterion, TextScope


def sort(text: str | bytes) -> SortArguments:
    octets = text if isinstance(text, bytes) else text.encode()
    return parse_sort(Lexer(b" " + octets), By.NUMBER)


def test_the_examples_of_the_rfc() -> None:
    """RFC 5256 §3, BASE.6.4.SORT and BASE.6.4.THREAD."""
    found = sort("(SUBJECT) UTF-8 SINCE 1-Feb-1994")
    assert found.criteria == (SortCriterion(SortKey.SUBJECT),)
    assert found.search.key == parse_stored(b"SINCE 1-Feb-1994") and found.search.returns is None
    found = sort("(SUBJECT REVERSE DATE) UTF-8 ALL")
    assert found.criteria == (
        SortCriterion(SortKey.SUBJECT),
        SortCriterion(SortKey.DATE, is_reverse=True),
    )
    found = sort(b'(SUBJECT) US-ASCII TEXT "not in mailbox"')
    assert found.search.key == TextKey(TextCriterion(TextScope.TEXT, "not in mailbox"))
    thread = parse_thread(Lexer(b" REFERENCES UTF-8 SINCE 5-MAR-2000"), By.UID)
    assert thread.algorithm is ThreadAlgorithm.REFERENCES and thread.search.by is By.UID
    thread = parse_thread(Lexer(b' ORDEREDSUBJECT US-ASCII TEXT "gewp"'), By.NUMBER)
    assert thread.algorithm is ThreadAlgorithm.ORDEREDSUBJECT


def test_what_is_returned_stands_first() -> None:
    found = sort("RETURN (PARTIAL 1:2 COUNT) (reverse ARRIVAL) utf-8 ALL")
    assert found.search.returns == SearchReturns(
        frozenset({SearchReturn.COUNT}), PartialRange(1, 2, False, b"1:2")
    )
    assert not found.asks_relevancy and sort("(RELEVANCY) UTF-8 FUZZY ALL").asks_relevancy


@pytest.mark.parametrize(
    "text",
    ["", "()", "() UTF-8 ALL", "(SUBJECT) ALL", "(SUBJECT) UTF-8", "(REVERSE) UTF-8 ALL",
     "(REVERSE REVERSE DATE) UTF-8 ALL", "(BODY) UTF-8 ALL", "(SUBJECT UTF-8 ALL",
     "SUBJECT UTF-8 ALL",
     "(SUBJECT)UTF-8 ALL", "(SUBJECT) UTF-8 ALL RETURN (ALL)"],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises((ArgumentsMalformed, CharsetUnknown)):
        sort(text)


def test_criteria_are_bounded() -> None:
    many = " ".join(["DATE"] * CRITERIA_MOST)
    assert len(sort(f"({many}) UTF-8 ALL").criteria) == CRITERIA_MOST
    with pytest.raises(ArgumentsTooMany):
        sort(f"({many} DATE) UTF-8 ALL")


@pytest.mark.parametrize("text", ["", "REFS UTF-8 ALL", "REFERENCES", "REFERENCES UTF-8"])
def test_no_thread(text: str) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_thread(Lexer(b" " + text.encode()), By.UID)
