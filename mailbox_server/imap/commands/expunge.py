"""EXPUNGE and UID EXPUNGE: what is \\Deleted goes for good (RFC 9051 §6.4.3, RFC 4315 §2.1)."""

from collections.abc import Callable, Sequence
from typing import Final

from mailbox_server.imap.commands.steps import steps
from mailbox_server.imap.grammar.message_arguments import ExpungeArguments
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.mailboxes.places import confirm
from mailbox_server.imap.responses import Outcome, no, ok
from mailbox_server.imap.session import Session
from mailbox_server.imap.views.selected import SelectedView
from mailbox_server.model.errors import NoPermission
from mailbox_server.model.ids import ModSeq
from mailbox_server.model.rights import EXPUNGE
from mailbox_server.store.ports import Expunged, WriteTx

MESSAGES_A_STEP: Final = 5_000


async def expunge(session: Session, arguments: ExpungeArguments) -> Outcome:
    """Expunge in steps, all or of the given UIDs; the numbers are told behind the handler."""
    view = session.writable_view
    if view is None:
        return no("The mailbox was selected to be read only", b"READ-ONLY")
    if EXPUNGE not in view.rights:
        raise NoPermission("only who holds e expunges")
    last: ModSeq | None = None
    if arguments.uids is None:
        while (gone := await session.store.write(expunging(view, None))).uids:
            await view.expunged(gone)
            session.headway.did(len(gone.uids))
            last = gone.modseq
        return ok("Expunged", session.highest_modseq_code(last))
    uids = view.uids(arguments.uids, By.UID)
    for step in steps(uids, MESSAGES_A_STEP, session.headway):
        is_done = False
        while not is_done:
            gone = await session.store.write(expunging(view, step))
            await view.expunged(gone)
            last = gone.modseq if gone.uids else last
            is_done = not gone.is_part
    return ok("Expunged", session.highest_modseq_code(last))


def expunging(view: SelectedView, within: Sequence[int] | None) -> Callable[[WriteTx], Expunged]:
    """The write of one step; it raises NoPermission where the right was taken meanwhile."""

    def work(tx: WriteTx) -> Expunged:
        confirm(tx, view.mailbox, view.reader, frozenset(EXPUNGE))
        return tx.messages.expunge(view.mailbox.id, within)

    return work
