"""Expunge: placements become tombstones, messages without a live placement are destroyed.

A tombstone keeps its row, so that changes_since can tell of it and a session that was not
told yet can still fetch it.  A destroyed message keeps its listing, text and content until
store.forgetting takes them; the account's usage falls at once.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.keyword_sets import seen_in
from mailbox_server.store.mailbox_rows import Counters, live_mailbox, move_counters
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.messages import message, placement
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import range_values

STEP: Final = 2_000

_MAILBOX: Final = placement.c.mailbox == sa.bindparam("mailbox")
_LIVE: Final = placement.c.expunged_at.is_(None)
_IN_RANGE: Final = placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last"))

# What a write must know of each placement: see Row.
SELECT_PLACED: Final = (
    sa.select(
        placement.c.uid,
        placement.c.message,
        placement.c.keyword_set,
        placement.c.deleted,
        placement.c.shared,
        message.c.size,
    )
    .join_from(placement, message, message.c.id == placement.c.message)
    .where(_MAILBOX, _LIVE)
    .order_by(placement.c.uid)
)
_IN_RANGES: Final = Prepared(SELECT_PLACED.where(_IN_RANGE))
_ABOVE: Final = Prepared(
    SELECT_PLACED.where(placement.c.uid > sa.bindparam("above")).limit(sa.bindparam("most"))
)
_LIVE_UIDS: Final = sa.select(placement.c.uid).where(_MAILBOX, _LIVE).order_by(placement.c.uid)
_LIVE_UIDS_OF_ALL: Final = Prepared(_LIVE_UIDS)
_LIVE_UIDS_IN_RANGES: Final = Prepared(_LIVE_UIDS.where(_IN_RANGE))
_DELETED_UIDS: Final = Prepared(
    sa.select(placement.c.uid)
    .where(_MAILBOX, placement.c.deleted == sa.literal_column("1"), _LIVE)
    .order_by(placement.c.uid)
    .limit(sa.bindparam("most"))
)
_EXPUNGE: Final = Prepared(
    sa.update(placement)
    .where(_MAILBOX, _IN_RANGE, _LIVE)
    .values(
        updated_at=sa.bindparam("modseq"),
        expunged_at=sa.bindparam("modseq"),
        expunged_on=sa.bindparam("now"),
    )
)
_STILL_PLACED: Final = Prepared(
    sa.select(placement.c.message)
    .where(placement.c.message == sa.bindparam("message"), _LIVE)
    .limit(sa.literal_column("1"))
)
_SEES: Final = (
    sa.exists()
    .where(
        placement.c.message == message.c.id,
        placement.c.deleted == sa.literal_column("0"),
        _LIVE,
    )
    .correlate(message)
)
_GONE: Final = Prepared(
    sa.update(message)
    .where(
        message.c.id.between(sa.bindparam("first"), sa.bindparam("last")),
        message.c.gone_at.is_(None),
        ~_SEES,
    )
    .values(gone_at=sa.bindparam("modseq"))
)
_DESTROY: Final = Prepared(
    sa.update(message)
    .where(message.c.id.between(sa.bindparam("first"), sa.bindparam("last")))
    .values(
        destroyed_at=sa.bindparam("modseq"),
        destroyed_on=sa.bindparam("now"),
        gone_at=sa.func.coalesce(message.c.gone_at, sa.bindparam("modseq")),
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

Row = tuple[int, int, int, int, int, int]
"""A live placement: uid, message, keyword_set, deleted, shared, size."""


def live_rows(tx: SqlTx, mailbox: MailboxId, uids: Iterable[int]) -> list[Row]:
    """The live placements among ascending UIDs, ascending."""
    return _IN_RANGES.rows_each(tx, range_values(uids, mailbox=mailbox))


def live_uids(tx: SqlTx, mailbox: MailboxId, uids: Iterable[int]) -> list[int]:
    """Those of ascending UIDs whose placement is live, ascending."""
    rows = _LIVE_UIDS_IN_RANGES.rows_each(tx, range_values(uids, mailbox=mailbox))
    return [uid for (uid,) in rows]


def live_uids_of_all(tx: SqlTx, mailbox: MailboxId) -> list[int]:
    """The UIDs of all live placements, ascending."""
    return [uid for (uid,) in _LIVE_UIDS_OF_ALL.rows(tx, mailbox=mailbox)]


def counters_of(tx: SqlTx, owner: AccountId, rows: Sequence[Row]) -> Counters:
    """What these placements count in their mailbox."""
    seen = seen_in(tx, owner, {row[2] for row in rows})
    return Counters(
        len(rows),
        sum(row[2] not in seen for row in rows),
        sum(row[3] for row in rows),
        sum(row[5] for row in rows),
    )


def bury(tx: SqlTx, mailbox: MailboxId, uids: Iterable[int], modseq: ModSeq) -> None:
    """Make tombstones of live placements, named by ascending UIDs; nothing else moves."""
    _EXPUNGE.run_each(tx, range_values(uids, mailbox=mailbox, modseq=modseq, now=tx.now))


def expunge_rows(tx: SqlTx, owner: AccountId, mailbox: MailboxId, rows: Sequence[Row]) -> UidSet:
    """Expunge live placements of a mailbox of the account, with all that follows."""
    if not rows:
        return UidSet()
    tx.frees()
    modseq = tx.touch(owner)
    gone = counters_of(tx, owner, rows)
    bury(tx, mailbox, (row[0] for row in rows), modseq)
    _destroy_unplaced(tx, owner, rows, modseq)
    less = Counters(-gone.messages, -gone.unseen, -gone.deleted, -gone.octets)
    move_counters(tx, mailbox, less, modseq)
    return UidSet.of(row[0] for row in rows)


def _destroy_unplaced(tx: SqlTx, owner: AccountId, rows: Sequence[Row], modseq: ModSeq) -> None:
    sizes = {row[1]: row[5] for row in rows if not row[4]}
    shared = {row[1]: row[5] for row in rows if row[4]}
    placed = _STILL_PLACED.rows_each(tx, [{"message": number} for number in shared])
    kept: set[Any] = {number for (number,) in placed}
    mark_gone(tx, kept, modseq)
    sizes.update((number, size) for number, size in shared.items() if number not in kept)
    if not sizes:
        return
    _DESTROY.run_each(tx, range_values(sorted(sizes), modseq=modseq, now=tx.now))
    _GIVE_BACK.run(tx, account=owner, octets=sum(sizes.values()), messages=len(sizes))


def mark_gone(tx: SqlTx, messages: Iterable[int], modseq: ModSeq) -> None:
    """Stamp those of the messages that no placement shows to JMAP any more."""
    _GONE.run_each(tx, range_values(sorted(messages), modseq=modseq))


def expunge_deleted(tx: SqlTx, mailbox: MailboxId, within: Sequence[int] | None) -> UidSet:
    """Expunge placements flagged \\Deleted, at most STEP of them.  Raises MailboxMissing."""
    found = live_mailbox(tx, mailbox)
    if within is None:
        uids = [uid for (uid,) in _DELETED_UIDS.rows(tx, mailbox=mailbox, most=STEP)]
        rows = live_rows(tx, mailbox, uids)
    else:
        rows = [row for row in live_rows(tx, mailbox, within) if row[3]][:STEP]
    return expunge_rows(tx, found.account, mailbox, rows)


def expunge_above(tx: SqlTx, owner: AccountId, mailbox: MailboxId, above: int) -> int | None:
    """Expunge what lies above a UID, at most STEP placements; the last UID, or None at the end.

    Going on above it costs nothing for the tombstones below, so that steps stay as short as
    the first.
    """
    rows: list[Row] = _ABOVE.rows(tx, mailbox=mailbox, above=above, most=STEP)
    expunge_rows(tx, owner, mailbox, rows)
    return rows[-1][0] if len(rows) == STEP else None
