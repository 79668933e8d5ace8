"""COPY and MOVE: placing messages that the store holds already in another mailbox.

Within an account the same message is placed again, whatever the target holds of it; keeping
the flags, `\\Deleted` included, as RFC 9051 §6.4.7 asks (flags and dates SHOULD be
preserved).  Into another account, and by one in the mailboxes of another, a new message is
made over the same content; it has those of the flags that the copier may set there.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import ContentId, MailboxId, ModSeq
from mailbox_server.model.keywords import SEEN, FlagKind
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store import message_blocks, uid_blocks
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.expunges import bury, expunge_live
from mailbox_server.store.keyword_sets import (
    admit,
    interned,
    keys_by_set,
    names_of,
    spelled,
)
from mailbox_server.store.live_placements import Live, all_live, keyword_sets_of, live_among
from mailbox_server.store.mailbox_rows import Counters, live_mailbox
from mailbox_server.store.message_inserts import (
    LISTING_COLUMNS,
    check_quota,
    draw_uids,
    insert_message,
    keys_of_listing,
    place,
    take,
)
from mailbox_server.store.ports import Copied, Copier, Expunged
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import (
    message,
    message_listing,
    message_text,
    placement,
)
from mailbox_server.store.seen_runs import seen_among, set_seen
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import range_values

_MAILBOX: Final = placement.c.mailbox == sa.bindparam("mailbox")
_IN_RANGE: Final = placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last"))
_LIVE: Final = placement.c.expunged_at.is_(None)

_SHARE: Final = Prepared(
    sa.update(placement)
    .where(_MAILBOX, _IN_RANGE, _LIVE, placement.c.shared == sa.literal_column("0"))
    .values(shared=sa.literal_column("1"))
)
_PLACE_AGAIN: Final = Prepared(
    sa.insert(placement).from_select(
        (
            "mailbox",
            "uid",
            "message",
            "keyword_set",
            "deleted",
            "shared",
            "size",
            "saved",
            "created_at",
            "updated_at",
        ),
        sa.select(
            sa.bindparam("goal"),
            placement.c.uid + sa.bindparam("further"),
            placement.c.message,
            placement.c.keyword_set,
            placement.c.deleted,
            placement.c.shared,
            placement.c.size,
            sa.bindparam("now"),
            sa.bindparam("modseq"),
            sa.bindparam("modseq"),
        )
        .where(_MAILBOX, _IN_RANGE, _LIVE)
        .order_by(placement.c.uid),
    )
)
# What a copy into another account must know of each placement: see _Row.
_ROWS: Final = Prepared(
    sa.select(
        placement.c.uid,
        placement.c.message,
        placement.c.keyword_set,
        placement.c.deleted,
        placement.c.size,
    )
    .where(_MAILBOX, _LIVE, _IN_RANGE)
    .order_by(placement.c.uid)
)
_ORIGINAL: Final = Prepared(
    sa.select(
        message.c.content,
        message.c.size,
        message.c.received,
        message.c.zone_minutes,
        message.c.sent_day,
        message_text.c.header,
        message_text.c.body,
        message_text.c.cut,
        *(message_listing.c[name] for name in LISTING_COLUMNS),
    )
    .join_from(message, message_listing, message_listing.c.message == message.c.id)
    .join(message_text, message_text.c.message == message.c.id)
    .where(message.c.id == sa.bindparam("message"))
)

_Row = tuple[int, int, int, int, int]
"""A live placement: uid, message, keyword_set, deleted, size."""


def copy_messages(
    tx: SqlTx,
    contents: ContentRepository,
    mailbox: MailboxId,
    uids: Sequence[int],
    target: MailboxId,
    copier: Copier | None,
) -> Copied:
    """Place the messages in target, all or none.  Raises MailboxMissing, OverQuota."""
    source, goal = live_mailbox(tx, mailbox), live_mailbox(tx, target)
    if _is_across(source, goal, copier):
        rows = _ROWS.rows_each(tx, range_values(uids, mailbox=mailbox))
        return _copy_across(tx, contents, source, rows, goal, copier)
    live = live_among(tx, source.account, mailbox, uids)
    if not live:
        return Copied(goal.uid_validity, UidSet(), UidSet())
    modseq = tx.touch(goal.account)
    if live.alone:
        ranges = live.uids.ranges
        _SHARE.run_each(tx, [{"mailbox": mailbox, "first": a, "last": b} for a, b in ranges])
    return _place_again(tx, source, live, goal, modseq)


def move_messages(
    tx: SqlTx,
    contents: ContentRepository,
    mailbox: MailboxId,
    uids: Sequence[int],
    target: MailboxId,
    copier: Copier | None,
) -> Copied:
    """Place the messages in target and expunge them here (RFC 6851 §3.3).

    target may be the mailbox itself: the messages get new UIDs.
    """
    source, goal = live_mailbox(tx, mailbox), live_mailbox(tx, target)
    if not _is_across(source, goal, copier):
        return _move_within(tx, source, live_among(tx, source.account, mailbox, uids), goal)
    rows = _ROWS.rows_each(tx, range_values(uids, mailbox=mailbox))
    if not rows:
        return Copied(goal.uid_validity, UidSet(), UidSet())
    for owner in sorted((source.account, goal.account)):
        tx.touch(owner)
    copied = _copy_across(tx, contents, source, rows, goal, copier)
    expunge_live(
        tx, source.account, mailbox, live_among(tx, source.account, mailbox, copied.sources)
    )
    if source.id == goal.id:
        return copied
    gone = Expunged(copied.sources, source.highest_modseq, tx.touch(source.account))
    return replace(copied, gone=gone)


def _is_across(source: Mailbox, goal: Mailbox, copier: Copier | None) -> bool:
    """Whether new messages are made: what one mailbox shows must not follow the other."""
    strange = copier is not None and copier.account != goal.account
    return strange or source.account != goal.account


def move_all(tx: SqlTx, source: Mailbox, goal: Mailbox) -> None:
    """Move all that a mailbox holds to another of the account, in one write."""
    _move_within(tx, source, all_live(tx, source.account, source.id), goal)


def _move_within(tx: SqlTx, source: Mailbox, live: Live, goal: Mailbox) -> Copied:
    if not live:
        return Copied(goal.uid_validity, UidSet(), UidSet())
    modseq = tx.touch(source.account)
    copied = _place_again(tx, source, live, goal, modseq)
    bury(tx, source.id, live, modseq)
    if source.id == goal.id:
        return copied
    return replace(copied, gone=Expunged(live.uids, source.highest_modseq, modseq))


def _place_again(tx: SqlTx, source: Mailbox, live: Live, goal: Mailbox, modseq: ModSeq) -> Copied:
    """Place live messages of source in goal, where they count the same.

    The rows never come to Python: COPY is one write whatever its size, and the writer's.
    """
    sets = keyword_sets_of(tx, source.id, live)
    admit(tx, goal.id, keys_by_set(names_of(tx, goal.account, sets)))
    _, first, uid_validity = draw_uids(tx, goal.account, goal.id, live.counters, modseq)
    following = first
    values = []
    for begin, end in live.uids.ranges:
        values.append(
            {
                "goal": goal.id,
                "further": following - begin,
                "mailbox": source.id,
                "first": begin,
                "last": end,
                "now": tx.now,
                "modseq": modseq,
            }
        )
        following += end - begin + 1
    _PLACE_AGAIN.run_each(tx, values)
    uid_blocks.placed(tx, goal.id, first, following - 1, modseq)
    message_blocks.placed_run(tx, goal.account, goal.id, first, following - 1)
    targets = UidSet(((first, following - 1),))
    if live.counters.deleted:
        uid_blocks.mark_deleted(tx, goal.id, targets.ranges)
    return Copied(uid_validity, live.uids, targets)


def _copy_across(
    tx: SqlTx,
    contents: ContentRepository,
    source: Mailbox,
    rows: Sequence[_Row],
    goal: Mailbox,
    copier: Copier | None,
) -> Copied:
    if not rows:
        return Copied(goal.uid_validity, UidSet(), UidSet())
    sizes = {row[1]: row[4] for row in rows}
    check_quota(tx, goal.account, sum(sizes.values()), len(sizes), enforce=True)
    modseq = tx.touch(goal.account)
    names = names_of(tx, source.account, {row[2] for row in rows})
    read = _read_by(tx, source, rows, names, copier)
    keywords = {
        number: _keywords_there(names[keyword_set], goal, copier, seen=number in read)
        for _, number, keyword_set, _, _ in rows
    }
    sets = {
        each: interned(tx, goal.account, spelled(tx, goal.account, each))
        for each in set(keywords.values())
    }
    if copier is not None and FlagKind.DELETED not in copier.may_set:
        rows = [(uid, number, keyword_set, 0, size) for uid, number, keyword_set, _, size in rows]
    shown = {row[1] for row in rows if not row[3]}
    made = {
        number: _duplicate(tx, contents, number, goal, modseq, seen=number in shown)
        for number in sizes
    }
    places = Counter(row[1] for row in rows)
    admit(tx, goal.id, keys_by_set(names_of(tx, goal.account, set(sets.values()))))
    more = Counters(
        len(rows),
        sum(SEEN not in keywords[row[1]] for row in rows),
        sum(row[3] for row in rows),
        sum(row[4] for row in rows),
    )
    _, first, uid_validity = draw_uids(tx, goal.account, goal.id, more, modseq)
    place(
        tx,
        goal.account,
        [
            {
                "mailbox": goal.id,
                "uid": uid,
                "message": made[number],
                "keyword_set": sets[keywords[number]],
                "deleted": deleted,
                "shared": int(places[number] > 1),
                "size": size,
                "saved": tx.now,
                "modseq": modseq,
            }
            for uid, (_, number, _, deleted, size) in enumerate(rows, first)
        ],
    )
    if copier is not None and copier.account != goal.account and FlagKind.SEEN in copier.may_set:
        seen = UidSet.of(uid for uid, row in enumerate(rows, first) if row[1] in read)
        set_seen(tx, goal.id, copier.account, seen, modseq, seen=True)
    targets = UidSet(((first, first + len(rows) - 1),))
    return Copied(uid_validity, UidSet.of(row[0] for row in rows), targets)


def _read_by(
    tx: SqlTx,
    source: Mailbox,
    rows: Sequence[_Row],
    names: Mapping[int, frozenset[str]],
    copier: Copier | None,
) -> set[int]:
    """The messages that the copier has seen in source."""
    if copier is None or copier.account == source.account:
        return {row[1] for row in rows if SEEN in names[row[2]]}
    seen = set(seen_among(tx, source.id, copier.account, UidSet.of(row[0] for row in rows)))
    return {row[1] for row in rows if row[0] in seen}


def _keywords_there(
    names: frozenset[str], goal: Mailbox, copier: Copier | None, *, seen: bool
) -> frozenset[str]:
    """The flags of a copy, \\Seen among them where that is the copier's own to have there."""
    kept = names - {SEEN}
    if copier is not None and FlagKind.OTHER not in copier.may_set:
        kept = frozenset()
    is_own = copier is None or copier.account == goal.account
    return kept | {SEEN} if seen and is_own else kept


def _duplicate(
    tx: SqlTx,
    contents: ContentRepository,
    number: int,
    goal: Mailbox,
    modseq: ModSeq,
    *,
    seen: bool,
) -> int:
    content, size, received, zone_minutes, sent_day, header, body, cut, *rest = _ORIGINAL.row(
        tx, message=number
    )
    contents.hold(ContentId(content))
    take(tx, goal.account, size, enforce=False)
    listing = dict(zip(LISTING_COLUMNS, rest, strict=True))
    made, _ = insert_message(
        tx,
        goal.account,
        content=content,
        size=size,
        received=received,
        zone_minutes=zone_minutes,
        sent_day=sent_day,
        keys=keys_of_listing(listing),
        listing=listing,
        header=header,
        body=body,
        cut=bool(cut),
        seen=seen,
        modseq=modseq,
    )
    return made
