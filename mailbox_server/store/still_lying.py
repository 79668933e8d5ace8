"""Destroyed messages that still lie somewhere, found by asking the placements themselves.

That a message is destroyed is concluded from marks and blocks (placement.shared,
store.message_blocks) that a bug or a flipped bit may have spoiled.  Before anything of it is
taken for good, all placements of its account are looked at, none of which needs to be found.

The look goes on from read to read, and misses none.  A UID is given once and ascending, in the
write that makes its placement, and no tombstone comes to life again: what is live up to a UID
was live when the placements up to there were looked at.  What was made since lies above; the
write that takes looks at that itself.  Messages are placed when they are new and as copies of
a live placement, so that one that was destroyed as the look began, and lay nowhere, lies
nowhere ever after.

A look at 400,000 placements takes 0.35 s in all (2 cores), 8 ms a read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.schema.messages import message, placement
from mailbox_server.store.transactions import SqlTx

_A_MAILBOX: Final = 20
"""What asking of one more mailbox costs, in placements."""

_MODSEQ: Final = Prepared(
    sa.select(account.c.modseq).where(account.c.id == sa.bindparam("account"))
)
MAILBOXES: Final = Prepared(
    sa.select(mailbox.c.id, mailbox.c.uid_next)
    .where(mailbox.c.account == sa.bindparam("account"))
    .order_by(mailbox.c.id)
)
"""All of :account, deleted ones too."""
_some: Final = (
    sa.select(placement.c.uid, placement.c.message, placement.c.expunged_at)
    .where(
        placement.c.mailbox == sa.bindparam("mailbox"),
        placement.c.uid > sa.bindparam("after"),
    )
    .order_by(placement.c.uid)
    .limit(sa.bindparam("most"))
    .subquery("some")
)
# No message is looked up for a tombstone.
_lying: Final = sa.and_(
    message.c.id == sa.case((_some.c.expunged_at.is_(None), _some.c.message)),
    message.c.destroyed_at.is_not(None),
    message.c.content.is_not(None),
)
_COUNT: Final = Prepared(
    sa.select(sa.func.max(_some.c.uid), sa.func.count(), sa.func.count(message.c.id)).select_from(
        _some.outerjoin(message, _lying)
    )
)
_FOUND: Final = Prepared(
    sa.select(_some.c.uid, _some.c.message).select_from(_some.join(message, _lying))
)


@dataclass(frozen=True, slots=True)
class Look:
    """How far the placements of an account were looked at.

    modseq: the account's as the look began; of what was destroyed later it says nothing.
    upto: by mailbox, the UID up to which all was looked at; none was of those left out.
    is_complete: whether that was all when it was looked at last.
    found: mailbox, UID and message of live placements of destroyed messages, since the look
        was without any.
    """

    account: AccountId
    modseq: int
    upto: Mapping[int, int] = field(default_factory=dict)
    is_complete: bool = False
    found: tuple[tuple[int, int, int], ...] = ()


def begun(tx: SqlTx, owner: AccountId) -> Look:
    """Begin a look at all placements of an account."""
    return Look(owner, _MODSEQ.row(tx, account=owner)[0])


def further(tx: SqlTx, look: Look, most: int) -> Look:
    """Look at most so many placements more; at none behind the first where some were found."""
    upto = dict(look.upto)
    found: list[tuple[int, int, int]] = []
    for number, uid_next in MAILBOXES.rows(tx, account=look.account):
        while upto.get(number, 0) < uid_next - 1:
            if most <= 0 or found:
                return Look(look.account, look.modseq, upto, found=tuple(found))
            asked = {"mailbox": number, "after": upto.get(number, 0), "most": most}
            last, placements, lying = _COUNT.row(tx, **asked)
            if lying:
                found = [(number, uid, lies) for uid, lies in _FOUND.rows(tx, **asked)]
            upto[number] = last if placements == most else uid_next - 1
            most -= placements + _A_MAILBOX
    return Look(look.account, look.modseq, upto, is_complete=True, found=tuple(found))
