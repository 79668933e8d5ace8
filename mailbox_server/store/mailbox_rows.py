"""One mailbox as a row: finding it, and the counters that writes move along with it."""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.errors import MailboxMissing
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import Mailbox, Role
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.mailboxes import mailbox, subscription
from mailbox_server.store.transactions import SqlTx

SELECT_MAILBOX: Final = (
    sa.select(
        mailbox.c.id,
        mailbox.c.account,
        mailbox.c.name,
        mailbox.c.role,
        mailbox.c.uid_validity,
        mailbox.c.uid_next,
        mailbox.c.highest_modseq,
        subscription.c.name,
    )
    .join_from(
        mailbox,
        subscription,
        sa.and_(subscription.c.account == mailbox.c.account, subscription.c.name == mailbox.c.name),
        isouter=True,
    )
    .where(mailbox.c.destroyed_at.is_(None))
)
_GET: Final = Prepared(SELECT_MAILBOX.where(mailbox.c.id == sa.bindparam("mailbox")))
_STAMP: Final = Prepared(
    sa.update(mailbox)
    .where(mailbox.c.id == sa.bindparam("mailbox"))
    .values(highest_modseq=sa.bindparam("modseq"))
)
_MOVE_COUNTERS: Final = Prepared(
    sa.update(mailbox)
    .where(mailbox.c.id == sa.bindparam("mailbox"))
    .values(
        messages=mailbox.c.messages + sa.bindparam("messages"),
        unseen=mailbox.c.unseen + sa.bindparam("unseen"),
        deleted=mailbox.c.deleted + sa.bindparam("deleted"),
        octets=mailbox.c.octets + sa.bindparam("octets"),
        highest_modseq=sa.bindparam("modseq"),
        counts_at=sa.bindparam("modseq"),
    )
)


@dataclass(slots=True)
class Counters:
    """How many live placements a write adds to a mailbox or, below zero, takes from it."""

    messages: int = 0
    unseen: int = 0
    deleted: int = 0
    octets: int = 0

    def __neg__(self) -> "Counters":
        return Counters(-self.messages, -self.unseen, -self.deleted, -self.octets)


def mailbox_of(row: Any) -> Mailbox:
    """A row of SELECT_MAILBOX as a value."""
    number, account, name, role, uid_validity, uid_next, highest_modseq, subscribed = row
    return Mailbox(
        MailboxId(number),
        AccountId(account),
        name,
        None if role is None else Role(role),
        uid_validity,
        uid_next,
        ModSeq(highest_modseq),
        subscribed is not None,
    )


def find_mailbox(tx: SqlTx, number: MailboxId) -> Mailbox | None:
    """The mailbox of that id, or None when it was deleted."""
    row = _GET.row(tx, mailbox=number)
    return None if row is None else mailbox_of(row)


def live_mailbox(tx: SqlTx, number: MailboxId) -> Mailbox:
    """The mailbox of that id.  Raises MailboxMissing."""
    found = find_mailbox(tx, number)
    if found is None:
        raise MailboxMissing("there is no such mailbox")
    return found


def move_counters(tx: SqlTx, number: MailboxId, by: Counters, modseq: ModSeq) -> None:
    """Change a mailbox's counters; also where what goes and what comes cancel out."""
    _MOVE_COUNTERS.run(
        tx,
        mailbox=number,
        messages=by.messages,
        unseen=by.unseen,
        deleted=by.deleted,
        octets=by.octets,
        modseq=modseq,
    )


def stamp_shown(tx: SqlTx, number: MailboxId, modseq: ModSeq) -> None:
    """Say that something that IMAP shows changed in a mailbox, nothing of what it counts."""
    _STAMP.run(tx, mailbox=number, modseq=modseq)
