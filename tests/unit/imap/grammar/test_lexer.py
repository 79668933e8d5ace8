"""Tokens of RFC 9051 §9, and what clients do to them."""

import pytest

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import Lexer


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        (b"atom", b"atom"),
        (b"a]b", b"a]b"),
        (b'"quoted text"', b"quoted text"),
        (b'"a\\"b\\\\c"', b'a"b\\c'),
        (b'""', b""),
        (b"{0}\r\n", b""),
        (b"{3}\r\na\r\n", b"a\r\n"),
        (b"{3+}\nabc", b"abc"),
        (b"\xc3\xa4", b"\xc3\xa4"),
        (b'"\xc3\xa4"', b"\xc3\xa4"),
    ],
)
def test_astrings(text: bytes, octets: bytes) -> None:
    lexer = Lexer(text)
    assert lexer.astring() == octets
    lexer.end()


@pytest.mark.parametrize(
    "text",
    [b"", b" a", b'"open', b'"a\\b"', b'"a\rb"', b'"a\x00b"', b"{3}abc", b"{4}\r\nabc", b"(", b"%",
     b"{-1}\r\n", b"{+}\r\n", b"{99999999999}\r\n", b"{3}\r\na\x00b", b"\x7f"],
)  # fmt: skip
def test_what_is_no_astring(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        Lexer(text).astring()


def test_nstring() -> None:
    assert Lexer(b"nil").nstring() is None
    assert Lexer(b'"NIL"').nstring() == b"NIL"
    with pytest.raises(ArgumentsMalformed):
        Lexer(b"nile").nstring()


def test_numbers_have_bounds() -> None:
    assert Lexer(b"4294967295").number() == 2**32 - 1
    for text in (b"4294967296", b"-1", b"x", b"", b"9" * 21):
        with pytest.raises(ArgumentsMalformed):
            Lexer(text).number()


def test_spaces_are_counted_generously_but_needed() -> None:
    lexer = Lexer(b"a   b  ")
    lexer.atom()
    lexer.space()
    assert lexer.word() == "B"
    assert lexer.at_end()
    lexer.end()
    with pytest.raises(ArgumentsMalformed):
        Lexer(b"x").space()
    with pytest.raises(ArgumentsMalformed):
        Lexer(b" x").end()


def test_patterns_may_hold_wildcards() -> None:
    assert Lexer(b"a*%b]").list_pattern() == b"a*%b]"
    assert Lexer(b'"* %"').list_pattern() == b"* %"


def test_a_quoted_megabyte_is_read_in_one_go() -> None:
    assert len(Lexer(b'"' + b"\\\\" * 500_000 + b'"').string()) == 500_000


@pytest.mark.parametrize("octets", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"a\xc3"])
def test_what_is_quoted_is_utf8(octets: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        Lexer(b'"' + octets + b'"').string()
    assert Lexer(b"{%d+}\r\n" % len(octets) + octets).string() == octets
    assert Lexer('"ü\\"☃"'.encode()).string() == 'ü"☃'.encode()
