"""What a client wants to hear without asking each time (RFC 5465 §3, §6)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mailbox_server.imap.grammar.fetch_items import Attribute, FetchItem
from mailbox_server.imap.grammar.mailbox_filters import FilterKind, MailboxFilter
from mailbox_server.imap.grammar.notify_arguments import (
    MESSAGE_EVENTS,
    OF_SELECTED,
    Event,
    EventGroup,
)
from mailbox_server.imap.mailboxes.places import is_below_others
from mailbox_server.imap.views.selected import Hears
from mailbox_server.model.mailbox import SEPARATOR


@dataclass(frozen=True, slots=True)
class Wishes:
    """What NOTIFY asked for; nothing by default.

    hears: of the selected mailbox, whichever that is.  delays_expunges: until a command lets
    them be told.  items: what to answer of its new messages, () for nothing.
    """

    hears: Hears = Hears.OWN
    delays_expunges: bool = False
    items: tuple[FetchItem, ...] = ()
    _everywhere: frozenset[Event] = frozenset()
    _subscribed: frozenset[Event] = frozenset()
    _named: dict[str, frozenset[Event]] = field(default_factory=dict)
    _below: dict[str, frozenset[Event]] = field(default_factory=dict)

    @property
    def are_any(self) -> bool:
        """Whether anything is to be told at all."""
        return self.hears is not Hears.OWN or self.reach_elsewhere

    @property
    def reach_elsewhere(self) -> bool:
        """Whether they are about mailboxes that are not selected."""
        return bool(self._everywhere or self._subscribed or self._named or self._below)

    @property
    def reach_others(self) -> bool:
        """Whether they may be about mailboxes of other accounts."""
        named = any(map(is_below_others, (*self._named, *self._below)))
        return bool(self._subscribed) or named

    @property
    def are_about_annotations(self) -> bool:
        """Whether any metadata are among them."""
        wanted = {Event.MAILBOX_METADATA_CHANGE, Event.SERVER_METADATA_CHANGE}
        several = (self._everywhere, self._subscribed, *self._named.values(), *self._below.values())
        return any(not wanted.isdisjoint(each) for each in several)

    @property
    def of_server(self) -> bool:
        """Whether the server's own metadata are; in whichever group that stands."""
        several = (self._everywhere, self._subscribed, *self._named.values(), *self._below.values())
        return any(Event.SERVER_METADATA_CHANGE in each for each in several)

    def of(self, name: str, *, is_subscribed: bool) -> frozenset[Event]:
        """What is to be told of the mailbox of that name, all groups together.

        What was asked for everywhere is about the account's own mailboxes (RFC 5465 §6.2).
        """
        events = self._named.get(name, frozenset())
        if not is_below_others(name):
            events |= self._everywhere
        if is_subscribed:
            events |= self._subscribed
        level = name
        while self._below and level:
            events |= self._below.get(level, frozenset())
            level = level.rpartition(SEPARATOR)[0]
        return events


def wishes_of(groups: Iterable[EventGroup]) -> Wishes:
    """Put the groups of a NOTIFY together.

    Inboxes are all mailboxes, as RFC 5465 §6.3 wants it where any of them may get new mail.
    """
    everywhere: frozenset[Event] = frozenset()
    subscribed: frozenset[Event] = frozenset()
    named: dict[str, frozenset[Event]] = {}
    below: dict[str, frozenset[Event]] = {}
    selected = EventGroup(MailboxFilter(FilterKind.SELECTED))
    for group in groups:
        if group.of.kind in OF_SELECTED:
            selected = group
        elif group.of.kind in (FilterKind.INBOXES, FilterKind.PERSONAL):
            everywhere |= group.events
        elif group.of.kind is FilterKind.SUBSCRIBED:
            subscribed |= group.events
        else:
            places = named if group.of.kind is FilterKind.MAILBOXES else below
            for name in group.of.names if group.events else ():
                places[name] = places.get(name, frozenset()) | group.events
    return Wishes(
        _heard(selected.events),
        selected.of.kind is FilterKind.SELECTED_DELAYED,
        _with_uid(selected.items),
        everywhere,
        subscribed,
        named,
        below,
    )


def _heard(events: frozenset[Event]) -> Hears:
    if not events & MESSAGE_EVENTS:
        return Hears.OWN
    return Hears.ALL if Event.FLAG_CHANGE in events else Hears.NO_FLAGS


def _with_uid(items: tuple[FetchItem, ...]) -> tuple[FetchItem, ...]:
    """Numbers may have moved when the client reads them: the UID is always told."""
    return (Attribute.UID, *items) if items and Attribute.UID not in items else items
