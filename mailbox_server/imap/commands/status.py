"""STATUS: a mailbox's figures without selecting it (RFC 3501 §6.3.10, RFC 7162 §3.1.7)."""

from collections.abc import Callable, Mapping
from typing import Final

from mailbox_server.imap.grammar.mailbox_arguments import StatusArguments, StatusItem
from mailbox_server.imap.responses import Outcome, mailbox, ok
from mailbox_server.imap.session import Session
from mailbox_server.model.errors import MailboxMissing
from mailbox_server.model.mailbox import MailboxStatus
from mailbox_server.store.ports import ReadTx

_FIGURES: Final[Mapping[StatusItem, Callable[[MailboxStatus], int]]] = {
    StatusItem.MESSAGES: lambda found: found.messages,
    StatusItem.RECENT: lambda found: found.recent,
    StatusItem.UIDNEXT: lambda found: found.mailbox.uid_next,
    StatusItem.UIDVALIDITY: lambda found: found.mailbox.uid_validity,
    StatusItem.UNSEEN: lambda found: found.unseen,
    StatusItem.HIGHESTMODSEQ: lambda found: found.mailbox.highest_modseq,
}


async def status(session: Session, arguments: StatusArguments) -> Outcome:
    """Answer from one snapshot; asking for HIGHESTMODSEQ enables CONDSTORE."""
    account, name = session.account.id, arguments.mailbox

    def work(tx: ReadTx) -> MailboxStatus:
        found = tx.mailboxes.find(account, name)
        if found is None:
            raise MailboxMissing("STATUS of a mailbox that does not exist")
        return tx.mailboxes.status(found.id)

    found = session.store.glance(work)
    if StatusItem.HIGHESTMODSEQ in arguments.items:
        session.enable_condstore()
    figures = " ".join(f"{item.value} {_FIGURES[item](found)}" for item in arguments.items)
    session.respond(b"STATUS " + mailbox(name) + b" (" + figures.encode("ascii") + b")")
    return ok("That is all")
