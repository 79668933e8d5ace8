"""LIST and STATUS as arguments: what bounds patterns does not bound options."""

import pytest

from mailbox_server.imap.grammar.faults import ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_arguments import (
    OPTIONS_MOST,
    PATTERNS_MOST,
    parse_list,
    parse_status,
)


def test_patterns_are_bounded() -> None:
    many = " ".join(["a"] * PATTERNS_MOST)
    assert len(parse_list(Lexer(f' "" ({many})'.encode())).patterns) == PATTERNS_MOST
    with pytest.raises(ArgumentsTooMany):
        parse_list(Lexer(f' "" ({many} a)'.encode()))


def test_options_are_bounded_by_themselves() -> None:
    assert OPTIONS_MOST > PATTERNS_MOST
    many = " ".join(["MESSAGES"] * OPTIONS_MOST)
    assert len(parse_status(Lexer(f" INBOX ({many})".encode())).items) == 1
    with pytest.raises(ArgumentsTooMany):
        parse_status(Lexer(f" INBOX ({many} UIDNEXT)".encode()))
    many = " ".join(["CHILDREN"] * OPTIONS_MOST)
    assert parse_list(Lexer(f' "" a RETURN ({many})'.encode())).is_extended
    with pytest.raises(ArgumentsTooMany):
        parse_list(Lexer(f' "" a RETURN ({many} CHILDREN)'.encode()))
