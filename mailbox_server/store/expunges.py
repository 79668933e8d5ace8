"""Expunge: placements become tombstones, messages without a live placement are destroyed.

A tombstone keeps its row, so that changes_since can tell of it and a session that was not
told yet can still fetch it.  A destroyed message keeps its listing, text and content until
store.destroyed_messages takes them, which looks once more whether it lies nowhere; the
account's usage falls at once.

Placements are named by runs of UIDs, each one statement whatever its length: the rows never
come to Python.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store import message_blocks, uid_blocks
from mailbox_server.store.by_message import ByMessage
from mailbox_server.store.live_placements import (
    Live,
    deleted_among,
    live_among,
    some_above,
    some_deleted,
)
from mailbox_server.store.mailbox_rows import live_mailbox, move_counters
from mailbox_server.store.ports import Expunged
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.mailboxes import mailbox as mailbox_rows
from mailbox_server.store.schema.messages import (
    BLOCK_MESSAGES,
    BLOCK_UIDS,
    message,
    placement,
)
from mailbox_server.store.transactions import SqlTx

STEP: Final = 5_000
DEAR_STEP: Final = 500
"""Where messages are asked about singly: 160 µs for each at the worst, 10 where another
placement stands among the first of its neighbors' (200,000 copies made in random order)."""
_SMALL_ACCOUNT: Final = 128_000
"""Live placements that may all be read to say which messages lie elsewhere, 50 ms."""
_BESIDE: Final = BLOCK_UIDS * BLOCK_MESSAGES
"""Placements that may all be read to say where the copies of one message in a mailbox lie."""

_MAILBOX: Final = placement.c.mailbox == sa.bindparam("mailbox")
_LIVE: Final = placement.c.expunged_at.is_(None)
_IN_RANGE: Final = placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last"))


_EXPUNGE: Final = Prepared(
    sa.update(placement)
    .where(_MAILBOX, _IN_RANGE, _LIVE)
    .values(
        updated_at=sa.bindparam("modseq"),
        expunged_at=sa.bindparam("modseq"),
        expunged_on=sa.bindparam("now"),
    )
)
_buried: Final = placement.alias("buried")
_BURIED: Final = sa.select(_buried.c.message).where(
    _buried.c.mailbox == sa.bindparam("mailbox"),
    _buried.c.uid.between(sa.bindparam("first"), sa.bindparam("last")),
    _buried.c.expunged_at == sa.bindparam("modseq"),
)
_BURIED_ALONE: Final = _BURIED.where(_buried.c.shared == sa.literal_column("0"))
_BURIED_SHARED: Final = _BURIED.where(_buried.c.shared == sa.literal_column("1"))
_DESTROY: Final = sa.update(message).values(
    destroyed_at=sa.bindparam("modseq"),
    destroyed_on=sa.bindparam("now"),
    gone_at=sa.func.coalesce(message.c.gone_at, sa.bindparam("modseq")),
)
_DESTROY_ALONE: Final = Prepared(_DESTROY.where(message.c.id.in_(_BURIED_ALONE)))
# What JMAP sees has a live placement: only what is gone for it may have none.
_DESTROY_UNPLACED: Final = ByMessage(
    _DESTROY.where(message.c.destroyed_at.is_(None)),
    _BURIED_SHARED.join(message, message.c.id == _buried.c.message).where(
        message.c.gone_at.is_not(None)
    ),
    returned=message.c.size,
)
_PLACEMENTS: Final = Prepared(
    sa.select(sa.func.sum(mailbox_rows.c.messages)).where(
        mailbox_rows.c.account == sa.bindparam("account")
    )
)
_GIVE_BACK: Final = Prepared(
    sa.update(account)
    .where(account.c.id == sa.bindparam("account"))
    .values(
        octets=account.c.octets - sa.bindparam("octets"),
        messages=account.c.messages - sa.bindparam("messages"),
    )
)


def unseen_messages(changed: sa.Select[tuple[int]]) -> ByMessage:
    """The statement that stamps those of the messages that JMAP sees in no mailbox any more."""
    update = sa.update(message).where(message.c.gone_at.is_(None))
    return ByMessage(
        update.values(gone_at=sa.bindparam("modseq")),
        changed,
        placement.c.deleted == sa.literal_column("0"),
    )


_GONE: Final = unseen_messages(_BURIED_SHARED)


