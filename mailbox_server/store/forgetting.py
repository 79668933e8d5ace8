"""Forgetting what was expunged: tombstones, passports, and rows that are told of no more.

The octets of destroyed messages are given up by store.destroyed_messages.  The row of a message
goes with the last of its octets, its passport and the modseq of its expunge: once the account
has forgotten that, nobody may ask what became of the message, and the tombstones it may still
have in other mailboxes tell of their UIDs alone.  Housekeeping calls each in writes of its own,
again and again until it returns 0.
"""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from mailbox_server.store import uid_blocks
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.schema.messages import (
    message,
    passport,
    placement,
    uid_block,
)
from mailbox_server.store.schema.trail import trail
from mailbox_server.store.transactions import SqlTx

STEP: Final = 1_000
TOMBSTONES_A_MAILBOX: Final = 100_000

_NUMBER: Final[sa.BindParameter[int]] = sa.bindparam("message")

_TOMBSTONE: Final = (
    sa.select(placement.c.mailbox, placement.c.uid, placement.c.message, placement.c.expunged_at)
    .where(
        *uid_blocks.IN_BLOCK,
        uid_block.c.expunged_on.is_not(None),
        placement.c.expunged_on.is_not(None),
    )
    .limit(sa.bindparam("most"))
)
_OLD_TOMBSTONES: Final = Prepared(
    _TOMBSTONE.where(
        uid_block.c.expunged_on < sa.bindparam("before"),
        placement.c.expunged_on < sa.bindparam("before"),
    )
)
_CROWDED: Final = Prepared(
    sa.select(uid_block.c.mailbox, sa.func.count())
    .where(
        *uid_blocks.IN_BLOCK,
        uid_block.c.expunged_on.is_not(None),
        placement.c.expunged_on.is_not(None),
    )
    .group_by(uid_block.c.mailbox)
    .having(sa.func.count() > sa.bindparam("most"))
    .limit(sa.literal_column("1"))
)
_OLDEST_TOMBSTONES: Final = Prepared(
    _TOMBSTONE.where(uid_block.c.mailbox == sa.bindparam("mailbox")).order_by(
        placement.c.updated_at
    )
)
_BURIED: Final = Prepared(
    sa.delete(placement).where(
        placement.c.mailbox == sa.bindparam("mailbox"), placement.c.uid == sa.bindparam("uid")
    )
)
_RAISE_FLOOR: Final = Prepared(
    sa.update(mailbox)
    .where(
        mailbox.c.id == sa.bindparam("mailbox"),
        mailbox.c.forgotten_at < sa.bindparam("modseq"),
    )
    .values(forgotten_at=sa.bindparam("modseq"))
)
_RAISE_FLOOR_OF_ACCOUNT: Final = Prepared(
    sa.update(account)
    .where(
        account.c.id
        == sa.select(mailbox.c.account)
        .where(mailbox.c.id == sa.bindparam("mailbox"))
        .scalar_subquery(),
        account.c.forgotten_at < sa.bindparam("modseq"),
    )
    .values(forgotten_at=sa.bindparam("modseq"))
)
_UNTOLD: Final = Prepared(
    sa.select(message.c.id)
    .join_from(message, account, account.c.id == message.c.account)
    .where(
        message.c.id == _NUMBER,
        message.c.content.is_(None),
        message.c.destroyed_at <= account.c.forgotten_at,
        ~sa.exists().where(passport.c.message == message.c.id),
    )
)
_WITH_PASSPORT: Final = Prepared(
    sa.select(message.c.id)
    .where(
        message.c.destroyed_on < sa.bindparam("before"),
        message.c.destroyed_on.is_not(None),
        message.c.content.is_(None),
        sa.exists().where(passport.c.message == message.c.id),
    )
    .order_by(message.c.destroyed_on)
    .limit(sa.bindparam("most"))
)
_FORGET_PASSPORT: Final = tuple(
    Prepared(statement)
    for statement in (
        sa.delete(trail).where(trail.c.message == _NUMBER),
        sa.delete(passport).where(passport.c.message == _NUMBER),
    )
)
_REMOVE: Final = tuple(
    Prepared(statement)
    for statement in (
        sa.delete(trail).where(trail.c.message == _NUMBER),
        sa.delete(message).where(message.c.id == _NUMBER),
    )
)


def forget_tombstones(tx: SqlTx, before: int) -> int:
    """Remove tombstones from before that second, and those beyond 100,000 in a mailbox.

    Raises the floor of their mailboxes and accounts, so that changes_since answers
    StateTooOld to who asks from below it.  At most STEP tombstones; how many.
    """
    tx.frees()
    rows = _OLD_TOMBSTONES.rows(tx, before=before, most=STEP)
    if not rows:
        crowded = _CROWDED.row(tx, most=TOMBSTONES_A_MAILBOX)
        if crowded is None:
            return 0
        number, count = crowded
        most = min(STEP, count - TOMBSTONES_A_MAILBOX)
        rows = _OLDEST_TOMBSTONES.rows(tx, mailbox=number, most=most)
    _BURIED.run_each(tx, [{"mailbox": row[0], "uid": row[1]} for row in rows])
    uid_blocks.forget(tx, [row[:2] for row in rows])
    floors: dict[int, int] = {}
    for number, _, _, expunged_at in rows:
        floors[number] = max(floors.get(number, 0), expunged_at)
    for number, modseq in floors.items():
        _RAISE_FLOOR.run(tx, mailbox=number, modseq=modseq)
        raise_floor_of_account(tx, number, modseq)
    remove_untold(tx, sorted({row[2] for row in rows}))
    return len(rows)


def forget_passports(tx: SqlTx, before: int) -> int:
    """Remove the passports of messages that were destroyed before that second.

    At most STEP; how many.
    """
    tx.frees()
    numbers = [number for (number,) in _WITH_PASSPORT.rows(tx, before=before, most=STEP)]
    for forget in _FORGET_PASSPORT:
        forget.run_each(tx, [{"message": number} for number in numbers])
    remove_untold(tx, numbers)
    return len(numbers)


def raise_floor_of_account(tx: SqlTx, number: int, modseq: int) -> None:
    """Say that of a mailbox's account changes up to modseq may be forgotten from now on."""
    _RAISE_FLOOR_OF_ACCOUNT.run(tx, mailbox=number, modseq=modseq)


def remove_untold(tx: SqlTx, messages: Sequence[int]) -> None:
    """Remove the rows of those messages that neither changes nor passports tell of."""
    for (number,) in _UNTOLD.rows_each(tx, [{"message": each} for each in messages]):
        for remove in _REMOVE:
            remove.run(tx, message=number)
