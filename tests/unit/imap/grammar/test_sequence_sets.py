"""Sequence sets and what `*` means in them (RFC 9051 §9)."""

import pytest

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.sequence_sets import STAR, parse_sequence_set


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        (b"1", ((1, 1),)),
        (b"2,4:7,9,12:*", ((2, 2), (4, 7), (9, 9), (12, STAR))),
        (b"*:4", ((STAR, 4),)),
        (b"*", ((STAR, STAR),)),
        (b"4294967295", ((2**32 - 1, 2**32 - 1),)),
    ],
)
def test_read(text: bytes, ranges: tuple[tuple[int, int], ...]) -> None:
    lexer = Lexer(text)
    assert parse_sequence_set(lexer).ranges == ranges
    lexer.end()


@pytest.mark.parametrize(
    "text",
    [b"", b"0", b"1:0", b"4294967296", b"1,", b"1:2:3", b"a", b",1", b"1::2", b"-1", b"$$", b"$,1"],
)
def test_refused(text: bytes) -> None:
    lexer = Lexer(text)
    with pytest.raises(ArgumentsMalformed):
        parse_sequence_set(lexer)
        lexer.end()


@pytest.mark.parametrize(
    ("text", "largest", "numbers"),
    [
        (b"1:*", 3, [1, 2, 3]),
        (b"9:*", 4, [4, 5, 6, 7, 8, 9]),
        (b"*", 4, [4]),
        (b"5:3,4", 9, [3, 4, 5]),
        (b"1:*", 0, []),
        (b"*", 0, []),
        (b"2,1:*", 0, [2]),
        (b"7:8", 3, [7, 8]),
    ],
)
def test_star_is_the_largest_in_use(text: bytes, largest: int, numbers: list[int]) -> None:
    assert list(parse_sequence_set(Lexer(text)).resolved(largest)) == numbers


def test_many_wide_ranges_cost_nothing() -> None:
    found = parse_sequence_set(Lexer(b",".join([b"1:*"] * 5_000))).resolved(2**32 - 1)
    assert found.ranges == ((1, 2**32 - 1),)
