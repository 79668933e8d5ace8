"""Flags and keywords as STORE, APPEND and SEARCH write them (RFC 9051 §9 flag)."""

import re
from collections.abc import Callable

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.model.errors import KeywordMalformed
from mailbox_server.model.keywords import KEYWORDS_A_MAILBOX, RECENT, keyword

_FLAG = re.compile(rb'\\?[^\x00-\x20\x7f-\xff(){%*"\\\]]+')


def parse_flag(lexer: Lexer) -> str | None:
    """Read one flag in stored form (model.keywords); None for \\Recent, which nobody sets."""
    found = lexer.match(_FLAG)
    if found is None:
        raise ArgumentsMalformed("Expected a flag")
    lexer.over("A flag holds a character that no flag may have")
    text = found.group().decode("ascii")
    if text.lower() == RECENT.lower():
        return None
    try:
        return keyword(text)
    except KeywordMalformed as fault:
        raise ArgumentsMalformed("Not a flag that can be set") from fault


def parse_flag_list(
    lexer: Lexer, read: Callable[[Lexer], str | None] = parse_flag
) -> frozenset[str]:
    """Read `(\\Seen $Junk)`, also empty.

    Two spellings of one keyword become the first of them.  \\Recent is dropped: programs
    that copy messages give APPEND all the flags they found.
    """
    lexer.expect(b"(")
    lexer.skip_spaces()
    names: dict[str, str] = {}
    while not lexer.take(b")"):
        _collect(names, read(lexer))
        if lexer.peek() != b")":
            lexer.space()
    return frozenset(names.values())


def parse_flags(lexer: Lexer) -> frozenset[str]:
    """Read a flag list or bare flags: curl sends `+FLAGS \\Seen` (RFC 9051 §9 store-att-flags).

    \\Recent is refused: to drop it would turn `FLAGS (\\Recent)` into taking all flags away
    (RFC 3501 §9 flag, RFC 9051 has none).
    """
    if lexer.peek() == b"(":
        return parse_flag_list(lexer, _settable)
    names: dict[str, str] = {}
    _collect(names, _settable(lexer))
    while not lexer.at_end():
        lexer.space()
        _collect(names, _settable(lexer))
    return frozenset(names.values())


def _settable(lexer: Lexer) -> str:
    flag = parse_flag(lexer)
    if flag is None:
        raise ArgumentsMalformed("\\Recent cannot be set")
    return flag


def _collect(names: dict[str, str], name: str | None) -> None:
    if name is not None:
        names.setdefault(name.lower(), name)
    if len(names) > KEYWORDS_A_MAILBOX:
        raise ArgumentsTooMany("Too many flags in one command")
