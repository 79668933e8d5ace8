"""What readers have seen in mailboxes of others: \\Seen belongs to the reader (store.md §4.4).

What a reader has seen is kept as runs of UIDs, each with the modseq of the owner at which that
changed; the mailbox's highest modseq rises with it, so that CONDSTORE is as exact for a reader
as for the owner.  The owner's own \\Seen is a keyword of the message, and no reader sees it.

In what readers are given, a keyword set has the number 2n, or 2n + 1 where the reader has seen
the message; names() tells the flags of such a number.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, MailboxId, MessageId, ModSeq
from mailbox_server.model.keywords import SEEN
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.keyword_sets import names_of
from mailbox_server.store.ports import ChangedPlacement, Changes, ViewRows
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import placement
from mailbox_server.store.schema.sharing import seen_run
from mailbox_server.store.transactions import SqlTx

_OF_READER: Final = (
    seen_run.c.mailbox == sa.bindparam("mailbox"),
    seen_run.c.reader == sa.bindparam("reader"),
)
_RUNS: Final = Prepared(
    sa.select(seen_run.c.first, seen_run.c.last, seen_run.c.seen, seen_run.c.modseq)
    .where(
        *_OF_READER,
        seen_run.c.first <= sa.bindparam("until"),
        seen_run.c.last >= sa.bindparam("since"),
    )
    .order_by(seen_run.c.first)
)
_CHANGED_RUNS: Final = Prepared(
    sa.select(seen_run.c.first, seen_run.c.last, seen_run.c.modseq)
    .where(
        *_OF_READER,
        seen_run.c.modseq > sa.bindparam("after"),
        seen_run.c.modseq <= sa.bindparam("upto"),
    )
    .order_by(seen_run.c.modseq)
)
_REMOVE: Final = Prepared(
    sa.delete(seen_run).where(*_OF_READER, seen_run.c.first == sa.bindparam("begin"))
)
_ADD: Final = Prepared(
    sa.insert(seen_run).values(
        mailbox=sa.bindparam("mailbox"),
        reader=sa.bindparam("reader"),
        first=sa.bindparam("begin"),
        last=sa.bindparam("end"),
        seen=sa.bindparam("is_seen"),
        modseq=sa.bindparam("modseq"),
    )
)
_LIVE: Final = placement.c.expunged_at.is_(None)
_IN_RUN: Final = (
    placement.c.mailbox == sa.bindparam("mailbox"),
    placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last")),
    _LIVE,
)
_PLACED: Final = Prepared(
    sa.select(
        placement.c.uid,
        placement.c.message,
        placement.c.keyword_set,
        placement.c.deleted,
        placement.c.updated_at,
        placement.c.created_at,
    ).where(*_IN_RUN)
)
_COUNT_SEEN: Final = Prepared(
    sa.select(sa.func.count())
    .join_from(
        seen_run,
        placement,
        sa.and_(
            placement.c.mailbox == seen_run.c.mailbox,
            placement.c.uid.between(seen_run.c.first, seen_run.c.last),
        ),
    )
    .where(*_OF_READER, seen_run.c.seen == sa.literal_column("1"), _LIVE)
)
_ALL_UIDS: Final = (1, (1 << 32) - 1)


class Run(NamedTuple):
    """UIDs from first to last: whether they are seen, and since which modseq."""

    first: int
    last: int
    seen: int
    modseq: int


def _runs(tx: SqlTx, mailbox: MailboxId, reader: AccountId, since: int, until: int) -> list[Run]:
    """Those that have a UID from since to until, ascending."""
    rows = _RUNS.rows(tx, mailbox=mailbox, reader=reader, since=since, until=until)
    return [Run(*row) for row in rows]


def count_seen(tx: SqlTx, mailbox: MailboxId, reader: AccountId) -> int:
    """How many of the mailbox's messages the reader has seen."""
    (count,) = _COUNT_SEEN.row(tx, mailbox=mailbox, reader=reader)
    return int(count)


def seen_among(tx: SqlTx, mailbox: MailboxId, reader: AccountId, uids: UidSet) -> UidSet:
    """Those of the UIDs that the reader has seen."""
    if not uids:
        return uids
    found = _runs(tx, mailbox, reader, uids.ranges[0][0], uids.ranges[-1][1])
    return UidSet.of_ranges((run.first, run.last) for run in found if run.seen).common(uids)


def changed_among(
    tx: SqlTx, mailbox: MailboxId, reader: AccountId, uids: UidSet, after: int
) -> UidSet:
    """Those of the UIDs that became seen, or ceased to be, after a modseq."""
    if not uids:
        return uids
    found = _runs(tx, mailbox, reader, uids.ranges[0][0], uids.ranges[-1][1])
    newer = ((run.first, run.last) for run in found if run.modseq > after)
    return UidSet.of_ranges(newer).common(uids)


