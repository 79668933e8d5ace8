"""What a client that comes back is told it has missed (RFC 7162 §3.2.5, §3.2.6)."""

from typing import Final

from mailbox_server.imap.grammar.resync_arguments import Resync
from mailbox_server.imap.grammar.sequence_sets import STAR, By, SequenceSet
from mailbox_server.imap.session import Session
from mailbox_server.imap.views.change_lines import vanished_lines
from mailbox_server.imap.views.selected import ModSeqs, SelectedView
from mailbox_server.imap.views.view_lines import LINES_A_BLOCK, change_items, view_lines
from mailbox_server.model.errors import StateTooOld
from mailbox_server.model.ids import MailboxId, ModSeq
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Changes, ReadTx, Store

_EVERYTHING: Final = SequenceSet(((1, STAR),))


async def resynchronize(session: Session, view: SelectedView, resync: Resync) -> None:
    """Tell what vanished and what changed since the client left; nothing to a stranger."""
    mailbox = view.mailbox
    if resync.uid_validity != mailbox.uid_validity or mailbox.uid_next == 1:
        return
    known = resync.known
    if known is None:
        known = UidSet(((1, mailbox.uid_next - 1),))
    seen = _last_seen(view, resync)
    await tell_vanished(session, view, resync.modseq, known.without(UidSet(((1, seen),))))
    there = view.uids(SequenceSet(known.ranges), By.UID)
    changed, named_by = view.changed_since(resync.modseq, there), session.named_by
    items = change_items(named_by, ModSeqs.SHOWN)
    for at in range(0, len(changed), LINES_A_BLOCK):
        columns = view.columns(changed[at : at + LINES_A_BLOCK])
        await session.pour([view_lines(columns, items, named_by)])


def _last_seen(view: SelectedView, resync: Resync) -> int:
    """The highest UID up to which the client knows of all expunges; 0 for none.

    RFC 7162 §3.2.5.2.
    """
    seen = 0
    for number, uid in zip(resync.numbers, resync.uids, strict=True):
        if number > view.count or view.uid_at(number) != uid:
            break
        seen = uid
    return seen


async def tell_vanished(session: Session, view: SelectedView, modseq: int, among: UidSet) -> None:
    """Tell which of these UIDs were expunged since modseq.

    Where expunges that old were forgotten: all of them that are not there.  What the session
    is still to be told of as VANISHED is left for that.
    """
    there = UidSet.of(view.uids(_EVERYTHING, By.UID))
    try:
        gone = await _vanished_since(session.store, view.mailbox.id, ModSeq(modseq))
    except StateTooOld:
        gone = UidSet(((1, max(view.mailbox.uid_next - 1, 1)),))
    for line in vanished_lines(gone.common(among).without(there), earlier=True):
        await session.send(line)


async def _vanished_since(store: Store, mailbox: MailboxId, modseq: ModSeq) -> UidSet:
    """Raises StateTooOld."""
    gone: list[tuple[int, int]] = []
    upto = modseq
    while True:

        def work(tx: ReadTx, upto: ModSeq = upto) -> Changes:
            return tx.messages.changes_since(mailbox, upto)

        found = await store.read(work)
        gone += found.vanished.ranges
        if found.complete:
            return UidSet.of_ranges(gone)
        upto = found.upto
