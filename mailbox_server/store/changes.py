"""What a mailbox holds and what changed in it since a modseq: the log behind every view.

A placement's updated_at is the modseq of its last change, expunge included, and the blocks
of UIDs are the log (store.uid_blocks): an answer takes time that follows its own size.
"""

from array import array
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.errors import StateTooOld
from mailbox_server.model.ids import MailboxId, MessageId, ModSeq
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.mailbox_rows import live_mailbox
from mailbox_server.store.ports import ChangedPlacement, Changes, ViewRows
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.schema.messages import placement, uid_block
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_blocks import CHANGED

_MAILBOX: Final = placement.c.mailbox == sa.bindparam("mailbox")
_LIVE: Final = placement.c.expunged_at.is_(None)
_VIEW_BLOCK: Final = 2_000

_VIEW: Final = Prepared(
    sa.select(
        placement.c.uid,
        placement.c.message,
        placement.c.keyword_set,
        placement.c.deleted,
        placement.c.updated_at,
    )
    .where(_MAILBOX, _LIVE)
    .order_by(placement.c.uid)
)
_FORGOTTEN_AT: Final = Prepared(
    sa.select(mailbox.c.forgotten_at).where(mailbox.c.id == sa.bindparam("mailbox"))
)
_CHANGED_ROWS: Final = (
    sa.select(
        placement.c.uid,
        placement.c.message,
        placement.c.keyword_set,
        placement.c.deleted,
        placement.c.updated_at,
        placement.c.created_at,
        placement.c.expunged_at,
    )
    .where(uid_block.c.mailbox == sa.bindparam("mailbox"), *CHANGED)
    .order_by(placement.c.updated_at, placement.c.uid)
)
_CHANGED: Final = Prepared(_CHANGED_ROWS.limit(sa.bindparam("most")))
_CHANGED_UP_TO: Final = Prepared(
    _CHANGED_ROWS.where(placement.c.updated_at <= sa.bindparam("upto"))
)


def view(tx: SqlTx, number: MailboxId) -> ViewRows:
    """All live placements of a mailbox by ascending UID.  Raises MailboxMissing."""
    found = live_mailbox(tx, number)
    uids, messages = array("I"), array("q")
    keyword_sets, modseqs = array("q"), array("q")
    deleted = bytearray()
    # Blocks: a hundred thousand tuples at once are 20 MiB that do not come back.
    for rows in _VIEW.blocks(tx, _VIEW_BLOCK, mailbox=number):
        columns = tuple(zip(*rows, strict=True))
        uids.extend(columns[0])
        messages.extend(columns[1])
        keyword_sets.extend(columns[2])
        deleted.extend(columns[3])
        modseqs.extend(columns[4])
    return ViewRows(found, uids, messages, keyword_sets, bytes(deleted), modseqs)


def changes_since(tx: SqlTx, number: MailboxId, modseq: ModSeq, limit: int) -> Changes:
    """Everything that changed in a mailbox after modseq, whole stamps only.

    An answer ends with the stamp that reaches limit, so it can be longer by the rest of
    that one write.  Raises MailboxMissing, StateTooOld.
    """
    found = live_mailbox(tx, number)
    if found.highest_modseq <= modseq:
        return Changes(found, (), UidSet(), found.highest_modseq, True)
    (forgotten_at,) = _FORGOTTEN_AT.row(tx, mailbox=number)
    if modseq < forgotten_at:
        raise StateTooOld("expunges that old have been forgotten")
    most, upto = max(limit, 1), found.highest_modseq
    rows = _CHANGED.rows(tx, mailbox=number, modseq=modseq, most=most)
    if len(rows) == most:
        upto = ModSeq(rows[-1][4])
        rows = _CHANGED_UP_TO.rows(tx, mailbox=number, modseq=modseq, upto=upto)
    changed = tuple(
        ChangedPlacement(uid, MessageId(message), keyword_set, deleted != 0, updated_at, created_at)
        for uid, message, keyword_set, deleted, updated_at, created_at, expunged_at in rows
        if expunged_at is None
    )
    vanished = UidSet.of(row[0] for row in rows if row[6] is not None)
    return Changes(found, changed, vanished, upto, upto >= found.highest_modseq)
