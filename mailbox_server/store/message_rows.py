"""Fetching stored columns of placements, joining only the tables that are asked for."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, ContentId, MailboxId, MessageId, ThreadId
from mailbox_server.model.message import InternalDate
from mailbox_server.store import message_blocks
from mailbox_server.store.by_message import lists
from mailbox_server.store.dialect.sqlite import numbers
from mailbox_server.store.ports import Column, MessageFacts
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.contents import content
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.schema.messages import (
    message,
    message_block,
    message_listing,
    placement,
)
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import range_values

_COLUMNS: Final[Mapping[Column, sa.Column[Any]]] = {
    Column.MESSAGE: placement.c.message,
    Column.KEYWORD_SET: placement.c.keyword_set,
    Column.DELETED: placement.c.deleted,
    Column.CHANGED: placement.c.updated_at,
    Column.SAVED: placement.c.saved,
    Column.THREAD: message.c.thread,
    Column.CONTENT: message.c.content,
    Column.SIZE: message.c.size,
    Column.ENDS_LINE: content.c.ends_line,
    Column.RECEIVED: message.c.received,
    Column.ZONE: message.c.zone_minutes,
    Column.SENT_DAY: message.c.sent_day,
    Column.DATED: message_listing.c.dated,
    Column.TRACE: message_listing.c.trace,
    Column.SENT: message_listing.c.sent,
    Column.HEADER_OCTETS: message_listing.c.header_octets,
    Column.PARTS: message_listing.c.parts,
    Column.ENVELOPE: message_listing.c.envelope,
    Column.BODY: message_listing.c.body,
    Column.BODY_STRUCTURE: message_listing.c.body_structure,
    Column.LISTED: message_listing.c.listed,
    Column.LISTED_REST: message_listing.c.listed_rest,
    Column.LISTED_ORDER: message_listing.c.listed_order,
    Column.PREVIEW: message_listing.c.preview,
    Column.SUBJECT_BASE: message_listing.c.subject_base,
}
_IN_LISTING: Final[Mapping[Column, sa.Column[Any]]] = {Column.SIZE: message_listing.c.size}
"""What a row of the listing has too: where that is read anyway, the message's is not."""

_ABOUT: Final = Prepared(
    sa.select(
        message.c.account,
        message.c.thread,
        message.c.content,
        message_listing.c.trace,
        message.c.size,
        message.c.received,
        message.c.zone_minutes,
        message_listing.c.listed,
    )
    .join_from(message, message_listing, message_listing.c.message == message.c.id)
    .join(account, account.c.id == message.c.account)
    .where(
        message.c.id == sa.bindparam("message"),
        message.c.content.is_not(None),
        account.c.key.is_not(None),
    )
)
_PLACES: Final = Prepared(
    sa.select(placement.c.mailbox, placement.c.uid)
    .join_from(message_block, mailbox, mailbox.c.id == message_block.c.mailbox)
    .where(
        message_block.c.messages == sa.bindparam("block"),
        *message_blocks.LYING,
        placement.c.message == sa.bindparam("message"),
        mailbox.c.destroyed_at.is_(None),
    )
    .order_by(placement.c.mailbox, placement.c.uid)
)


_FEW_RANGES: Final = 2
"""So many are asked for one by one, and more where they are long; others by lists of UIDs."""
_SHORT: Final = 4
_RANGE: Final = placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last"))
_LISTED: Final = placement.c.uid.in_(numbers("uids"))


@lru_cache(maxsize=256)
def _select(columns: tuple[Column, ...], which: sa.ColumnElement[bool] = _RANGE) -> Prepared:
    chosen = [_COLUMNS[column] for column in columns]
    if any(column.table is message_listing for column in chosen):
        chosen = [_IN_LISTING.get(column, _COLUMNS[column]) for column in columns]
    joined: sa.FromClause = placement
    tables = {column.table for column in chosen}
    if message in tables or content in tables:
        joined = joined.join(message, message.c.id == placement.c.message)
    if message_listing in tables:
        joined = joined.join(message_listing, message_listing.c.message == placement.c.message)
    if content in tables:
        joined = joined.join(content, content.c.id == message.c.content)
    conditions = [
        placement.c.mailbox == sa.bindparam("mailbox"),
        which,
    ]
    if Column.CONTENT in columns:
        conditions.append(message.c.content.is_not(None))
    return Prepared(
        sa.select(placement.c.uid, *chosen)
        .select_from(joined)
        .where(*conditions)
        .order_by(placement.c.uid)
    )


def message_rows(
    tx: SqlTx, mailbox: MailboxId, uids: Sequence[int], columns: Sequence[Column]
) -> list[tuple[object, ...]]:
    """(uid, *columns) of the placements named, live or not, as long as they are remembered."""
    ranges = range_values(uids, mailbox=mailbox)
    if len(ranges) > _FEW_RANGES and len(ranges) * _SHORT > len(uids):
        asked = _select(tuple(columns), _LISTED)
        return asked.rows_each(tx, [{"mailbox": mailbox, "uids": each} for each in lists(uids)])
    return _select(tuple(columns)).rows_each(tx, ranges)


def about(tx: SqlTx, number: MessageId) -> MessageFacts | None:
    """One message of any account; None when it is forgotten."""
    row = _ABOUT.row(tx, message=number)
    if row is None:
        return None
    account, thread, content, trace, size, received, zone_minutes, listed = row
    block = message_blocks.block_of(number)
    places = _PLACES.rows(tx, account=account, block=block, message=number)
    return MessageFacts(
        AccountId(account),
        ThreadId(thread),
        ContentId(content),
        trace,
        size,
        InternalDate(received, zone_minutes),
        listed,
        tuple((MailboxId(place), uid) for place, uid in places),
    )
