"""Which mailboxes of an account a filter means (RFC 5465 §6, RFC 7377 §2.2)."""

from collections.abc import Iterable, Sequence

from mailbox_server.imap.grammar.mailbox_filters import FilterKind, MailboxFilter
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.mailbox import SEPARATOR, Mailbox, Role
from mailbox_server.store.ports import ReadTx


def chosen(
    tx: ReadTx, account: AccountId, filters: Iterable[MailboxFilter], selected: MailboxId | None
) -> list[Mailbox]:
    """The mailboxes that at least one of the filters means, each once, INBOX first.

    What does not exist is left out.
    """
    mailboxes = tx.mailboxes.all(account)
    wanted = {each.id for filtered in filters for each in _meant(mailboxes, filtered, selected)}
    return [each for each in mailboxes if each.id in wanted]


def _meant(
    mailboxes: Sequence[Mailbox], filtered: MailboxFilter, selected: MailboxId | None
) -> list[Mailbox]:
    names = frozenset(filtered.names)
    match filtered.kind:
        case FilterKind.SELECTED | FilterKind.SELECTED_DELAYED:
            return [each for each in mailboxes if each.id == selected]
        case FilterKind.INBOXES:
            # Delivery puts messages nowhere else.
            return [each for each in mailboxes if each.role is Role.INBOX]
        case FilterKind.PERSONAL:
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
