"""Reads from the store what the index is to hold of messages."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.mime.header_fields import LISTED_FIELDS
from mailbox_server.model.errors import ContentDamaged, ContentMissing
from mailbox_server.model.ids import AccountId, ContentId
from mailbox_server.store.by_message import LISTED
from mailbox_server.store.dialect.sqlite import numbers
from mailbox_server.store.ports import ReadTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.accounts import account as owner
from mailbox_server.store.schema.messages import message, message_listing, message_text
from mailbox_server.store.search_index.header_text import (
    INDEXED_FIELDS,
    field_values,
    header_text,
)
from mailbox_server.store.search_index.writing import Arrival, Entry

MESSAGES_A_READ: Final = 50
CHARACTERS_A_READ: Final = 512 * 1024
HEADER_OCTETS: Final = 1024 * 1024


def _texts(*ids: sa.ColumnElement[bool]) -> Prepared:
    return Prepared(
        sa.select(
            message.c.id,
            message.c.account,
            message.c.received,
            message.c.size,
            message.c.content,
            message_listing.c.trace,
            message_listing.c.header_octets,
            message_listing.c.listed,
            message_text.c.header,
            message_text.c.cut,
            message_text.c.body,
        )
        .join_from(message, message_listing, message_listing.c.message == message.c.id)
        .join(message_text, message_text.c.message == message.c.id)
        .where(*ids, message.c.content.is_not(None))
        .order_by(message.c.id)
        .limit(sa.literal_column(str(MESSAGES_A_READ)))
    )


_RANGE: Final = message.c.id.between(sa.bindparam("first"), sa.bindparam("last"))
_AFTER: Final = _texts(_RANGE)
_LISTED: Final = _texts(message.c.id.in_(LISTED))
_ARRIVED: Final = Prepared(
    sa.select(
        message.c.id,
        message.c.account,
        message.c.received,
        message.c.size,
        owner.c.messages,
    )
    .join_from(message, owner, owner.c.id == message.c.account)
    .where(_RANGE, message.c.content.is_not(None))
    .order_by(message.c.id)
    .limit(sa.bindparam("most"))
)
_HELD: Final = Prepared(
    sa.select(owner.c.id, owner.c.messages).where(owner.c.id.in_(numbers("accounts")))
)
_NEWEST: Final = Prepared(sa.select(sa.func.max(message.c.id)))
_PROBED: Final = Prepared(
    sa.select(message.c.received, message.c.size).where(message.c.id == sa.bindparam("message"))
)
_LIVE: Final = Prepared(sa.select(sa.func.count()).where(_RANGE, message.c.content.is_not(None)))


@dataclass(frozen=True, slots=True)
class Raw:
    """What is known of one message; header is None where its content cannot be read."""

    row: Any
    header: bytes | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Messages that come next, the id up to which these are all, and how much text it is."""

    messages: tuple[Raw, ...]
    upto: int
    characters: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """Messages that came next, by ascending ids, and the id up to which these are all.

    held: how many messages their accounts have.
    """

    messages: tuple[Arrival, ...]
    upto: int
    held: dict[AccountId, int]


def newest(tx: ReadTx) -> int:
    """The highest message id; 0 where there is none."""
    assert isinstance(tx, Repositories)
    return _NEWEST.row(tx.sql)[0] or 0


def live(tx: ReadTx, first: int, last: int) -> int:
    """How many messages there are among these ids."""
    assert isinstance(tx, Repositories)
    count: int = _LIVE.row(tx.sql, first=first, last=last)[0]
    return count


def is_known(tx: ReadTx, upto: int, probes: list[tuple[int, int, int]]) -> bool:
    """Whether probes are of this store: some are there, and what is there is the same.

    upto: the highest id that was gone over.  A store that never gave it was put back as it
    was before, and will give later ids to other messages.
    """
    assert isinstance(tx, Repositories)
    if upto > tx.sql.last_number(message.name):
        return False
    found = [
        (row, (received, size))
        for number, received, size in probes
        if (row := _PROBED.row(tx.sql, message=number)) is not None
    ]
    return bool(found) and all(tuple(row) == probe for row, probe in found)


