"""What is told of mailboxes that are not selected, between two pictures of an account.

Names come first, then figures: a client knows a mailbox by its name (RFC 5465 §5).
"""

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.mailbox_arguments import StatusItem
from mailbox_server.imap.grammar.notify_arguments import MESSAGE_EVENTS, Event
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.mailboxes.figures import status_response
from mailbox_server.imap.mailboxes.list_lines import Names, attributes_of, list_line
from mailbox_server.imap.responses import mailbox as written
from mailbox_server.imap.responses import untagged
from mailbox_server.imap.telling.account_watch import Picture
from mailbox_server.imap.telling.wishes import Wishes
from mailbox_server.model.ids import MailboxId
from mailbox_server.model.mailbox import SEPARATOR, Mailbox, MailboxStatus

_FLAGS: Final = frozenset({Event.FLAG_CHANGE, Event.ANNOTATION_CHANGE})
_COUNTS: Final = (StatusItem.MESSAGES, StatusItem.UIDNEXT)
_STANDS: Final = (StatusItem.UIDVALIDITY, StatusItem.HIGHESTMODSEQ)


@dataclass(frozen=True, slots=True)
class Audience:
    """To whom it is told.

    selected: the mailbox of which messages are told otherwise.  shows_modseqs: whether
    CONDSTORE was enabled.
    """

    wishes: Wishes
    selected: MailboxId | None
    shows_modseqs: bool
    form: TextForm
    limits: ImapLimits


class TooManyNotices(Exception):
    """More at once than the limits allow."""


def standing(now: Picture, audience: Audience) -> list[bytes]:
    """STATUS of every mailbox whose messages are to be told of (RFC 5465 §3.1)."""
    lines = []
    for number, status in sorted(now.mailboxes.items()):
        events = _events(audience, status.mailbox.name, now) & MESSAGE_EVENTS
        if events and number != audience.selected and number not in now.closed:
            items = [*_COUNTS, StatusItem.UIDVALIDITY]
            if events & _FLAGS:
                items.append(StatusItem.HIGHESTMODSEQ)
            lines.append(_status_line(status, items, audience))
    return lines


def closed(now: Picture, audience: Audience) -> list[bytes]:
    """LIST of what is wished for and may only be looked up (RFC 5465 §3.1)."""
    told = _NamesTold(now, now, audience)
    for number in now.closed:
        name = now.mailboxes[number].mailbox.name
        if _events(audience, name, now) & MESSAGE_EVENTS:
            told.names[name] = None
    return list(told.lines())


def news(before: Picture, now: Picture, audience: Audience) -> list[bytes]:
    """LIST and STATUS lines.  Raises TooManyNotices."""
    if before is now:
        return []
    moved = [
        status
        for number, status in now.mailboxes.items()
        if status is not before.mailboxes.get(number)
    ]
    told = _NamesTold(before, now, audience)
    told.look(moved)
    figures = list(_figures(moved, before, audience, now, told))
    if len(told.names) + len(figures) > audience.limits.notices_at_once:
        raise TooManyNotices
    return [*told.lines(), *figures]


def _events(audience: Audience, name: str, *pictures: Picture) -> frozenset[Event]:
    is_subscribed = any(name in picture.subscribed for picture in pictures)
    return audience.wishes.of(name, is_subscribed=is_subscribed)


# ---------------------------------------------------------------- figures


def _figures(
    moved: Collection[MailboxStatus],
    before: Picture,
    audience: Audience,
    now: Picture,
    told: "_NamesTold",
) -> Iterator[bytes]:
    """Those of the selected mailbox the client has, but not under a name that it got."""
    anew = told.anew
    for status in moved:
        number = status.mailbox.id
        is_known = number == audience.selected and number not in told.unnamed
        if is_known or number in now.closed:
            continue
        events = _events(audience, status.mailbox.name, now) & MESSAGE_EVENTS
        old = None if number in anew else before.mailboxes.get(number)
        items = _changed(old, status, events, audience, number in anew) if events else ()
        if items:
            yield _status_line(status, items, audience)


def _changed(
    old: MailboxStatus | None,
    new: MailboxStatus,
    events: frozenset[Event],
    audience: Audience,
    is_anew: bool,
) -> list[StatusItem]:
    """What to tell, in a fixed order; nothing of a mailbox that came to be and is empty."""
    items: dict[StatusItem, None] = {}
    has_flags = bool(events & _FLAGS)
    stands = new.mailbox
    if old is None:
        moves = is_anew or stands.uid_next > 1
        counts_moved, unseen_moved = moves, is_anew or bool(new.unseen)
    else:
        moves = old.mailbox.highest_modseq != stands.highest_modseq
        counts_moved = (old.messages, old.mailbox.uid_next) != (new.messages, stands.uid_next)
        unseen_moved = old.unseen != new.unseen
    if counts_moved:
        items.update(dict.fromkeys(_COUNTS))
    if old is None and moves:
        items[StatusItem.UIDVALIDITY] = None
    if has_flags and unseen_moved:
        items[StatusItem.UNSEEN] = None
    if audience.shows_modseqs and (counts_moved or (has_flags and moves)):
        items.update(dict.fromkeys(_STANDS))
    return list(items)


def _status_line(status: MailboxStatus, items: list[StatusItem], audience: Audience) -> bytes:
    return untagged(status_response(status, items, audience.limits, audience.form))


# ---------------------------------------------------------------- names