def bury(tx: SqlTx, mailbox: MailboxId, gone: Live, modseq: ModSeq) -> None:
    """Make tombstones of live placements, and count them no more; messages stay."""
    _EXPUNGE.run_each(tx, _of_each(gone.uids, mailbox=mailbox, modseq=modseq, now=tx.now))
    had_deleted = gone.counters.deleted > 0
    uid_blocks.bury(tx, mailbox, gone.uids.ranges, modseq, had_deleted=had_deleted)
    message_blocks.bury(tx, mailbox, gone.uids.ranges)
    move_counters(tx, mailbox, -gone.counters, modseq)


def _of_each(uids: UidSet, **same: int) -> list[dict[str, int]]:
    return [{**same, "first": first, "last": last} for first, last in uids.ranges]


def expunge_live(tx: SqlTx, owner: AccountId, mailbox: MailboxId, gone: Live) -> None:
    """Expunge live placements of a mailbox of the account, with all that follows."""
    if not gone:
        return
    tx.frees()
    singly = _is_dear(tx, owner, mailbox, gone)
    modseq = tx.touch(owner)
    bury(tx, mailbox, gone, modseq)
    _destroy_unplaced(tx, owner, mailbox, gone, modseq, singly=singly)


def _is_dear(tx: SqlTx, owner: AccountId, mailbox: MailboxId, gone: Live) -> bool:
    """Whether to look where else the messages lie would be to look at a large account."""
    if (gone.counters.messages - gone.alone) * _BESIDE <= _SMALL_ACCOUNT:
        return False
    if not message_blocks.are_scattered(tx, mailbox, gone.uids.ranges):
        return False
    placements: int = _PLACEMENTS.row(tx, account=owner)[0]
    return placements > _SMALL_ACCOUNT


def _destroy_unplaced(
    tx: SqlTx,
    owner: AccountId,
    mailbox: MailboxId,
    gone: Live,
    modseq: ModSeq,
    *,
    singly: bool,
) -> None:
    values = _of_each(gone.uids, account=owner, mailbox=mailbox, modseq=modseq, now=tx.now)
    messages, octets = gone.alone, gone.alone_octets
    if messages:
        _DESTROY_ALONE.run_each(tx, values)
    if gone.counters.messages > gone.alone:
        # A placement that was \\Deleted showed its message to nobody.
        if gone.counters.messages > gone.counters.deleted:
            _GONE.run_each(tx, values, singly=singly)
        sizes = _DESTROY_UNPLACED.rows_each(tx, values, singly=singly)
        messages += len(sizes)
        octets += sum(size for (size,) in sizes)
    if messages:
        _GIVE_BACK.run(tx, account=owner, octets=octets, messages=messages)


def expunge_deleted(tx: SqlTx, mailbox: MailboxId, within: Sequence[int] | None) -> Expunged:
    """Expunge placements flagged \\Deleted, of all at most STEP.  Raises MailboxMissing."""
    found = live_mailbox(tx, mailbox)
    owner = found.account
    if within is None:
        asked = some_deleted(tx, owner, mailbox, STEP)
    else:
        asked = deleted_among(tx, owner, mailbox, within)
    gone = _step(tx, owner, mailbox, asked)
    expunge_live(tx, owner, mailbox, gone)
    modseq = tx.touch(owner) if gone else found.highest_modseq
    return Expunged(gone.uids, found.highest_modseq, modseq, is_part=gone is not asked)


def _step(tx: SqlTx, owner: AccountId, mailbox: MailboxId, asked: Live) -> Live:
    """The first of them, where all would be too dear for one write."""
    if len(asked.uids) <= DEAR_STEP or not _is_dear(tx, owner, mailbox, asked):
        return asked
    return live_among(tx, owner, mailbox, islice(asked.uids, DEAR_STEP))


def expunge_above(tx: SqlTx, owner: AccountId, mailbox: MailboxId, above: int) -> int | None:
    """Expunge what lies above a UID, at most STEP placements; the last UID, or None at the end.

    Going on above it costs nothing for the tombstones below, so that steps stay as short as
    the first.
    """
    asked = some_above(tx, owner, mailbox, above, STEP)
    gone = _step(tx, owner, mailbox, asked)
    expunge_live(tx, owner, mailbox, gone)
    is_end = gone is asked and len(asked.uids) < STEP
    return None if is_end else gone.uids.ranges[-1][1]
