"""What a SEARCH is to return (RFC 4731 §3.1, RFC 5182 §2.1, RFC 5267 §4, RFC 9394 §3.1)."""

import enum
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.fetch_items import FetchItem, parse_items
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.partial_ranges import PartialRange, parse_partial_range


class SearchReturn(enum.Enum):
    """A return option without argument.

    UPDATE: tell from now on how the results change (RFC 5267 §4.3).  RELEVANCY: how well each
    of them matches (RFC 6203 §4).
    """

    MIN = "MIN"
    MAX = "MAX"
    ALL = "ALL"
    COUNT = "COUNT"
    SAVE = "SAVE"
    UPDATE = "UPDATE"
    RELEVANCY = "RELEVANCY"


CONTEXT: Final = "CONTEXT"
"""Hints that the same will be asked again (RFC 5267 §4.2); read, and without effect."""

_UNTOLD: Final = frozenset({SearchReturn.SAVE, SearchReturn.UPDATE})


@dataclass(frozen=True, slots=True)
class SearchReturns:
    """`RETURN (...)`.

    options: what was asked for; `()` asks for ALL.  partial: with it there is no ALL.
    items: what to answer of new messages that come to the results (RFC 5465 §7), with UPDATE.
    """

    options: frozenset[SearchReturn]
    partial: PartialRange | None = None
    items: tuple[FetchItem, ...] = ()

    def __contains__(self, option: SearchReturn) -> bool:
        return option in self.options

    @property
    def is_told(self) -> bool:
        """Whether results were asked for, not SAVE or UPDATE alone: then there is an ESEARCH
        response."""
        return self.partial is not None or bool(self.options - _UNTOLD)


def parse_search_returns(lexer: Lexer) -> SearchReturns:
    """Read the list behind RETURN."""
    lexer.expect(b"(")
    options: set[SearchReturn] = set()
    partial = None
    items: tuple[FetchItem, ...] = ()
    lexer.skip_spaces()
    while not lexer.take(b")"):
        name = lexer.word()
        spaced = False
        if name == "PARTIAL":
            if partial is not None:
                raise ArgumentsMalformed("PARTIAL may stand only once")
            lexer.space()
            partial = parse_partial_range(lexer)
        elif name in SearchReturn.__members__:
            options.add(SearchReturn[name])
            if name == "UPDATE":
                spaced = lexer.skip_spaces()
                if lexer.peek() == b"(":
                    items, spaced = parse_items(lexer), False
        elif name != CONTEXT:
            raise ArgumentsMalformed("Unknown return option")
        if not (lexer.skip_spaces() or spaced) and lexer.peek() != b")":
            raise ArgumentsMalformed("Expected )")
    if partial is not None and SearchReturn.ALL in options:
        raise ArgumentsMalformed("PARTIAL and ALL exclude each other")
    if partial is None and not options:
        options.add(SearchReturn.ALL)
    return SearchReturns(frozenset(options), partial, items)


@dataclass(frozen=True, slots=True)
class CancelArguments:
    """CANCELUPDATE; tags of searching commands."""

    tags: tuple[bytes, ...]


def parse_cancel_update(lexer: Lexer) -> CancelArguments:
    """Read what follows CANCELUPDATE."""
    tags: list[bytes] = []
    while not tags or not lexer.at_end():
        lexer.space()
        tags.append(lexer.string())
    lexer.end()
    return CancelArguments(tuple(tags))
