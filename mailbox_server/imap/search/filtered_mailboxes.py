"""Which mailboxes of an account a filter means (RFC 5465 §6, RFC 7377 §2.2)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from mailbox_server.imap.grammar.mailbox_filters import FilterKind, MailboxFilter
from mailbox_server.imap.mailboxes.places import Place, find_place, name_for, places_of
from mailbox_server.model.account import Account
from mailbox_server.model.ids import MailboxId
from mailbox_server.model.mailbox import INBOX, SEPARATOR, Mailbox
from mailbox_server.model.rights import LOOKUP, READ
from mailbox_server.store.ports import ReadTx

_BY_NAME: Final = frozenset(
    {FilterKind.MAILBOXES, FilterKind.SELECTED, FilterKind.SELECTED_DELAYED}
)
_NAMES_FEW: Final = 100
_PERSONAL: Final = frozenset({FilterKind.INBOXES, FilterKind.PERSONAL})
"""Any mailbox may get new mail: then inboxes are all of one's own (RFC 5465 §6.3)."""


def chosen(
    tx: ReadTx, account: Account, filters: Iterable[MailboxFilter], selected: MailboxId | None
) -> list[Mailbox]:
    """The mailboxes that at least one of the filters means, each once, INBOX first.

    Under the names that account has for them.  What does not exist is left out, and what of
    others' it may not read (RFC 7377 §2.2).
    """
    filters = tuple(filters)
    subscribed = frozenset(tx.mailboxes.subscriptions(account.id))
    places = _places_named(tx, account, filters, selected)
    mailboxes = [
        each.mailbox
        if each.owner == account.id
        else replace(each.as_shown, subscribed=each.shown in subscribed)
        for each in (places_of(tx, account) if places is None else places)
        if READ in each.rights or each.mailbox.id == selected
    ]
    own = [each for each in mailboxes if each.account == account.id]
    wanted = {
        each.id
        for filtered in filters
        for each in _meant(own if filtered.kind in _PERSONAL else mailboxes, filtered, selected)
    }
    return [each for each in mailboxes if each.id in wanted]


def _places_named(
    tx: ReadTx,
    account: Account,
    filters: Sequence[MailboxFilter],
    selected: MailboxId | None,
) -> list[Place] | None:
    """The places of which the filters give the names, in the order of places_of.

    None where they mean others too, or name many: all are then looked at sooner.
    """
    if not {each.kind for each in filters} <= _BY_NAME:
        return None
    names = {name for each in filters for name in each.names}
    view = None if selected is None else tx.mailboxes.get(selected)
    shown = None if view is None else name_for(tx, view, account.id)
    names |= set() if shown is None else {shown}
    if len(names) > _NAMES_FEW:
        return None
    found = [place for name in names if (place := find_place(tx, account, name)) is not None]
    found = [each for each in found if each.shown in names and LOOKUP in each.rights]
    if sum(each.owner != account.id for each in found) > 1:
        return None
    found.sort(key=lambda each: (each.owner != account.id, each.shown != INBOX, each.shown))
    return found


def _meant(
    mailboxes: Sequence[Mailbox], filtered: MailboxFilter, selected: MailboxId | None
) -> list[Mailbox]:
    names = frozenset(filtered.names)
    match filtered.kind:
        case FilterKind.SELECTED | FilterKind.SELECTED_DELAYED:
            return [each for each in mailboxes if each.id == selected]
        case FilterKind.INBOXES | FilterKind.PERSONAL:
            return list(mailboxes)
        case FilterKind.SUBSCRIBED:
            return [each for each in mailboxes if each.subscribed]
        case FilterKind.MAILBOXES:
            return [each for each in mailboxes if each.name in names]
        case FilterKind.SUBTREE:
            return [each for each in mailboxes if not names.isdisjoint(_levels(each.name))]
        case FilterKind.SUBTREE_ONE:
            return [each for each in mailboxes if not names.isdisjoint(_levels(each.name)[-2:])]


def _levels(name: str) -> list[str]:
    """`a/b/c` as `a`, `a/b` and itself."""
    parts = name.split(SEPARATOR)
    return [SEPARATOR.join(parts[:count]) for count in range(1, len(parts) + 1)]
