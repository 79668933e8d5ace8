"""Putting message and placement rows in place, with the counts that go with them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.mime.internal_date import date_time
from mailbox_server.model.errors import AccountMissing, MailboxMissing, OverQuota
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import INBOX
from mailbox_server.model.message import InternalDate
from mailbox_server.store import message_blocks, uid_blocks
from mailbox_server.store.mailbox_rows import Counters
from mailbox_server.store.prepared import Parameters, Prepared
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.schema.messages import (
    message,
    message_listing,
    message_text,
    placement,
)
from mailbox_server.store.threads import keys_from, link, linked
from mailbox_server.store.transactions import SqlTx


def _insert(table: sa.Table, *names: str) -> sa.Insert:
    return sa.insert(table).values({name: sa.bindparam(name) for name in names})


_QUOTA: Final = Prepared(
    sa.select(
        account.c.quota_octets, account.c.octets, account.c.quota_messages, account.c.messages
    ).where(account.c.id == sa.bindparam("account"), account.c.key.is_not(None))
)
_TAKE: Final = Prepared(
    sa.update(account)
    .where(account.c.id == sa.bindparam("account"), account.c.key.is_not(None))
    .values(
        modseq=account.c.modseq + sa.bindparam("step"),
        octets=account.c.octets + sa.bindparam("octets"),
        messages=account.c.messages + sa.literal_column("1"),
    )
    .returning(
        account.c.modseq,
        account.c.quota_octets,
        account.c.octets,
        account.c.quota_messages,
        account.c.messages,
    )
)
_MESSAGE: Final = Prepared(
    _insert(
        message,
        "id",
        "account",
        "thread",
        "content",
        "size",
        "received",
        "zone_minutes",
        "created_at",
        "gone_at",
        "sent_day",
    )
)
_OF_MESSAGE: Final = ("message", "size", "dated")
LISTING_COLUMNS: Final = tuple(
    column.name for column in message_listing.c if column.name not in _OF_MESSAGE
)
_LISTING: Final = Prepared(_insert(message_listing, *_OF_MESSAGE, *LISTING_COLUMNS))
_TEXT: Final = Prepared(_insert(message_text, "message", "header", "cut", "body"))
_DRAW: Final = (
    sa.update(mailbox)
    .where(mailbox.c.account == sa.bindparam("account"), mailbox.c.destroyed_at.is_(None))
    .values(
        uid_next=mailbox.c.uid_next + sa.bindparam("messages"),
        messages=mailbox.c.messages + sa.bindparam("messages"),
        unseen=mailbox.c.unseen + sa.bindparam("unseen"),
        deleted=mailbox.c.deleted + sa.bindparam("deleted"),
        octets=mailbox.c.octets + sa.bindparam("octets"),
        highest_modseq=sa.bindparam("modseq"),
        counts_at=sa.bindparam("modseq"),
    )
    .returning(mailbox.c.id, mailbox.c.uid_next, mailbox.c.uid_validity)
)
_DRAW_UIDS: Final = Prepared(_DRAW.where(mailbox.c.id == sa.bindparam("mailbox")))
_DRAW_UIDS_OF_INBOX: Final = Prepared(_DRAW.where(mailbox.c.name == sa.bindparam("mailbox")))
_PLACE: Final = Prepared(
    _insert(
        placement,
        "mailbox",
        "uid",
        "message",
        "keyword_set",
        "deleted",
        "shared",
        "size",
        "saved",
    ).values(created_at=sa.bindparam("modseq"), updated_at=sa.bindparam("modseq"))
)


def check_quota(tx: SqlTx, owner: AccountId, octets: int, messages: int, *, enforce: bool) -> None:
    """Raises AccountMissing, and OverQuota where enforce is set and it would be passed."""
    row = _QUOTA.row(tx, account=owner)
    if row is None:
        raise AccountMissing("there is no such account")
    quota, held, quota_messages, count = row
    passes = (quota and held + octets > quota) or (
        quota_messages and count + messages > quota_messages
    )
    if enforce and passes:
        raise OverQuota("the account would hold more than its quota")


def take(tx: SqlTx, owner: AccountId, octets: int, *, enforce: bool) -> ModSeq:
    """Count one message more for the account; the modseq of this write there.

    Raises AccountMissing, and OverQuota where enforce is set and the quota is passed: the
    write must end then.
    """
    step = 0 if tx.has_touched(owner) else 1
    row = _TAKE.row(tx, account=owner, step=step, octets=octets)
    if row is None:
        raise AccountMissing("there is no such account")
    modseq, quota, held, most, count = row
    if enforce and ((quota and held > quota) or (most and count > most)):
        raise OverQuota("the account would hold more than its quota")
    tx.has_taken(owner, ModSeq(modseq))
    return ModSeq(modseq)


def insert_message(
    tx: SqlTx,
    owner: AccountId,
    *,
    content: int,
    size: int,
    received: int,
    zone_minutes: int,
    sent_day: int | None,
    keys: Sequence[int],
    listing: Mapping[str, Any],
    header: str,
    body: str,
    cut: bool,
    seen: bool,
    modseq: ModSeq,
) -> tuple[int, int]:
    """Insert a message that take has counted; (message, thread).

    seen: whether it gets a placement that is not \\Deleted.
    keys: the way to its thread (store.threads), as listing holds them in octets.
    """
    links = linked(tx, owner, keys)
    number = tx.draw("message")
    thread = min(links.values()) if links else number
    _MESSAGE.run(
        tx,
        id=number,
        account=owner,
        thread=thread,
        content=content,
        size=size,
        received=received,
        zone_minutes=zone_minutes,
        created_at=modseq,
        gone_at=None if seen else modseq,
        sent_day=sent_day,
    )
    dated = date_time(InternalDate(received, zone_minutes))
    _LISTING.run(tx, message=number, size=size, dated=dated, **listing)
    _TEXT.run(tx, message=number, header=header, cut=int(cut), body=body)
    link(tx, owner, [key for key in keys if key not in links], thread)
    return number, thread


def keys_of_listing(listing: Mapping[str, Any]) -> tuple[int, ...]:
    """The way to the thread, from a listing row."""
    return keys_from(listing["thread_keys"])


def draw_uids(
    tx: SqlTx, owner: AccountId, target: MailboxId | None, more: Counters, modseq: ModSeq
) -> tuple[MailboxId, int, int]:
    """Give more.messages UIDs and count their placements; (mailbox, first UID, UIDVALIDITY).

    target None is the account's INBOX.  Raises MailboxMissing, also for a mailbox of
    another account.
    """
    draw = _DRAW_UIDS_OF_INBOX if target is None else _DRAW_UIDS
    row = draw.row(
        tx,
        mailbox=INBOX if target is None else target,
        account=owner,
        messages=more.messages,
        unseen=more.unseen,
        deleted=more.deleted,
        octets=more.octets,
        modseq=modseq,
    )
    if row is None:
        raise MailboxMissing("there is no such mailbox")
    number, following, uid_validity = row
    return MailboxId(number), following - more.messages, uid_validity


def place(tx: SqlTx, owner: AccountId, placements: Sequence[Parameters]) -> None:
    """Insert placements in mailboxes of the account.

    Each has mailbox, uid, message, keyword_set, deleted, shared, size, saved and modseq.
    """
    _PLACE.run_each(tx, placements)
    message_blocks.placed(
        tx, owner, ((each["mailbox"], each["uid"], each["message"]) for each in placements)
    )
    for each in placements:
        mailbox_number, uid = each["mailbox"], each["uid"]
        uid_blocks.placed(tx, mailbox_number, uid, uid, each["modseq"])
        if each["deleted"]:
            uid_blocks.mark_deleted(tx, mailbox_number, [(uid, uid)])
