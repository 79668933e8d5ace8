"""Arguments of ESEARCH, the search of several mailboxes (RFC 7377 §4)."""

import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_filters import (
    FilterKind,
    MailboxFilter,
    parse_mailbox_filter,
)
from mailbox_server.imap.grammar.search_criteria import parse_search
from mailbox_server.imap.grammar.search_keys import SearchArguments
from mailbox_server.imap.grammar.search_returns import SearchReturn
from mailbox_server.imap.grammar.sequence_sets import By

FILTERS_MOST: Final = 100

_SELECTED: Final[tuple[MailboxFilter, ...]] = (MailboxFilter(FilterKind.SELECTED),)
_IN = re.compile(rb"(?i) +IN +\( *")


@dataclass(frozen=True, slots=True)
class EsearchArguments:
    """ESEARCH; filters: the sources, just the selected mailbox where none were named."""

    filters: tuple[MailboxFilter, ...]
    search: SearchArguments

    @property
    def wants_selected(self) -> bool:
        """Whether a mailbox must be selected: as a source by that name, or for UPDATE."""
        returns = self.search.returns
        updates = returns is not None and SearchReturn.UPDATE in returns
        return updates or any(each.kind is FilterKind.SELECTED for each in self.filters)


def parse_esearch(lexer: Lexer) -> EsearchArguments:
    """Read what follows ESEARCH.  Raises what parse_search and parse_mailbox_filter do."""
    filters = _SELECTED
    if lexer.match(_IN) is not None:
        filters = _filters(lexer)
    search = parse_search(lexer, By.UID)
    returns = search.returns
    if returns is not None and SearchReturn.SAVE in returns and filters != _SELECTED:
        raise ArgumentsMalformed("Only results of the selected mailbox can be saved")
    return EsearchArguments(filters, search)


def _filters(lexer: Lexer) -> tuple[MailboxFilter, ...]:
    """Up to the closing parenthesis; scope options are read for nothing, as none are defined."""
    filters: dict[MailboxFilter, None] = {}
    while not lexer.take(b")"):
        if lexer.peek() == b"(" and filters:
            raise ArgumentsMalformed("Unknown scope option")
        found = parse_mailbox_filter(lexer)
        if found.kind is FilterKind.SELECTED_DELAYED:
            raise ArgumentsMalformed("SELECTED-DELAYED is for NOTIFY only")
        filters[found] = None
        if len(filters) > FILTERS_MOST:
            raise ArgumentsTooMany("Too many sources")
        if lexer.peek() != b")":
            lexer.space()
    if not filters:
        raise ArgumentsMalformed("Expected a source")
    return tuple(filters)
