"""What is found by blocks of UIDs: what changed, what is \\Deleted, what is a tombstone.

Every write that stamps a placement stamps its block too, with one row for BLOCK_UIDS
placements that stand together.  Who asks what changed reads the blocks that did, by their
index, and looks at the placements in them: at most BLOCK_UIDS for each that changed.  The
same goes for placements that are \\Deleted, and for tombstones.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import sqlalchemy as sa

from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import BLOCK_UIDS, placement, uid_block
from mailbox_server.store.transactions import SqlTx

# A select from both with this condition reads the placements of the blocks.
IN_BLOCK: Final = (
    placement.c.mailbox == uid_block.c.mailbox,
    placement.c.uid.between(uid_block.c.first, uid_block.c.first + (BLOCK_UIDS - 1)),
)
# The same, of placements that changed after :modseq.
CHANGED: Final = (
    *IN_BLOCK,
    uid_block.c.updated_at > sa.bindparam("modseq"),
    placement.c.updated_at > sa.bindparam("modseq"),
)

_yes: Final[sa.ColumnClause[int]] = sa.literal_column("1")
_no: Final[sa.ColumnClause[int]] = sa.literal_column("0")
_BLOCKS: Final = (
    uid_block.c.mailbox == sa.bindparam("mailbox"),
    uid_block.c.first.between(sa.bindparam("low"), sa.bindparam("high")),
)
_BLOCK: Final = (
    uid_block.c.mailbox == sa.bindparam("mailbox"),
    uid_block.c.first == sa.bindparam("low"),
)
_STAMP: Final = Prepared(
    sa.update(uid_block).where(*_BLOCKS).values(updated_at=sa.bindparam("modseq"))
)
_ADD: Final = Prepared(
    sa.insert(uid_block).values(
        mailbox=sa.bindparam("mailbox"),
        first=sa.bindparam("first"),
        updated_at=sa.bindparam("modseq"),
        deleted=_no,
    )
)
_MARK_DELETED: Final = Prepared(
    sa.update(uid_block).where(*_BLOCKS, uid_block.c.deleted == _no).values(deleted=_yes)
)
_UNMARK_DELETED: Final = Prepared(
    sa.update(uid_block)
    .where(
        *_BLOCKS,
        uid_block.c.deleted == _yes,
        ~sa.exists().where(
            *IN_BLOCK, placement.c.deleted == _yes, placement.c.expunged_at.is_(None)
        ),
    )
    .values(deleted=_no)
)
_CLEAR_DELETED: Final = Prepared(
    sa.update(uid_block).where(*_BLOCKS, uid_block.c.deleted == _yes).values(deleted=_no)
)
_BURY: Final = Prepared(
    sa.update(uid_block)
    .where(*_BLOCKS)
    .values(
        updated_at=sa.bindparam("modseq"),
        expunged_on=sa.func.coalesce(uid_block.c.expunged_on, sa.bindparam("now")),
    )
)
_EXHUME: Final = Prepared(
    sa.update(uid_block)
    .where(*_BLOCK)
    .values(
        expunged_on=sa.select(sa.func.min(placement.c.expunged_on))
        .where(*IN_BLOCK)
        .correlate(uid_block)
        .scalar_subquery()
    )
)
_DROP_EMPTY: Final = Prepared(sa.delete(uid_block).where(*_BLOCK, ~sa.exists().where(*IN_BLOCK)))
DROP_OF_MAILBOX: Final = Prepared(
    sa.delete(uid_block).where(uid_block.c.mailbox == sa.bindparam("mailbox"))
)

Ranges = Iterable[tuple[int, int]]
"""First and last UID of each, ascending."""


def stamp(tx: SqlTx, mailbox: int, ranges: Ranges, modseq: int) -> None:
    """Say that placements in these ranges changed."""
    _STAMP.run_each(tx, [{**each, "modseq": modseq} for each in block_ranges(mailbox, ranges)])


def placed(tx: SqlTx, mailbox: int, first: int, last: int, modseq: int) -> None:
    """Say that placements were made from first to last, above all others of the mailbox."""
    low, high = first - first % BLOCK_UIDS, last - last % BLOCK_UIDS
    if _STAMP.run(tx, mailbox=mailbox, low=low, high=low, modseq=modseq):
        low += BLOCK_UIDS
    if low <= high:
        _ADD.run_each(
            tx,
            [
                {"mailbox": mailbox, "first": block, "modseq": modseq}
                for block in range(low, high + 1, BLOCK_UIDS)
            ],
        )


def mark_deleted(tx: SqlTx, mailbox: int, ranges: Ranges) -> None:
    """Say that placements in these ranges became \\Deleted."""
    _MARK_DELETED.run_each(tx, block_ranges(mailbox, ranges))


def unmark_deleted(tx: SqlTx, mailbox: int, ranges: Ranges) -> None:
    """Say that placements in these ranges are \\Deleted no more."""
    _UNMARK_DELETED.run_each(tx, block_ranges(mailbox, ranges))


def bury(tx: SqlTx, mailbox: int, ranges: Ranges, modseq: int, *, had_deleted: bool) -> None:
    """Say that placements in these ranges became tombstones, all that were live there.

    had_deleted: whether some of them were \\Deleted.
    """
    blocks = block_ranges(mailbox, ranges)
    _BURY.run_each(tx, [{**each, "modseq": modseq, "now": tx.now} for each in blocks])
    if had_deleted:
        _CLEAR_DELETED.run_each(tx, block_ranges(mailbox, whole_blocks(ranges)))
        _UNMARK_DELETED.run_each(tx, blocks)


def forget(tx: SqlTx, tombstones: Iterable[tuple[int, int]]) -> None:
    """Say that these tombstones (mailbox, uid) are gone; with the last goes the block."""
    blocks = sorted({(mailbox, uid - uid % BLOCK_UIDS) for mailbox, uid in tombstones})
    values = [{"mailbox": mailbox, "low": first} for mailbox, first in blocks]
    _DROP_EMPTY.run_each(tx, values)
    _EXHUME.run_each(tx, values)


def block_ranges(mailbox: int, ranges: Ranges) -> list[dict[str, int]]:
    """Parameters mailbox, low and high for each run of blocks."""
    found: list[list[int]] = []
    for first, last in ranges:
        low, high = first - first % BLOCK_UIDS, last - last % BLOCK_UIDS
        if found and low <= found[-1][1] + BLOCK_UIDS:
            found[-1][1] = high
        else:
            found.append([low, high])
    return [{"mailbox": mailbox, "low": low, "high": high} for low, high in found]


def whole_blocks(ranges: Ranges) -> Iterator[tuple[int, int]]:
    """The part of each range that fills blocks, where there is one."""
    for first, last in ranges:
        low, high = first + -first % BLOCK_UIDS, last + 1 - (last + 1) % BLOCK_UIDS
        if low < high:
            yield low, high - 1
