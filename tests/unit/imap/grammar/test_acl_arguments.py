"""What follows SETACL, DELETEACL and LISTRIGHTS (RFC 4314 §3)."""

import pytest

from mailbox_server.imap.grammar.acl_arguments import (
    IDENTIFIER_OCTETS,
    Amendment,
    parse_identified,
    parse_set_acl,
)
from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import Lexer


@pytest.mark.parametrize(
    ("text", "amendment", "rights"),
    [
        (b" INBOX bob lrs", Amendment.REPLACE, "lrs"),
        (b' "inbox" {3}\r\nbob "+cd"', Amendment.ADD, "kxet"),
        (b" INBOX bob -", Amendment.REMOVE, ""),
        (b' INBOX bob ""', Amendment.REPLACE, ""),
        (b" INBOX bob llrl", Amendment.REPLACE, "lr"),
    ],
)
def test_set_acl(text: bytes, amendment: Amendment, rights: str) -> None:
    found = parse_set_acl(Lexer(text))
    assert (found.mailbox, found.identifier.name) == ("INBOX", "bob")
    assert (found.amendment, found.rights) == (amendment, frozenset(rights))


def test_negative_identifiers() -> None:
    found = parse_identified(Lexer(b" INBOX -bob")).identifier
    assert (found.written, found.name, found.is_negative) == (b"-bob", "bob", True)
    # Only the first dash says so.
    assert parse_identified(Lexer(b" INBOX --bob")).identifier.name == "-bob"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" INBOX",
        b" INBOX bob",
        b" INBOX bob L",
        b" INBOX bob q",
        b" INBOX bob ++l",
        b" INBOX bob 0",
        b" INBOX bob l x",
        b' INBOX "" l',
        b" INBOX - l",
        b" INBOX \xff l",
        b" INBOX bob \xe9",
        b" INBOX bob l\r",
        b" INBOX " + b"b" * (IDENTIFIER_OCTETS + 1) + b" l",
    ],
)
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_set_acl(Lexer(text))