class _NamesTold:
    """Gathers the names of which LIST is to tell, each once.

    names: by name, the one that it had before where it was renamed.  anew: mailboxes whose
    figures the client has not, or has those of another.  unnamed: those of them that were
    renamed, which could not be told.
    """

    def __init__(self, before: Picture, now: Picture, audience: Audience) -> None:
        self._before = before
        self._now = now
        self._audience = audience
        self.names: dict[str, str | None] = {}
        self.anew: set[MailboxId] = set()
        self.unnamed: set[MailboxId] = set()

    def look(self, moved: Collection[MailboxStatus]) -> None:
        """Find them; moved: what is new or not as it was."""
        before, now = self._before, self._now
        for number, status in before.mailboxes.items():
            if number not in now.mailboxes:
                self._came_or_went(status.mailbox.name)
        renamed: dict[str, Mailbox] = {}
        came: list[Mailbox] = []
        for status in moved:
            old = before.mailboxes.get(status.mailbox.id)
            if old is None:
                came.append(status.mailbox)
                self._came_or_went(status.mailbox.name)
            elif old.mailbox.name != status.mailbox.name:
                renamed[status.mailbox.name] = old.mailbox
        held = _Levels(before) if renamed or came else None
        if held is not None:
            self.anew.update(each.id for each in came if each.name in held)
            self._renamed(renamed, held)
        for number in (before.closed ^ now.closed) & before.mailboxes.keys() & now.mailboxes.keys():
            self.names.setdefault(now.mailboxes[number].mailbox.name, None)
            self.anew.add(number)
        if before.subscribed is not now.subscribed:
            for name in sorted(before.subscribed ^ now.subscribed):
                if self._wants(name, Event.SUBSCRIPTION_CHANGE):
                    self.names.setdefault(name, None)

    def _wants(self, name: str, event: Event) -> bool:
        return event in _events(self._audience, name, self._before, self._now)

    def _came_or_went(self, name: str) -> None:
        """Of the level above it is told too: it may have become a parent, or be none now."""
        above = name.rpartition(SEPARATOR)[0]
        for each in (name, above) if above else (name,):
            if self._wants(each, Event.MAILBOX_NAME):
                self.names.setdefault(each, None)

    def _renamed(self, renamed: Mapping[str, Mailbox], held: "_Levels") -> None:
        """What moved with the mailbox above it is not told, where that is (RFC 5465 §5.4).

        A client takes along all that it knows below the old name, and may be told of renamed
        mailboxes in any order.  Where that does not end in what is now, both names are told
        as ones that came or went.  What moves may lie below the new name itself, or below the
        old one; and what lies below the new name and stays is not in the way.
        """
        told: dict[str, str] = {}
        holds = _Levels(self._now) if renamed else held
        for name, mailbox in sorted(renamed.items()):
            old = mailbox.name
            if any(_moved_along(name, old, above, told) for above in _levels(name)):
                continue
            moving = {number: name + each[len(old) :] for each, number in held.under(old)}
            moves_whole = all(self._stands(*each) for each in moving.items())
            in_the_way = any(
                number not in moving and not (each != name and self._stands(number, each))
                for each, number in held.under(name)
            ) or any(number not in moving for _, number in holds.under(old))
            if not moves_whole or in_the_way:
                self._came_or_went(old)
                self._came_or_went(name)
                self.anew.add(mailbox.id)
                self.unnamed.add(mailbox.id)
            elif self._wants(name, Event.MAILBOX_NAME) or self._wants(old, Event.MAILBOX_NAME):
                told[name] = old
        self.names.update(told)

    def _stands(self, number: MailboxId, name: str) -> bool:
        """Whether the mailbox has that name now."""
        status = self._now.mailboxes.get(number)
        return status is not None and status.mailbox.name == name

    def lines(self) -> Iterator[bytes]:
        """LIST of each, by name; renamed ones first.

        What is told of an old name afterwards is true of that name, and is not moved along.
        """
        if not self.names:
            return
        now, form = self._now, self._audience.form
        names = Names.of((each.mailbox for each in now.mailboxes.values()), now.subscribed)
        for name in sorted(self.names, key=lambda each: (self.names[each] is None, each)):
            attributes = attributes_of(name, names, is_extended=True, shows_subscribed=True)
            found = names.mailboxes.get(name)
            if found is not None and found.id in now.closed:
                attributes.append("\\NoAccess")
            before = self.names[name]
            old_name = None if before is None else written(before, form)
            yield list_line(attributes, written(name, form), old_name=old_name)


class _Levels:
    """The names of a picture, in order, with the mailboxes that have them."""

    def __init__(self, picture: Picture) -> None:
        mailboxes = picture.mailboxes.items()
        self._held = sorted((status.mailbox.name, number) for number, status in mailboxes)

    def __contains__(self, name: str) -> bool:
        return any(each == name for each, _ in self._from(name, name))

    def under(self, name: str) -> Iterator[tuple[str, MailboxId]]:
        """Those of that name and below it."""
        yield from self._from(name, name)
        beginning = name + SEPARATOR
        yield from self._from(beginning, beginning + chr(sys.maxunicode))

    def _from(self, first: str, last: str) -> list[tuple[str, MailboxId]]:
        start = bisect_left(self._held, first, key=_name_of)
        return self._held[start : bisect_right(self._held, last, key=_name_of)]


def _name_of(held: tuple[str, MailboxId]) -> str:
    return held[0]


def _levels(name: str) -> Iterator[str]:
    while SEPARATOR in name:
        name = name.rpartition(SEPARATOR)[0]
        yield name


def _moved_along(name: str, old: str, above: str, told: dict[str, str]) -> bool:
    return above in told and old == told[above] + name[len(above) :]
