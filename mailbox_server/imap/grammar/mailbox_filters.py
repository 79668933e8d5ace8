"""Which mailboxes ESEARCH and NOTIFY are about (RFC 5465 §6, RFC 7377 §2.2)."""

import enum
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_names import parse_mailbox

NAMES_MOST: Final = 1_000
"""Of one filter."""


class FilterKind(enum.Enum):
    """How a filter chooses; the last three name mailboxes."""

    SELECTED = "SELECTED"
    SELECTED_DELAYED = "SELECTED-DELAYED"
    INBOXES = "INBOXES"
    PERSONAL = "PERSONAL"
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    SUBTREE_ONE = "SUBTREE-ONE"
    MAILBOXES = "MAILBOXES"


_NAMING: Final = frozenset({FilterKind.SUBTREE, FilterKind.SUBTREE_ONE, FilterKind.MAILBOXES})


@dataclass(frozen=True, slots=True)
class MailboxFilter:
    """One filter; names in stored form, each once, for the kinds that have them."""

    kind: FilterKind
    names: tuple[str, ...] = ()


def parse_mailbox_filter(lexer: Lexer) -> MailboxFilter:
    """Read one filter, whose kind the caller may yet refuse.

    Raises ArgumentsMalformed, ArgumentsTooMany, MailboxNameMalformed.
    """
    try:
        kind = FilterKind(lexer.word())
    except ValueError as fault:
        raise ArgumentsMalformed("Unknown mailbox filter") from fault
    if kind not in _NAMING:
        return MailboxFilter(kind)
    lexer.space()
    return MailboxFilter(kind, _names(lexer))


def _names(lexer: Lexer) -> tuple[str, ...]:
    """One mailbox, or several in parentheses."""
    if not lexer.take(b"("):
        return (parse_mailbox(lexer),)
    names: dict[str, None] = {}
    lexer.skip_spaces()
    while True:
        names[parse_mailbox(lexer)] = None
        if len(names) > NAMES_MOST:
            raise ArgumentsTooMany("Too many mailboxes")
        spaced = lexer.skip_spaces()
        if lexer.take(b")"):
            return tuple(names)
        if not spaced:
            raise ArgumentsMalformed("Expected )")
