"""Where messages lie: their live placements, found by blocks of messages and blocks of UIDs.

For each BLOCK_UIDS UIDs that stand together it is written down which blocks of BLOCK_MESSAGES
message ids have live placements there.  Who asks for the placements of a message looks up its
block and reads the placements in the blocks of UIDs found.  Many are asked for at once, so
that what lies in a block is read once for all of them.  Tombstones are found by no message.

Copies stand together as their originals do: one row says of some thirty what thirty entries
of an index would.  Measured in one mailbox of 100,000 (2 cores, a quiet machine), the sixth
round of COPY, MOVE and EXPUNGE of 10,000, then STORE of a keyword over the originals:

                        index on each   of live ones   blocks
    COPY                        23 ms          19 ms    15 ms
    MOVE                        30 ms          30 ms    21 ms
    EXPUNGE                     12 ms          18 ms    13 ms
    STORE                       67 ms          16 ms    11 ms

An index on each grows with the tombstones of all rounds, which stand between its entries:
COPY wrote 257 pages in the first round, 566 in the sixth, 1,220 in the sixteenth, by blocks
123 from the fourth on.  The price is paid by who asks for messages whose neighbors are
scattered over a mailbox: for one 130 µs instead of 20 at the worst; of 50,000 copies that were
made one by one in random order, EXPUNGE of 5,000 takes 62 ms instead of 29.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa

from mailbox_server.store import uid_blocks
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import (
    BLOCK_MESSAGES,
    BLOCK_UIDS,
    message_block,
    placement,
)
from mailbox_server.store.transactions import SqlTx

_size: Final[sa.ColumnClause[int]] = sa.literal_column(str(BLOCK_MESSAGES))
_last: Final[sa.ColumnClause[int]] = sa.literal_column(str(BLOCK_MESSAGES - 1))
_uids: Final[sa.ColumnClause[int]] = sa.literal_column(str(BLOCK_UIDS))
_last_uid: Final[sa.ColumnClause[int]] = sa.literal_column(str(BLOCK_UIDS - 1))
_LIVE: Final = placement.c.expunged_at.is_(None)
_IN_UIDS: Final = (
    placement.c.mailbox == message_block.c.mailbox,
    placement.c.uid.between(message_block.c.first, message_block.c.first + _last_uid),
)
# A select from both with this condition reads the live placements of blocks of messages of
# :account, each once.
LYING: Final = (
    message_block.c.account == sa.bindparam("account"),
    *_IN_UIDS,
    placement.c.message.between(message_block.c.messages, message_block.c.messages + _last),
    _LIVE,
)

_mailbox: Final[sa.BindParameter[int]] = sa.bindparam("mailbox")
_first: Final[sa.BindParameter[int]] = sa.bindparam("first")
_messages: Final[sa.BindParameter[int]] = sa.bindparam("messages")
_account: Final[sa.BindParameter[int]] = sa.bindparam("account")
_NAMES: Final = ("mailbox", "first", "messages", "account")
_held: Final = message_block.alias("held")
_ADD: Final = Prepared(
    sa.insert(message_block).from_select(
        _NAMES,
        sa.select(_mailbox, _first, _messages, _account).where(
            ~sa.exists().where(
                _held.c.mailbox == _mailbox, _held.c.first == _first, _held.c.messages == _messages
            )
        ),
    )
)


_found: Final = (
    sa.select(
        (placement.c.uid - placement.c.uid % _uids).label("first"),
        (placement.c.message - placement.c.message % _size).label("messages"),
    )
    .where(
        placement.c.mailbox == _mailbox,
        placement.c.uid.between(_first, sa.bindparam("last")),
        _LIVE,
    )
    .distinct()
    .subquery("found")
)
_ADD_RUN: Final = Prepared(
    sa.insert(message_block).from_select(
        _NAMES,
        sa.select(_mailbox, _found.c.first, _found.c.messages, _account).where(
            ~sa.exists().where(
                _held.c.mailbox == _mailbox,
                _held.c.first == _found.c.first,
                _held.c.messages == _found.c.messages,
            )
        ),
    )
)
_next: Final = (
    sa.select(placement.c.uid)
    .where(placement.c.mailbox == _mailbox, placement.c.uid > sa.bindparam("after"))
    .order_by(placement.c.uid)
    .limit(sa.bindparam("most"))
    .subquery("some")
)
_REACHED: Final = Prepared(sa.select(sa.func.max(_next.c.uid)))
_OWN: Final = Prepared(
    sa.update(message_block)
    .where(message_block.c.mailbox == _mailbox, message_block.c.account != _account)
    .values(account=_account)
)
_BLOCKS: Final = (
    message_block.c.mailbox == _mailbox,
    message_block.c.first.between(sa.bindparam("low"), sa.bindparam("high")),
)
_CLEAR: Final = Prepared(sa.delete(message_block).where(*_BLOCKS))
_CLEAR_EMPTY: Final = Prepared(
    sa.delete(message_block).where(*_BLOCKS, ~sa.exists().where(*_IN_UIDS, _LIVE))
)
_NOTED: Final = Prepared(sa.select(sa.func.count()).where(*_BLOCKS))
DROP_OF_MAILBOX: Final = Prepared(sa.delete(message_block).where(_BLOCKS[0]))


_FEW_RANGES: Final = 100
_TOGETHER: Final = 8
"""So many of a block of messages stand in a block of UIDs, where they are not scattered."""


def block_of(number: int) -> int:
    """The first id of a message's block."""
    return number - number % BLOCK_MESSAGES


