"""Which mailboxes of an account a filter means (RFC 5465 §6, RFC 7377 §2.2)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from mailbox_server.imap.grammar.mailbox_filters import FilterKind, MailboxFilter
from mailbox_server.imap.places import places_of
from mailbox_server.model.account import Account
from mailbox_server.model.ids import MailboxId
from mailbox_server.model.mailbox import SEPARATOR, Mailbox
from mailbox_server.model.rights import READ
from mailbox_server.store.ports import ReadTx

_PERSONAL: Final = frozenset({FilterKind.INBOXES, FilterKind.PERSONAL})
"""Any mailbox may get new mail: then inboxes are all of one's own (RFC 5465 §6.3)."""


def chosen(
    tx: ReadTx, account: Account, filters: Iterable[MailboxFilter], selected: MailboxId | None
) -> list[Mailbox]:
    """The mailboxes that at least one of the filters means, each once, INBOX first.

    Under the names that account has for them.  What does not exist is left out, and what of
    others' it may not read (RFC 7377 §2.2).
    """
    subscribed = frozenset(tx.mailboxes.subscriptions(account.id))
    mailboxes = [
        replace(each.as_shown, subscribed=each.shown in subscribed)
        for each in places_of(tx, account)
        if READ in each.rights or each.mailbox.id == selected
    ]
    own = [each for each in mailboxes if each.account == account.id]
    wanted = {
        each.id
        for filtered in filters
        for each in _meant(own if filtered.kind in _PERSONAL else mailboxes, filtered, selected)
    }
    return [each for each in mailboxes if each.id in wanted]


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
