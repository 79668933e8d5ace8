"""COPY and MOVE: placing messages that the store holds already in another mailbox.

Within an account the same message is placed again, whatever the target holds of it; keeping
the flags, `\\Deleted` included, as RFC 9051 §6.4.7 asks (flags and dates SHOULD be
preserved).  Into another account a new message is made over the same content.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import ContentId, MailboxId, ModSeq
from mailbox_server.model.keywords import SEEN
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.expunges import (
    Row,
    bury,
    counters_of,
    expunge_rows,
    live_rows,
    live_uids,
    live_uids_of_all,
)
from mailbox_server.store.keyword_sets import (
    admit,
    interned,
    keys_by_set,
    names_of,
    spelled,
)
from mailbox_server.store.mailbox_rows import Counters, live_mailbox, move_counters
from mailbox_server.store.message_inserts import (
    LISTING_COLUMNS,
    check_quota,
    draw_uids,
    insert_message,
    keys_of_listing,
    place,
    take,
)
from mailbox_server.store.ports import Copied
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import (
    message,
    message_listing,
    message_text,
    placement,
)
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import range_values, runs

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
            sa.bindparam("now"),
            sa.bindparam("modseq"),
            sa.bindparam("modseq"),
        )
        .where(_MAILBOX, _IN_RANGE, _LIVE)
        .order_by(placement.c.uid),
    )
)
_COUNT: Final = Prepared(
    sa.select(
        placement.c.keyword_set,
        placement.c.deleted,
        sa.func.count(),
        sa.func.sum(message.c.size),
    )
    .join_from(placement, message, message.c.id == placement.c.message)
    .where(_MAILBOX, _IN_RANGE, _LIVE)
    .group_by(placement.c.keyword_set, placement.c.deleted)
)
_ORIGINAL: Final = Prepared(
    sa.select(
        message.c.content,
        message.c.size,
        message.c.received,
        message.c.zone_minutes,
        message_text.c.header,
        message_text.c.body,
        message_text.c.cut,
        *(message_listing.c[name] for name in LISTING_COLUMNS),
    )
    .join_from(message, message_listing, message_listing.c.message == message.c.id)
    .join(message_text, message_text.c.message == message.c.id)
    .where(message.c.id == sa.bindparam("message"))
)


def copy_messages(
    tx: SqlTx,
    contents: ContentRepository,
    mailbox: MailboxId,
    uids: Sequence[int],
    target: MailboxId,
) -> Copied:
    """Place the messages in target, all or none.  Raises MailboxMissing, OverQuota."""
    source, goal = live_mailbox(tx, mailbox), live_mailbox(tx, target)
    if source.account != goal.account:
        rows = live_rows(tx, mailbox, uids)
        return _copy_across(tx, contents, source, rows, goal)
    live = live_uids(tx, mailbox, uids)
    if not live:
        return Copied(goal.uid_validity, (), ())
    modseq = tx.touch(goal.account)
    _SHARE.run_each(tx, range_values(live, mailbox=mailbox))
    copied, _ = _place_again(tx, source, live, goal, modseq)
    return copied


def move_messages(
    tx: SqlTx,
    contents: ContentRepository,
    mailbox: MailboxId,
    uids: Sequence[int],
    target: MailboxId,
) -> Copied:
    """Place the messages in target and expunge them here (RFC 6851 §3.3).

    target may be the mailbox itself: the messages get new UIDs.
    """
    source, goal = live_mailbox(tx, mailbox), live_mailbox(tx, target)
    if source.account == goal.account:
        return _move_within(tx, source, live_uids(tx, mailbox, uids), goal)
    rows = live_rows(tx, mailbox, uids)
    if rows:
        for owner in sorted((source.account, goal.account)):
            tx.touch(owner)
    copied = _copy_across(tx, contents, source, rows, goal)
    expunge_rows(tx, source.account, mailbox, rows)
    return copied


def move_all(tx: SqlTx, source: Mailbox, goal: Mailbox) -> None:
    """Move all that a mailbox holds to another of the account, in one write."""
    _move_within(tx, source, live_uids_of_all(tx, source.id), goal)


def _move_within(tx: SqlTx, source: Mailbox, uids: Sequence[int], goal: Mailbox) -> Copied:
    if not uids:
        return Copied(goal.uid_validity, (), ())
    modseq = tx.touch(source.account)
    copied, moved = _place_again(tx, source, uids, goal, modseq)
    bury(tx, source.id, uids, modseq)
    less = Counters(-moved.messages, -moved.unseen, -moved.deleted, -moved.octets)
    move_counters(tx, source.id, less, modseq)
    return copied


def _place_again(
    tx: SqlTx, source: Mailbox, uids: Sequence[int], goal: Mailbox, modseq: ModSeq
) -> tuple[Copied, Counters]:
    """Place live messages of source, by ascending UIDs, in goal; what they count there.

    The rows never come to Python: COPY is one write whatever its size, and the writer's.
    """
    count = len(uids)
    _, first, uid_validity = draw_uids(tx, goal.account, goal.id, Counters(count), modseq)
    following = first
    values = []
    for begin, end in runs(uids):
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
    groups = _COUNT.rows(tx, mailbox=goal.id, first=first, last=following - 1)
    names = names_of(tx, goal.account, {group[0] for group in groups})
    admit(tx, goal.id, keys_by_set(names))
    seen = {number for number, flags in names.items() if SEEN in flags}
    unseen = sum(group[2] for group in groups if group[0] not in seen)
    deleted = sum(group[2] for group in groups if group[1])
    octets = sum(group[3] for group in groups)
    move_counters(tx, goal.id, Counters(0, unseen, deleted, octets), modseq)
    targets = tuple(range(first, following))
    return Copied(uid_validity, tuple(uids), targets), Counters(count, unseen, deleted, octets)


def _copy_across(
    tx: SqlTx,
    contents: ContentRepository,
    source: Mailbox,
    rows: Sequence[Row],
    goal: Mailbox,
) -> Copied:
    if not rows:
        return Copied(goal.uid_validity, (), ())
    sizes = {row[1]: row[5] for row in rows}
    check_quota(tx, goal.account, sum(sizes.values()), enforce=True)
    modseq = tx.touch(goal.account)
    sets = {
        number: interned(tx, goal.account, spelled(tx, goal.account, names))
        for number, names in names_of(tx, source.account, {row[2] for row in rows}).items()
    }
    seen = {row[1] for row in rows if not row[3]}
    made = {
        number: _duplicate(tx, contents, number, goal, modseq, seen=number in seen)
        for number in sizes
    }
    places = Counter(row[1] for row in rows)
    again: list[Row] = [
        (uid, made[number], sets[keyword_set], deleted, int(places[number] > 1), size)
        for uid, number, keyword_set, deleted, _, size in rows
    ]
    more = counters_of(tx, goal.account, again)
    admit(tx, goal.id, keys_by_set(names_of(tx, goal.account, {row[2] for row in again})))
    _, first, uid_validity = draw_uids(tx, goal.account, goal.id, more, modseq)
    place(
        tx,
        [
            {
                "mailbox": goal.id,
                "uid": uid,
                "message": number,
                "keyword_set": keyword_set,
                "deleted": deleted,
                "shared": shared,
                "saved": tx.now,
                "modseq": modseq,
            }
            for uid, (_, number, keyword_set, deleted, shared, _) in enumerate(again, first)
        ],
    )
    return Copied(
        uid_validity, tuple(row[0] for row in rows), tuple(range(first, first + len(rows)))
    )


def _duplicate(
    tx: SqlTx,
    contents: ContentRepository,
    number: int,
    goal: Mailbox,
    modseq: ModSeq,
    *,
    seen: bool,
) -> int:
    content, size, received, zone_minutes, header, body, cut, *rest = _ORIGINAL.row(
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
        keys=keys_of_listing(listing),
        listing=listing,
        header=header,
        body=body,
        cut=bool(cut),
        seen=seen,
        modseq=modseq,
    )
    return made
