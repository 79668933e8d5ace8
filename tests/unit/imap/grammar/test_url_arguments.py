"""Arguments of RESETKEY, GENURLAUTH and URLFETCH."""

import pytest

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.url_arguments import (
    URLS_MOST,
    ResetKeyArguments,
    Rump,
    parse_gen_url_auth,
    parse_reset_key,
    parse_url_fetch,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", ResetKeyArguments(None)),
        (b" ", ResetKeyArguments(None)),
        (b" inbox", ResetKeyArguments("INBOX")),
        (b" INBOX internal X-a.1", ResetKeyArguments("INBOX", ("INTERNAL", "X-A.1"))),
    ],
)
def test_reset_key(text: bytes, found: ResetKeyArguments) -> None:
    assert parse_reset_key(Lexer(text)) == found


def test_gen_url_auth() -> None:
    assert parse_gen_url_auth(Lexer(b' "a%20b" INTERNAL {1}\r\nc x ')) == (
        Rump(b"a%20b", "INTERNAL"),
        Rump(b"c", "X"),
    )


def test_url_fetch() -> None:
    assert parse_url_fetch(Lexer(b' "a%20b" b {1}\r\nc ')) == (b"a%20b", b"b", b"c")


@pytest.mark.parametrize("text", [b' INBOX "INTERNAL"', b" INBOX a_b", b" INBOX (INTERNAL)"])
def test_reset_key_refused(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_reset_key(Lexer(text))


@pytest.mark.parametrize("text", [b"", b" ", b" a", b" a INTERNAL b", b' a "INTERNAL"', b" a b_c"])
def test_gen_url_auth_refused(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_gen_url_auth(Lexer(text))


@pytest.mark.parametrize("text", [b"", b" ", b" (a)", b" a)", b" {2}\r\na"])
def test_url_fetch_refused(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_url_fetch(Lexer(text))


def test_not_any_number() -> None:
    assert len(parse_url_fetch(Lexer(b" a" * URLS_MOST))) == URLS_MOST
    with pytest.raises(ArgumentsTooMany):
        parse_url_fetch(Lexer(b" a" * (URLS_MOST + 1)))
    with pytest.raises(ArgumentsTooMany):
        parse_gen_url_auth(Lexer(b" a b" * (URLS_MOST + 1)))
    with pytest.raises(ArgumentsTooMany):
        parse_reset_key(Lexer(b" a" + b" b" * (URLS_MOST + 1)))
