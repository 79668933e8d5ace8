"""What follows SETQUOTA (RFC 9208 §4.1.3)."""

from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer

RESOURCES_MOST: Final = 20
_LIMIT_MOST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class SetQuotaArguments:
    """The root, and the limit of each resource by its name in capitals."""

    root: str
    limits: dict[str, int]


def parse_set_quota(lexer: Lexer) -> SetQuotaArguments:
    """Read `"ann@example.org" (STORAGE 512 MESSAGE 1000)`; a resource stands there once."""
    lexer.space()
    root = lexer.astring().decode("utf-8", "replace")
    lexer.space()
    lexer.expect(b"(")
    limits: dict[str, int] = {}
    while not lexer.take(b")"):
        if limits:
            lexer.space()
        name = lexer.word()
        lexer.space()
        if name in limits:
            raise ArgumentsMalformed("A resource stands there twice")
        limits[name] = lexer.number(_LIMIT_MOST)
        if len(limits) > RESOURCES_MOST:
            raise ArgumentsTooMany("The list is too long")
    lexer.end()
    return SetQuotaArguments(root, limits)
