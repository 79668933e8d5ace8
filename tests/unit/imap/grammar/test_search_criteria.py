"""SEARCH as a tree (RFC 9051 §6.4.4)."""

from datetime import date

import pytest

from mailbox_server.imap.grammar.faults import (
    ArgumentsMalformed,
    ArgumentsTooMany,
    CharsetUnknown,
    FilterCharset,
)
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.search_criteria import parse_search
from mailbox_server.imap.grammar.search_keys import (
    AllKey,
    AndKey,
    DateField,
    DateKey,
    FilterKey,
    FlagKey,
    FuzzyKey,
    ModSeqKey,
    NotKey,
    NumbersKey,
    OrKey,
    Recency,
    RecencyKey,
    Relation,
    SearchArguments,
    SearchKey,
    Size,
    SizeKey,
    TextKey,
)
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet
from mailbox_server.store.ports import TextCriterion, TextScope


def read(text: str | bytes) -> SearchArguments:
    octets = text.encode() if isinstance(text, str) else text
    return parse_search(Lexer(b" " + octets), By.UID)


SEEN = FlagKey("\\Seen", True)
UNSEEN = FlagKey("\\Seen", False)
FIRST = NumbersKey(SequenceSet(((1, 1),)), By.NUMBER)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ALL", AllKey()),
        ("seen", SEEN),
        ("UNSEEN", UNSEEN),
        ("NEW", AndKey((RecencyKey(Recency.RECENT), UNSEEN))),
        ("OLD", RecencyKey(Recency.OLD)),
        ("1:5", NumbersKey(SequenceSet(((1, 5),)), By.NUMBER)),
        ("UID 7,*", NumbersKey(SequenceSet(((7, 7), (0, 0))), By.UID)),
        ("KEYWORD $Junk", FlagKey("$Junk", True)),
        ("UNKEYWORD x", FlagKey("x", False)),
        ("LARGER 100", SizeKey(Size.LARGER, 100)),
        ("SMALLER 0", SizeKey(Size.SMALLER, 0)),
        ("BEFORE 1-Feb-1994", DateKey(DateField.INTERNAL, Relation.BEFORE, date(1994, 2, 1))),
        ('SENTON "01-feb-1994"', DateKey(DateField.SENT, Relation.ON, date(1994, 2, 1))),
        ("SENTSINCE 31-Dec-2023", DateKey(DateField.SENT, Relation.SINCE, date(2023, 12, 31))),
        ("FROM smith", TextKey(TextCriterion(TextScope.FROM, "smith"))),
        ('BODY "a b"', TextKey(TextCriterion(TextScope.BODY, "a b"))),
        ('HEADER X-Spam ""', TextKey(TextCriterion(TextScope.HEADER, "", "X-Spam"))),
        ("FILTER on-the-road", FilterKey("on-the-road")),
        ("NOT FILTER x", NotKey(FilterKey("x"))),
        ("MODSEQ 620", ModSeqKey(620)),
        ('MODSEQ "/flags/\\\\draft" all 620', ModSeqKey(620)),
        ("NOT SEEN", NotKey(SEEN)),
        ("FUZZY SEEN", FuzzyKey(SEEN)),
        ("fuzzy (SEEN ALL)", FuzzyKey(AndKey((SEEN, AllKey())))),
        ("OR FUZZY NOT SEEN ALL", OrKey(FuzzyKey(NotKey(SEEN)), AllKey())),
        ("NOT NOT SEEN", NotKey(NotKey(SEEN))),
        ("OR SEEN ALL", OrKey(SEEN, AllKey())),
        ("(SEEN)", SEEN),
        ("SEEN ALL", AndKey((SEEN, AllKey()))),
        ("(SEEN ALL) UNSEEN", AndKey((AndKey((SEEN, AllKey())), UNSEEN))),
        (
            "OR (SEEN ALL) NOT OR SEEN UNSEEN",
            OrKey(AndKey((SEEN, AllKey())), NotKey(OrKey(SEEN, UNSEEN))),
        ),
        ("OR NOT (SEEN) (ALL) 1", AndKey((OrKey(NotKey(SEEN), AllKey()), FIRST))),
    ],
)
def test_trees(text: str, key: SearchKey) -> None:
    assert read(text).key == key


def test_what_the_reply_needs_to_know() -> None:
    assert not read("ALL").asks_modseq
    assert read("NOT (SEEN MODSEQ 5)").asks_modseq
    assert not read("ALL").names_filter
    assert read("NOT (SEEN FILTER x)").names_filter
    assert read("ALL").by is By.UID


def test_charsets() -> None:
    needle = TextKey(TextCriterion(TextScope.TEXT, "ä"))
    assert read("CHARSET UTF-8 TEXT {2}\r\nä").key == needle
    assert read("TEXT ä").key == needle
    assert read(b"charset iso-8859-1 TEXT \xe4").key == needle
    assert read('CHARSET "us-ascii" TEXT a').key == TextKey(TextCriterion(TextScope.TEXT, "a"))
    for text in (b"CHARSET KLINGON ALL", b"TEXT \xff", b"CHARSET US-ASCII TEXT \xc3\xa4"):
        with pytest.raises(CharsetUnknown):
            read(text)


@pytest.mark.parametrize(
    "text",
    ["", "FOO", "NOT", "NOT ", "OR", "OR SEEN", "()", "(SEEN", "SEEN)", "SEEN  )", "FROM",
     "HEADER x", "LARGER x", "LARGER -1", "BEFORE 31-Feb-2020", "BEFORE 1-Foo-2020", "BEFORE x",
     "UID", "UID x", "0", "KEYWORD", "KEYWORD \\Recent", "MODSEQ", 'MODSEQ "/x" some 1',
     "MODSEQ 9223372036854775808", "CHARSET UTF-8", "SEEN(ALL)", "FUZZY", "FUZZY )", "FILTER",
     "FILTER a/b", 'FILTER "a"', "FILTER ä", "FILTER a]"],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(ArgumentsMalformed):
        read(text)


def test_a_filter_is_utf_8() -> None:
    assert read("CHARSET us-ascii FILTER a").key == FilterKey("a")
    with pytest.raises(FilterCharset):
        read("CHARSET iso-8859-1 FILTER a")


@pytest.mark.parametrize("opening", ["(", "NOT ", "OR ALL ", "FUZZY "])
def test_depth_is_bounded(opening: str) -> None:
    closing = ")" if opening == "(" else ""
    read(opening * 50 + "ALL" + closing * 50)
    for depth in (51, 3_000):
        with pytest.raises(ArgumentsTooMany):
            read(opening * depth + "ALL" + closing * depth)


def test_count_is_bounded() -> None:
    read("ALL " * 999 + "ALL")
    with pytest.raises(ArgumentsTooMany):
        read("ALL " * 1_000 + "ALL")