def set_seen(
    tx: SqlTx, mailbox: MailboxId, reader: AccountId, uids: UidSet, modseq: ModSeq, *, seen: bool
) -> None:
    """Say that the reader has seen the UIDs, or not, from modseq on."""
    if not uids:
        return
    there = _runs(tx, mailbox, reader, uids.ranges[0][0], uids.ranges[-1][1])
    fresh = [Run(first, last, int(seen), modseq) for first, last in uids.ranges]
    gone, left = _carved(there, uids.ranges)
    same = {"mailbox": mailbox, "reader": reader}
    _REMOVE.run_each(tx, [{**same, "begin": run.first} for run in gone])
    _ADD.run_each(
        tx,
        [
            {
                **same,
                "begin": run.first,
                "end": run.last,
                "is_seen": run.seen,
                "modseq": run.modseq,
            }
            for run in (*left, *fresh)
        ],
    )


def _carved(there: Sequence[Run], ranges: Sequence[tuple[int, int]]) -> tuple[list[Run], list[Run]]:
    """The runs that the ascending ranges cut into, and what is left of them."""
    gone, left = [], []
    at = 0
    for run in there:
        while at < len(ranges) and ranges[at][1] < run.first:
            at += 1
        begin, place = run.first, at
        while place < len(ranges) and ranges[place][0] <= run.last:
            first, last = ranges[place]
            if begin < first:
                left.append(run._replace(first=begin, last=first - 1))
            begin = last + 1
            place += 1
        if place == at:
            continue
        gone.append(run)
        if begin <= run.last:
            left.append(run._replace(first=begin))
        # The last range may reach into the next run.
        at = place - 1
    return gone, left


# ------------------------------------------------------------ as a reader sees it


def names(tx: SqlTx, owner: AccountId, numbers: Iterable[int]) -> Mapping[int, frozenset[str]]:
    """The flags of keyword sets as readers number them."""
    wanted = set(numbers)
    found = names_of(tx, owner, {number >> 1 for number in wanted})
    return {
        number: (found[number >> 1] - {SEEN}) | ({SEEN} if number & 1 else frozenset())
        for number in wanted
        if number >> 1 in found
    }


def seen_by(tx: SqlTx, reader: AccountId, rows: ViewRows) -> ViewRows:
    """A mailbox's rows as the reader sees them."""
    sets = array("q", (each << 1 for each in rows.keyword_sets))
    modseqs = rows.modseqs[:]
    for run in _runs(tx, rows.mailbox.id, reader, *_ALL_UIDS):
        for place in range(bisect_left(rows.uids, run.first), bisect_right(rows.uids, run.last)):
            sets[place] |= run.seen
            modseqs[place] = max(modseqs[place], run.modseq)
    return replace(rows, keyword_sets=sets, modseqs=modseqs)


def changes_seen_by(
    tx: SqlTx, reader: AccountId, after: ModSeq, changes: Changes, limit: int
) -> Changes:
    """What changed, as the reader sees it: also what the reader has seen since.

    Whole stamps, as in changes: where the reader has seen more than limit messages since, the
    answer ends earlier.
    """
    mailbox, upto = changes.mailbox.id, changes.upto
    fresh: list[tuple[int, int]] = []
    count = 0
    rows = _CHANGED_RUNS.rows(tx, mailbox=mailbox, reader=reader, after=after, upto=upto)
    for first, last, modseq in rows:
        if count >= limit and modseq != rows[len(fresh) - 1][2]:
            upto = ModSeq(rows[len(fresh) - 1][2])
            break
        fresh.append((first, last))
        count += last - first + 1
    found = {each.uid: each for each in changes.changed if each.modseq <= upto}
    where = [{"mailbox": mailbox, "first": first, "last": last} for first, last in fresh]
    for uid, message, keyword_set, deleted, updated_at, created_at in _PLACED.rows_each(tx, where):
        found.setdefault(
            uid,
            ChangedPlacement(
                uid, MessageId(message), keyword_set, deleted != 0, updated_at, created_at
            ),
        )
    changed = tuple(sorted(_sighted(tx, mailbox, reader, found), key=lambda each: each.modseq))
    complete = changes.complete and upto == changes.upto
    return replace(changes, changed=changed, upto=upto, complete=complete)


def numbered_for(
    tx: SqlTx,
    mailbox: MailboxId,
    reader: AccountId,
    rows: Sequence[tuple[object, ...]],
    at: int,
) -> list[tuple[object, ...]]:
    """Rows that begin with their UID, with the number of the keyword set at a place as the
    reader is given it."""
    uids = UidSet.of(int(str(row[0])) for row in rows)
    seen = set(seen_among(tx, mailbox, reader, uids))
    return [(*row[:at], int(str(row[at])) << 1 | (row[0] in seen), *row[at + 1 :]) for row in rows]


def _sighted(
    tx: SqlTx, mailbox: MailboxId, reader: AccountId, found: Mapping[int, ChangedPlacement]
) -> Iterator[ChangedPlacement]:
    uids = sorted(found)
    runs = _runs(tx, mailbox, reader, uids[0], uids[-1]) if uids else []
    firsts = [run.first for run in runs]
    for uid in uids:
        each, place = found[uid], bisect_right(firsts, uid) - 1
        seen, modseq = 0, each.modseq
        if place >= 0 and uid <= runs[place].last:
            seen, modseq = runs[place].seen, max(modseq, runs[place].modseq)
        yield replace(each, keyword_set=each.keyword_set << 1 | seen, modseq=modseq)
