"""STATUS: a mailbox's figures without selecting it (RFC 9051 §6.3.11, RFC 7162 §3.1.7)."""

from dataclasses import replace

from mailbox_server.imap.grammar.mailbox_arguments import StatusArguments, StatusItem
from mailbox_server.imap.mailboxes.figures import status_response
from mailbox_server.imap.mailboxes.places import is_below_others, place, reader_of
from mailbox_server.imap.responses import Outcome, bad, ok
from mailbox_server.imap.session import Session
from mailbox_server.model.mailbox import MailboxStatus
from mailbox_server.model.rights import READ
from mailbox_server.store.ports import ReadTx


async def status(session: Session, arguments: StatusArguments) -> Outcome:
    """Answer from one snapshot; asking for HIGHESTMODSEQ enables CONDSTORE."""
    if StatusItem.RECENT in arguments.items and session.is_rev2:
        return bad("IMAP4rev2 has no RECENT")
    account, name = session.account, arguments.mailbox
    recent = StatusItem.RECENT in arguments.items
    weighs = StatusItem.DELETED_STORAGE in arguments.items

    def work(tx: ReadTx) -> MailboxStatus:
        found = place(tx, account, name, READ)
        reader = reader_of(found.mailbox, account)
        told = tx.mailboxes.status(
            found.mailbox.id, counts_recent=recent, weighs_deleted=weighs, reader=reader
        )
        return replace(told, mailbox=found.as_shown)

    # Rows that are \Recent or \Deleted may be many: these are gone through beside the loop.
    by_rows = recent or weighs or is_below_others(name)
    found = await session.store.read(work) if by_rows else session.store.glance(work)
    if StatusItem.HIGHESTMODSEQ in arguments.items:
        session.enable_condstore()
    session.respond(status_response(found, arguments.items, session.limits, session.text_form))
    return ok("That is all")
