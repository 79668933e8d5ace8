"""The change log of a mailbox: which blocks of its UIDs changed after a modseq.

Every write that stamps a placement stamps its block too, with one row for BLOCK_UIDS
placements that stand together.  Who asks what changed reads the blocks that did, by their
index, and looks at the placements in them: at most BLOCK_UIDS for each that changed.
"""

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import BLOCK_UIDS, placement, uid_block
from mailbox_server.store.transactions import SqlTx

_STAMP: Final = Prepared(
    sa.update(uid_block)
    .where(
        uid_block.c.mailbox == sa.bindparam("mailbox"),
        uid_block.c.first.between(sa.bindparam("low"), sa.bindparam("high")),
    )
    .values(updated_at=sa.bindparam("modseq"))
)
_ADD: Final = Prepared(
    sa.insert(uid_block).values(
        mailbox=sa.bindparam("mailbox"),
        first=sa.bindparam("first"),
        updated_at=sa.bindparam("modseq"),
    )
)
_DROP_EMPTY: Final = Prepared(
    sa.delete(uid_block).where(
        uid_block.c.mailbox == sa.bindparam("mailbox"),
        uid_block.c.first == sa.bindparam("first"),
        ~sa.exists().where(
            placement.c.mailbox == uid_block.c.mailbox,
            placement.c.uid.between(uid_block.c.first, uid_block.c.first + (BLOCK_UIDS - 1)),
        ),
    )
)
DROP_OF_MAILBOX: Final = Prepared(
    sa.delete(uid_block).where(uid_block.c.mailbox == sa.bindparam("mailbox"))
)

# A select from both with this condition reads placements that changed after :modseq.
CHANGED: Final = (
    placement.c.mailbox == uid_block.c.mailbox,
    placement.c.uid.between(uid_block.c.first, uid_block.c.first + (BLOCK_UIDS - 1)),
    uid_block.c.updated_at > sa.bindparam("modseq"),
    placement.c.updated_at > sa.bindparam("modseq"),
)


def stamp(tx: SqlTx, mailbox: int, ranges: Iterable[tuple[int, int]], modseq: int) -> None:
    """Say that placements in these ascending ranges of UIDs changed."""
    blocks: list[list[int]] = []
    for first, last in ranges:
        low, high = first - first % BLOCK_UIDS, last - last % BLOCK_UIDS
        if blocks and low <= blocks[-1][1] + BLOCK_UIDS:
            blocks[-1][1] = high
        else:
            blocks.append([low, high])
    _STAMP.run_each(
        tx,
        [{"mailbox": mailbox, "low": low, "high": high, "modseq": modseq} for low, high in blocks],
    )


def placed(tx: SqlTx, mailbox: int, first: int, last: int, modseq: int) -> None:
    """Say that placements were made from first to last, above all others of the mailbox."""
    low, high = first - first % BLOCK_UIDS, last - last % BLOCK_UIDS
    if _STAMP.run(tx, mailbox=mailbox, low=low, high=low, modseq=modseq):
        low += BLOCK_UIDS
    _ADD.run_each(
        tx,
        [
            {"mailbox": mailbox, "first": block, "modseq": modseq}
            for block in range(low, high + 1, BLOCK_UIDS)
        ],
    )


def drop_empty(tx: SqlTx, placements: Iterable[tuple[int, int]]) -> None:
    """Delete the blocks where these (mailbox, uid) were the last."""
    blocks = {(mailbox, uid - uid % BLOCK_UIDS) for mailbox, uid in placements}
    _DROP_EMPTY.run_each(
        tx, [{"mailbox": mailbox, "first": first} for mailbox, first in sorted(blocks)]
    )
