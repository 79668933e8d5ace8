"""The STATUS response: what a mailbox holds, in the order the client asked (RFC 9051 §7.3.4)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.mailbox_arguments import StatusItem
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.responses import mailbox
from mailbox_server.model.ids import mailbox_object_id
from mailbox_server.model.mailbox import MailboxStatus

_Figure = Callable[[MailboxStatus, ImapLimits], int | bytes]

_FIGURES: Final[Mapping[StatusItem, _Figure]] = {
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
    StatusItem.MAILBOXID: lambda found, _: mailbox_object_id(found.mailbox.id).encode("ascii"),
}


class StatusResponses:
    """Writes the responses that tell the same items of many mailboxes."""

    def __init__(self, items: Sequence[StatusItem], limits: ImapLimits) -> None:
        forms = [item.value.encode("ascii") + _form(item) for item in items]
        self._line = b"STATUS %b (" + b" ".join(forms) + b")"
        self._figures = [_FIGURES[item] for item in items]
        self._limits = limits

    def of(self, found: MailboxStatus, written: bytes) -> bytes:
        """`STATUS "INBOX" (MESSAGES 3)`, without what stands around a line.

        written: the name, ready.
        """
        limits = self._limits
        return self._line % (written, *[figure(found, limits) for figure in self._figures])


def _form(item: StatusItem) -> bytes:
    return b" (%b)" if item is StatusItem.MAILBOXID else b" %d"


def status_response(
    found: MailboxStatus, items: Sequence[StatusItem], limits: ImapLimits, form: TextForm
) -> bytes:
    """The response of one mailbox."""
    return StatusResponses(items, limits).of(found, mailbox(found.mailbox.name, form))
