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
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.expunges import (
    Row,
    bury,
    counters_of,
    expunge_rows,
    first_live,
    live_rows,
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
from mailbox_server.store.uid_runs import range_values

_SHARE: Final = Prepared(
    sa.update(placement)
    .where(
        placement.c.mailbox == sa.bindparam("mailbox"),
        placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last")),
        placement.c.expunged_at.is_(None),
        placement.c.shared == sa.literal_column("0"),
    )
    .values(shared=sa.literal_column("1"))
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
    rows = live_rows(tx, mailbox, uids)
    if not rows:
        return Copied(goal.uid_validity, (), ())
    if source.account != goal.account:
        return _copy_across(tx, contents, source, rows, goal)
    modseq = tx.touch(goal.account)
    _SHARE.run_each(tx, range_values((row[0] for row in rows), mailbox=mailbox))
    return _place_again(tx, goal, [(*row[:4], 1, row[5]) for row in rows], modseq)


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
    rows = live_rows(tx, mailbox, uids)
    if not rows:
        return Copied(goal.uid_validity, (), ())
    if source.account != goal.account:
        for owner in sorted((source.account, goal.account)):
            tx.touch(owner)
        copied = _copy_across(tx, contents, source, rows, goal)
        expunge_rows(tx, source, rows)
        return copied
    return _move_within(tx, source, rows, goal)


def move_all(tx: SqlTx, source: Mailbox, goal: Mailbox) -> None:
    """Move all that a mailbox holds to another of the account, in one write."""
    while rows := first_live(tx, source.id):
        _move_within(tx, source, rows, goal)


def _move_within(tx: SqlTx, source: Mailbox, rows: Sequence[Row], goal: Mailbox) -> Copied:
    modseq = tx.touch(source.account)
    bury(tx, source.id, rows, modseq)
    gone = counters_of(tx, source.account, rows)
    less = Counters(-gone.messages, -gone.unseen, -gone.deleted, -gone.octets)
    move_counters(tx, source.id, less, modseq)
    return _place_again(tx, goal, rows, modseq)


def _place_again(tx: SqlTx, goal: Mailbox, rows: Sequence[Row], modseq: ModSeq) -> Copied:
    more = counters_of(tx, goal.account, rows)
    admit(tx, goal.id, keys_by_set(names_of(tx, goal.account, {row[2] for row in rows})))
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
            for uid, (_, number, keyword_set, deleted, shared, _) in enumerate(rows, first)
        ],
    )
    return Copied(
        uid_validity, tuple(row[0] for row in rows), tuple(range(first, first + len(rows)))
    )


def _copy_across(
    tx: SqlTx,
    contents: ContentRepository,
    source: Mailbox,
    rows: Sequence[Row],
    goal: Mailbox,
) -> Copied:
    sizes = {row[1]: row[5] for row in rows}
    check_quota(tx, goal.account, sum(sizes.values()), enforce=True)
    modseq = tx.touch(goal.account)
    sets = {
        number: interned(tx, goal.account, spelled(tx, goal.account, names))
        for number, names in names_of(tx, source.account, {row[2] for row in rows}).items()
    }
    made = {number: _duplicate(tx, contents, number, goal, modseq) for number in sizes}
    places = Counter(row[1] for row in rows)
    again = [
        (uid, made[number], sets[keyword_set], deleted, int(places[number] > 1), size)
        for uid, number, keyword_set, deleted, _, size in rows
    ]
    return _place_again(tx, goal, again, modseq)


def _duplicate(
    tx: SqlTx, contents: ContentRepository, number: int, goal: Mailbox, modseq: ModSeq
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
        modseq=modseq,
    )
    return made