def lying(messages: sa.Select[tuple[int]]) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition for the live placements that stand beside those of these messages.

    messages: of :account.  All of theirs are among them.  What stands together is read once,
    however many of the messages it may hold.
    """
    some = messages.subquery("some")
    blocks = (
        sa.select((some.c[0] - some.c[0] % _size).label("messages")).distinct().subquery("blocks")
    )
    places = (
        sa.select(message_block.c.mailbox, message_block.c.first)
        .where(
            message_block.c.account == sa.bindparam("account"),
            message_block.c.messages == blocks.c.messages,
        )
        .distinct()
        .subquery("places")
    )
    return (
        placement.c.mailbox == places.c.mailbox,
        placement.c.uid.between(places.c.first, places.c.first + _last_uid),
        _LIVE,
    )


def lying_of(number: sa.Column[int]) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition for the live placements of one message of :account."""
    return (
        message_block.c.messages == number - number % _size,
        *LYING,
        placement.c.message == number,
    )


def are_scattered(tx: SqlTx, mailbox: int, ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether the messages in these ranges of UIDs have few of their neighbors beside them.

    Also where the ranges are many: each has neighbors elsewhere.
    """
    blocks = uid_blocks.block_ranges(mailbox, ranges)
    if len(blocks) > _FEW_RANGES:
        return True
    noted: int = sum(count for (count,) in _NOTED.rows_each(tx, blocks))
    return noted * _TOGETHER > sum(last - first + 1 for first, last in ranges)


def placed(tx: SqlTx, account: int, placements: Iterable[tuple[int, int, int]]) -> None:
    """Say where placements were made: mailbox, UID and message of each."""
    found = {
        (mailbox, uid - uid % BLOCK_UIDS, block_of(message)) for mailbox, uid, message in placements
    }
    _ADD.run_each(
        tx,
        [
            {"mailbox": mailbox, "first": first, "messages": messages, "account": account}
            for mailbox, first, messages in sorted(found)
        ],
    )


def placed_run(tx: SqlTx, account: int, mailbox: int, first: int, last: int) -> None:
    """Say where placements lie that were made from first to last."""
    _ADD_RUN.run(tx, account=account, mailbox=mailbox, first=first, last=last)


def mend(tx: SqlTx, account: int, mailbox: int, after: int, most: int) -> int | None:
    """Say of the next placements above a UID where they lie, as it should have been said.

    after: 0 at first; whose they all are is said then.
    The last UID of these, most or less of them; None where there are no more.
    """
    (reached,) = _REACHED.row(tx, mailbox=mailbox, after=after, most=most)
    if reached is None:
        return None
    if not after:
        _OWN.run(tx, mailbox=mailbox, account=account)
    _ADD_RUN.run(tx, account=account, mailbox=mailbox, first=after + 1, last=reached)
    last: int = reached
    return last


def bury(tx: SqlTx, mailbox: int, ranges: uid_blocks.Ranges) -> None:
    """Say that placements in these ranges became tombstones, all that were live there."""
    _CLEAR.run_each(tx, uid_blocks.block_ranges(mailbox, uid_blocks.whole_blocks(ranges)))
    _CLEAR_EMPTY.run_each(tx, uid_blocks.block_ranges(mailbox, ranges))
