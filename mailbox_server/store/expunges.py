"""Expunge: placements become tombstones, messages without a live placement are destroyed.

A tombstone keeps its row, so that changes_since can tell of it and a session that was not
told yet can still fetch it.  A destroyed message keeps its listing, text and content until
store.forgetting takes them; the account's usage falls at once.

Placements are named by runs of UIDs, each one statement whatever its length: the rows never
come to Python.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store import uid_blocks
from mailbox_server.store.by_message import ByMessage
from mailbox_server.store.mailbox_rows import Counters, live_mailbox, move_counters
from mailbox_server.store.ports import Expunged
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.mailboxes import keyword_set
from mailbox_server.store.schema.messages import message, placement, uid_block
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import runs

STEP: Final = 5_000

_MAILBOX: Final = placement.c.mailbox == sa.bindparam("mailbox")
_LIVE: Final = placement.c.expunged_at.is_(None)
_DELETED: Final = placement.c.deleted == sa.literal_column("1")
_IN_RANGE: Final = placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last"))


class _Uids:
    """The UIDs that a select finds, ascending; where they are one run no row is fetched."""

    def __init__(self, found: sa.Select[tuple[int]]) -> None:
        inner = found.subquery()
        self.listed = Prepared(found)
        self.bounds = Prepared(
            sa.select(sa.func.min(inner.c.uid), sa.func.max(inner.c.uid), sa.func.count())
        )

    def runs(self, tx: SqlTx, **values: Any) -> list[tuple[int, int]]:
        """Them as runs."""
        first, last, count = self.bounds.row(tx, **values)
        if count and count == last - first + 1:
            return [(first, last)]
        return runs(uid for (uid,) in self.listed.rows(tx, **values)) if count else []


_UIDS: Final = sa.select(placement.c.uid).where(_LIVE).order_by(placement.c.uid)
_MOST: Final[sa.BindParameter[int]] = sa.bindparam("most")
_LIVE_UIDS: Final = _Uids(_UIDS.where(_MAILBOX))
_LIVE_IN_RANGE: Final = _Uids(_UIDS.where(_MAILBOX, _IN_RANGE))
_DELETED_IN_RANGE: Final = _Uids(_UIDS.where(_MAILBOX, _IN_RANGE, _DELETED))
_SOME_DELETED: Final = _Uids(
    sa.select(placement.c.uid)
    .where(
        uid_block.c.mailbox == sa.bindparam("mailbox"),
        uid_block.c.deleted == sa.literal_column("1"),
        *uid_blocks.IN_BLOCK,
        _DELETED,
        _LIVE,
    )
    .order_by(uid_block.c.first, placement.c.uid)
    .limit(_MOST)
)
_ABOVE: Final = _Uids(_UIDS.where(_MAILBOX, placement.c.uid > sa.bindparam("above")).limit(_MOST))

_alone: Final = 1 - placement.c.shared
_COUNT: Final = Prepared(
    sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(keyword_set.c.seen), 0),
        sa.func.sum(placement.c.deleted),
        sa.func.sum(message.c.size),
        sa.func.sum(_alone),
        sa.func.sum(_alone * message.c.size),
    )
    .join_from(placement, message, message.c.id == placement.c.message)
    .outerjoin(keyword_set, keyword_set.c.id == placement.c.keyword_set)
    .where(_MAILBOX, _IN_RANGE, _LIVE)
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
_place: Final = placement.alias("place")


def _is_unplaced(number: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    return ~sa.exists().where(_place.c.message == number, _place.c.expunged_at.is_(None))


_DESTROY_ALONE: Final = Prepared(_DESTROY.where(message.c.id.in_(_BURIED_ALONE)))
_DESTROY_UNPLACED: Final = ByMessage(
    _DESTROY.where(message.c.destroyed_at.is_(None)), _BURIED_SHARED, _is_unplaced, message.c.size
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

    def is_unseen(number: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        return ~sa.exists().where(
            _place.c.message == number,
            _place.c.deleted == sa.literal_column("0"),
            _place.c.expunged_at.is_(None),
        )

    update = sa.update(message).where(message.c.gone_at.is_(None))
    return ByMessage(update.values(gone_at=sa.bindparam("modseq")), changed, is_unseen)


_GONE: Final = unseen_messages(_BURIED_SHARED)


@dataclass(slots=True)
class Counted:
    """What placements count in their mailbox, and what those that stand alone hold."""

    counters: Counters
    alone: int = 0
    alone_octets: int = 0


def live_uids(tx: SqlTx, mailbox: MailboxId, uids: Iterable[int]) -> UidSet:
    """Those of ascending UIDs whose placement is live."""
    return _among(tx, _LIVE_IN_RANGE, mailbox, uids)


def live_uids_of_all(tx: SqlTx, mailbox: MailboxId) -> UidSet:
    """The UIDs of all live placements."""
    return UidSet(tuple(_LIVE_UIDS.runs(tx, mailbox=mailbox)))


def _among(tx: SqlTx, wanted: _Uids, mailbox: MailboxId, uids: Iterable[int]) -> UidSet:
    found: list[tuple[int, int]] = []
    for first, last in runs(uids):
        found += wanted.runs(tx, mailbox=mailbox, first=first, last=last)
    return UidSet(tuple(found))


def count_placed(tx: SqlTx, mailbox: MailboxId, uids: UidSet) -> Counted:
    """What live placements count."""
    found = Counted(Counters())
    counters = found.counters
    for first, last in uids.ranges:
        count, seen, deleted, octets, alone, alone_octets = _COUNT.row(
            tx, mailbox=mailbox, first=first, last=last
        )
        counters.messages += count
        counters.unseen += count - seen
        counters.deleted += deleted
        counters.octets += octets
        found.alone += alone
        found.alone_octets += alone_octets
    return found


def bury(tx: SqlTx, mailbox: MailboxId, uids: UidSet, counted: Counters, modseq: ModSeq) -> None:
    """Make tombstones of live placements, which count so much; nothing else moves."""
    _EXPUNGE.run_each(tx, _of_each(uids, mailbox=mailbox, modseq=modseq, now=tx.now))
    uid_blocks.bury(tx, mailbox, uids.ranges, modseq)
    if counted.deleted:
        uid_blocks.unmark_deleted(tx, mailbox, uids.ranges)


def _of_each(uids: UidSet, **same: int) -> list[dict[str, int]]:
    return [{**same, "first": first, "last": last} for first, last in uids.ranges]


def expunge_uids(tx: SqlTx, owner: AccountId, mailbox: MailboxId, uids: UidSet) -> None:
    """Expunge live placements of a mailbox of the account, with all that follows."""
    if not uids:
        return
    tx.frees()
    modseq = tx.touch(owner)
    gone = count_placed(tx, mailbox, uids)
    bury(tx, mailbox, uids, gone.counters, modseq)
    _destroy_unplaced(tx, owner, mailbox, uids, gone, modseq)
    by = gone.counters
    move_counters(tx, mailbox, Counters(-by.messages, -by.unseen, -by.deleted, -by.octets), modseq)


def _destroy_unplaced(
    tx: SqlTx, owner: AccountId, mailbox: MailboxId, uids: UidSet, gone: Counted, modseq: ModSeq
) -> None:
    values = _of_each(uids, mailbox=mailbox, modseq=modseq, now=tx.now)
    messages, octets = gone.alone, gone.alone_octets
    if messages:
        _DESTROY_ALONE.run_each(tx, values)
    if gone.counters.messages > gone.alone:
        sizes = _DESTROY_UNPLACED.rows_each(tx, values)
        messages += len(sizes)
        octets += sum(size for (size,) in sizes)
        # A placement that was \Deleted showed its message to nobody.
        if gone.counters.messages > gone.counters.deleted:
            _GONE.run_each(tx, values)
    if messages:
        _GIVE_BACK.run(tx, account=owner, octets=octets, messages=messages)


def expunge_deleted(tx: SqlTx, mailbox: MailboxId, within: Sequence[int] | None) -> Expunged:
    """Expunge placements flagged \\Deleted, of all at most STEP.  Raises MailboxMissing."""
    found = live_mailbox(tx, mailbox)
    if within is None:
        uids = UidSet(tuple(_SOME_DELETED.runs(tx, mailbox=mailbox, most=STEP)))
    else:
        uids = _among(tx, _DELETED_IN_RANGE, mailbox, within)
    expunge_uids(tx, found.account, mailbox, uids)
    modseq = tx.touch(found.account) if uids else found.highest_modseq
    return Expunged(uids, found.highest_modseq, modseq)


def expunge_above(tx: SqlTx, owner: AccountId, mailbox: MailboxId, above: int) -> int | None:
    """Expunge what lies above a UID, at most STEP placements; the last UID, or None at the end.

    Going on above it costs nothing for the tombstones below, so that steps stay as short as
    the first.
    """
    uids = UidSet(tuple(_ABOVE.runs(tx, mailbox=mailbox, above=above, most=STEP)))
    expunge_uids(tx, owner, mailbox, uids)
    return uids.ranges[-1][1] if len(uids) == STEP else None
