"""The STATUS response: what a mailbox holds, in the order the client asked (RFC 9051 §7.3.4)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.mailbox_arguments import StatusItem
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.responses import mailbox
from mailbox_server.model.ids import mailbox_object_id
from mailbox_server.model.mailbox import MailboxStatus

_FIGURES: Final[Mapping[StatusItem, Callable[[MailboxStatus, ImapLimits], int | str]]] = {
    StatusItem.MESSAGES: lambda found, _: found.messages,
    StatusItem.RECENT: lambda found, _: found.recent,
    StatusItem.UIDNEXT: lambda found, _: found.mailbox.uid_next,
    StatusItem.UIDVALIDITY: lambda found, _: found.mailbox.uid_validity,
    StatusItem.UNSEEN: lambda found, _: found.unseen,
    StatusItem.DELETED: lambda found, _: found.deleted,
    StatusItem.DELETED_STORAGE: lambda found, _: found.deleted_octets or 0,
    StatusItem.SIZE: lambda found, _: found.octets,
    StatusItem.HIGHESTMODSEQ: lambda found, _: found.mailbox.highest_modseq,
    StatusItem.APPENDLIMIT: lambda _, limits: limits.message_octets,
    StatusItem.MAILBOXID: lambda found, _: f"({mailbox_object_id(found.mailbox.id)})",
}


def status_response(
    found: MailboxStatus, items: Sequence[StatusItem], limits: ImapLimits, form: TextForm
) -> bytes:
    """`STATUS "INBOX" (MESSAGES 3)`, without what stands around a line."""
    figures = " ".join(f"{item.value} {_FIGURES[item](found, limits)}" for item in items)
    return b"STATUS %b (%b)" % (mailbox(found.mailbox.name, form), figures.encode("ascii"))