def arrived(tx: ReadTx, after: int, last: int, most: int) -> Arrived:
    """The next messages after an id, so many at most; last is the end of all."""
    assert isinstance(tx, Repositories)
    rows = _ARRIVED.rows(tx.sql, first=after + 1, last=last, most=most)
    found = tuple(
        Arrival(number, AccountId(account), received, size)
        for number, account, received, size, _ in rows
    )
    upto = found[-1].message if len(found) == most else last
    return Arrived(found, upto, {AccountId(row[1]): row[4] for row in rows})


def held(tx: ReadTx, accounts: Sequence[AccountId]) -> dict[AccountId, int]:
    """How many messages accounts have, those that are there."""
    assert isinstance(tx, Repositories)
    rows = _HELD.rows(tx.sql, accounts=json.dumps(accounts))
    return {AccountId(number): messages for number, messages in rows}


def listed(tx: ReadTx, messages: Sequence[int], enough: int = CHARACTERS_A_READ) -> Stretch:
    """Those of the ascending messages that are there; MESSAGES_A_READ are read at most.

    The read ends with the message that brings enough characters.
    """
    assert isinstance(tx, Repositories)
    asked = messages[:MESSAGES_A_READ]
    blocks = _LISTED.blocks(tx.sql, 1, messages=json.dumps(asked))
    return _stretch(tx, blocks, asked[-1], MESSAGES_A_READ, enough)


def gathered(
    tx: ReadTx,
    after: int,
    last: int,
    most: int = MESSAGES_A_READ,
    enough: int = CHARACTERS_A_READ,
) -> Stretch:
    """The next messages after an id, as far as one read should go; last is the end of all.

    The read ends with the message that brings enough characters.
    """
    assert isinstance(tx, Repositories)
    blocks = _AFTER.blocks(tx.sql, 1, first=after + 1, last=last)
    return _stretch(tx, blocks, last, most, enough)


def _stretch(
    tx: Repositories, blocks: Iterator[list[Any]], last: int, most: int, enough: int
) -> Stretch:
    raws: list[Raw] = []
    characters = 0
    for rows in blocks:
        for row in rows:
            raws.append(Raw(row, _header(tx, row)))
            characters += len(row[-1])
        if characters >= enough or len(raws) == most:
            return Stretch(tuple(raws), raws[-1].row[0], characters)
    return Stretch(tuple(raws), last, characters)


def _header(tx: Repositories, row: Any) -> bytes | None:
    content, trace, octets = row[4:7]
    try:
        length = min(octets, HEADER_OCTETS)
        header: bytes = trace + tx.contents.read(ContentId(content), 0, length)
    except (ContentMissing, ContentDamaged):
        return None
    return header


def entry(raw: Raw) -> Entry:
    """What the index is to hold; takes a third of a millisecond, in whatever thread."""
    number, account, received, size, _, _, _, listed, fields_text, cut, body = raw.row
    header = raw.header
    text, has_more = header_text(header or b"", fields_text)
    values: tuple[tuple[str, ...], ...]
    assert LISTED_FIELDS.issuperset(INDEXED_FIELDS)
    source = header if listed is None else listed
    values = tuple(tuple(field_values(source or b"", field)) for field in INDEXED_FIELDS)
    if not _is_storable("\n".join([text, *("\n".join(each) for each in values)])):
        # Surrogates: the index cannot hold them, the scan can.
        text, values, has_more = "", ((),) * len(INDEXED_FIELDS), True
    return Entry(
        number,
        AccountId(account),
        received,
        size,
        body,
        bool(cut),
        text,
        has_more or header is None,
        values,
    )


def _is_storable(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
