"""Live placements that a write is about to change: which they are, and what they count.

They are asked for by ranges of UIDs, and the rows never come to Python: one pass over each
range tells what most writes need, another one only what the first left open.  A run of live
UIDs has no tombstone in it, so that a statement over it needs no list.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.uid_set import UidSet, runs
from mailbox_server.store import uid_blocks
from mailbox_server.store.keyword_sets import seen_in
from mailbox_server.store.mailbox_rows import Counters
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.mailboxes import keyword_set
from mailbox_server.store.schema.messages import placement, uid_block
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import range_values

_MAILBOX: Final = placement.c.mailbox == sa.bindparam("mailbox")
_IN_RANGE: Final = placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last"))
_LIVE: Final = placement.c.expunged_at.is_(None)
_DELETED: Final = placement.c.deleted == sa.literal_column("1")
_MOST: Final[sa.BindParameter[int]] = sa.bindparam("most")


class _Found:
    """The placements that a select finds, by ascending UID, and the statements about them."""

    def __init__(self, found: sa.Select[Any]) -> None:
        each = found.subquery("each")
        alone = 1 - each.c.shared
        self.uids = Prepared(sa.select(each.c.uid).order_by(each.c.uid))
        self.totals = Prepared(
            sa.select(
                sa.func.count(),
                sa.func.min(each.c.uid),
                sa.func.max(each.c.uid),
                sa.func.min(each.c.keyword_set),
                sa.func.max(each.c.keyword_set),
                sa.func.sum(each.c.deleted),
                sa.func.sum(each.c.size),
                sa.func.sum(alone),
                sa.func.sum(alone * each.c.size),
            ).select_from(each)
        )
        self.seen = Prepared(
            sa.select(sa.func.coalesce(sa.func.sum(keyword_set.c.seen), 0)).join_from(
                each, keyword_set, keyword_set.c.id == each.c.keyword_set
            )
        )
        self.all = (self.uids, self.totals, self.seen)

    def runs(self, tx: SqlTx, total: "_Total", values: Any) -> list[tuple[int, int]]:
        """Them as runs; where they are one no row is fetched."""
        if not total.placements:
            return []
        if total.placements == total.last - total.first + 1:
            return [(total.first, total.last)]
        return runs(uid for (uid,) in self.uids.rows(tx, **values))


_EACH: Final = (
    sa.select(
        placement.c.uid,
        placement.c.keyword_set,
        placement.c.deleted,
        placement.c.shared,
        placement.c.size,
    )
    .where(_LIVE)
    .order_by(placement.c.uid)
)
_ALL: Final = _Found(_EACH.where(_MAILBOX))
_RANGE: Final = _Found(_EACH.where(_MAILBOX, _IN_RANGE))
_DELETED_IN_RANGE: Final = _Found(_EACH.where(_MAILBOX, _IN_RANGE, _DELETED))
_SOME_DELETED: Final = _Found(
    _EACH.where(
        uid_block.c.mailbox == sa.bindparam("mailbox"),
        uid_block.c.deleted == sa.literal_column("1"),
        *uid_blocks.IN_BLOCK,
        _DELETED,
    )
    .order_by(None)
    .order_by(uid_block.c.first, placement.c.uid)
    .limit(_MOST)
)
_ABOVE: Final = _Found(_EACH.where(_MAILBOX, placement.c.uid > sa.bindparam("above")).limit(_MOST))
_KEYWORD_SETS: Final = Prepared(
    sa.select(placement.c.keyword_set).where(_MAILBOX, _IN_RANGE, _LIVE).distinct()
)


@dataclass(frozen=True, slots=True)
class Live:
    """Live placements of one mailbox.

    counters: what they count there.  alone, alone_octets: of those whose message never had
    another placement.  keyword_sets: that stand on them, or None where it was not asked.
    """

    uids: UidSet = field(default_factory=UidSet)
    counters: Counters = field(default_factory=Counters)
    alone: int = 0
    alone_octets: int = 0
    keyword_sets: frozenset[int] | None = None

    def __bool__(self) -> bool:
        return bool(self.uids)


class _Total(NamedTuple):
    """A row of _Found.totals; there may be one for each of many thousand ranges."""

    placements: int
    first: int
    last: int
    lowest_set: int
    highest_set: int
    deleted: int
    octets: int
    alone: int
    alone_octets: int


def live_among(tx: SqlTx, owner: AccountId, mailbox: MailboxId, uids: Iterable[int]) -> Live:
    """Those of ascending UIDs whose placement is live."""
    return _found(tx, _RANGE, owner, range_values(uids, mailbox=int(mailbox)))


def deleted_among(tx: SqlTx, owner: AccountId, mailbox: MailboxId, uids: Iterable[int]) -> Live:
    """Those of ascending UIDs whose live placement is \\Deleted."""
    return _found(tx, _DELETED_IN_RANGE, owner, range_values(uids, mailbox=int(mailbox)))


def all_live(tx: SqlTx, owner: AccountId, mailbox: MailboxId) -> Live:
    """All of a mailbox."""
    return _found(tx, _ALL, owner, [{"mailbox": mailbox}])


def some_deleted(tx: SqlTx, owner: AccountId, mailbox: MailboxId, most: int) -> Live:
    """Those that are \\Deleted with the lowest UIDs, at most so many."""
    return _found(tx, _SOME_DELETED, owner, [{"mailbox": mailbox, "most": most}])


def some_above(tx: SqlTx, owner: AccountId, mailbox: MailboxId, above: int, most: int) -> Live:
    """Those with the lowest UIDs above one, at most so many."""
    return _found(tx, _ABOVE, owner, [{"mailbox": mailbox, "above": above, "most": most}])


def keyword_sets_of(tx: SqlTx, mailbox: MailboxId, live: Live) -> frozenset[int]:
    """The keyword sets that stand on them."""
    if live.keyword_sets is not None:
        return live.keyword_sets
    values = [{"mailbox": mailbox, "first": a, "last": b} for a, b in live.uids.ranges]
    return frozenset(number for (number,) in _KEYWORD_SETS.rows_each(tx, values))


def _found(
    tx: SqlTx, wanted: _Found, owner: AccountId, values: Sequence[Mapping[str, int]]
) -> Live:
    """Of each of the values that wanted is asked with."""
    counted = map(_Total._make, wanted.totals.rows_each(tx, values))
    pairs = [(total, each) for total, each in zip(counted, values, strict=True) if total.placements]
    if not pairs:
        return Live()
    totals = [total for total, _ in pairs]
    count = sum(each.placements for each in totals)
    are_known = all(_has_one_set(each) for each in totals)
    return Live(
        UidSet(tuple(run for total, each in pairs for run in wanted.runs(tx, total, each))),
        Counters(
            count,
            count - _seen(tx, wanted, owner, pairs),
            sum(each.deleted for each in totals),
            sum(each.octets for each in totals),
        ),
        sum(each.alone for each in totals),
        sum(each.alone_octets for each in totals),
        frozenset(each.lowest_set for each in totals) if are_known else None,
    )


def _seen(
    tx: SqlTx,
    wanted: _Found,
    owner: AccountId,
    pairs: Sequence[tuple[_Total, Mapping[str, int]]],
) -> int:
    """How many are \\Seen."""
    whole = seen_in(tx, owner, {each.lowest_set for each, _ in pairs if _has_one_set(each)})
    seen = 0
    for total, values in pairs:
        if not _has_one_set(total):
            seen += wanted.seen.row(tx, **values)[0]
        elif total.lowest_set in whole:
            seen += total.placements
    return seen


def _has_one_set(total: _Total) -> bool:
    return total.lowest_set == total.highest_set
