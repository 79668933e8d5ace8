"""Arguments of NOTIFY (RFC 5465 §8).

Departure: events need not stand in parentheses, because the RFC's own example (§3.1) has none.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.fetch_items import FetchItem, parse_items
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_filters import (
    FilterKind,
    MailboxFilter,
    parse_mailbox_filter,
)


class Event(enum.Enum):
    """What may be told; the value is the event's name (RFC 5465 §5)."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    ANNOTATION_CHANGE = "AnnotationChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA_CHANGE = "MailboxMetadataChange"
    SERVER_METADATA_CHANGE = "ServerMetadataChange"


MESSAGE_EVENTS: Final = frozenset(
    {Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE, Event.FLAG_CHANGE, Event.ANNOTATION_CHANGE}
)
OF_SELECTED: Final = frozenset({FilterKind.SELECTED, FilterKind.SELECTED_DELAYED})
_BOTH: Final = frozenset({Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE})
_EVENTS: Final[Mapping[str, Event]] = {event.value.upper(): event for event in Event}


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Some mailboxes, and what to tell of them.

    items: what to answer of new messages in the selected mailbox.
    """

    of: MailboxFilter
    events: frozenset[Event] = frozenset()
    items: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class NotifyArguments:
    """NOTIFY; groups: None for NONE.

    tells_status: tell of each mailbox first how it stands.  is_known: whether all events are;
    where not, nothing else was checked of them.
    """

    groups: tuple[EventGroup, ...] | None
    tells_status: bool = False
    is_known: bool = True


def parse_notify(lexer: Lexer) -> NotifyArguments:
    """Read what follows NOTIFY."""
    lexer.space()
    action = lexer.word()
    if action == "NONE":
        lexer.end()
        return NotifyArguments(None)
    if action != "SET":
        raise ArgumentsMalformed("Expected SET or NONE")
    lexer.space()
    tells_status = lexer.peek() != b"("
    if tells_status:
        if lexer.word() != "STATUS":
            raise ArgumentsMalformed("Expected STATUS or a group of events")
        lexer.space()
    groups: list[EventGroup] = []
    is_known = True
    while not groups or not lexer.at_end():
        if groups:
            lexer.space()
        group, knows = _group(lexer)
        groups.append(group)
        is_known &= knows
    lexer.end()
    if is_known:
        _check(groups)
    return NotifyArguments(tuple(groups), tells_status, is_known)


def _group(lexer: Lexer) -> tuple[EventGroup, bool]:
    """A group, and whether all its events are known."""
    lexer.expect(b"(")
    lexer.skip_spaces()
    of = parse_mailbox_filter(lexer)
    if of.kind is FilterKind.SUBTREE_ONE:
        raise ArgumentsMalformed("SUBTREE-ONE is for ESEARCH only")
    lexer.space()
    is_inside = lexer.take(b"(")
    reader = _EventReader(lexer)
    reader.read()
    if is_inside:
        lexer.skip_spaces()
        lexer.expect(b")")
        lexer.skip_spaces()
        if reader.is_none:
            raise ArgumentsMalformed("NONE stands by itself")
    lexer.expect(b")")
    return EventGroup(of, frozenset(reader.events), reader.items), reader.is_known


class _EventReader:
    """Reads events up to the parenthesis behind them, which it leaves."""

    def __init__(self, lexer: Lexer) -> None:
        self._lexer = lexer
        self.events: set[Event] = set()
        self.items: tuple[FetchItem, ...] = ()
        self.is_known = True
        self.is_none = False

    def read(self) -> None:
        """Read them all."""
        lexer = self._lexer
        lexer.skip_spaces()
        name = lexer.word()
        self.is_none = name == "NONE"
        is_first = True
        while is_first or lexer.peek() not in (b")", b""):
            if not is_first:
                name = lexer.word()
                if self.is_none or name == "NONE":
                    raise ArgumentsMalformed("NONE stands by itself")
            is_first = False
            if not self.is_none:
                self._take(name)
            lexer.skip_spaces()

    def _take(self, name: str) -> None:
        event = _EVENTS.get(name)
        if event is None:
            self.is_known = False
            return
        self.events.add(event)
        if event is Event.MESSAGE_NEW:
            self._lexer.skip_spaces()
            if self._lexer.peek() == b"(":
                self.items = parse_items(self._lexer)


def _check(groups: list[EventGroup]) -> None:
    """What RFC 5465 §5 and §6.1 want refused with BAD."""
    if sum(group.of.kind in OF_SELECTED for group in groups) > 1:
        raise ArgumentsMalformed("SELECTED may stand only once")
    for group in groups:
        of_messages = group.events & MESSAGE_EVENTS
        if of_messages and not of_messages >= _BOTH:
            raise ArgumentsMalformed("MessageNew and MessageExpunge go together")
        if group.of.kind in OF_SELECTED:
            if group.events != of_messages:
                raise ArgumentsMalformed("SELECTED is about messages only")
        elif group.items:
            raise ArgumentsMalformed("Items are for SELECTED only")
