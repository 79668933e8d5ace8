"""Receipts: which transactions brought messages whose reply may have been lost.

A fingerprint lies in the passport of each message that the transaction made.  A server
that stops in order leaves those that are still open in rows of their own, with the number
of the last message it speaks for; after a crash all young ones count.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import MessageId
from mailbox_server.store.content_files import ContentFiles
from mailbox_server.store.frames import file_octets
from mailbox_server.store.ports import Receipt
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.contents import content
from mailbox_server.store.schema.messages import message, passport, receipt, receipt_floor
from mailbox_server.store.transactions import SqlTx

_BLOCK: Final = 500
_MOST: Final = 1_000_000
"""Messages that are looked at for receipts, newest first."""

_LEFT: Final = Prepared(
    sa.select(receipt.c.fingerprint, receipt.c.at, receipt.c.messages).where(
        receipt.c.at >= sa.bindparam("since")
    )
)
_FLOOR: Final = Prepared(sa.select(sa.func.max(receipt_floor.c.message)))
_LAST: Final = Prepared(sa.select(sa.func.max(message.c.id)))
_NEWEST: Final = Prepared(
    sa.select(message.c.id, message.c.received, passport.c.fingerprint)
    .outerjoin_from(message, passport, passport.c.message == message.c.id)
    .where(message.c.id > sa.bindparam("floor"))
    .order_by(message.c.id.desc())
    .limit(sa.bindparam("beyond"))
)
_CONTENT: Final = Prepared(
    sa.select(content.c.file, content.c.size, content.c.frames)
    .select_from(message.join(content, content.c.id == message.c.content))
    .where(message.c.id == sa.bindparam("message"))
)
_DROP: Final = Prepared(sa.delete(receipt))
_DROP_FLOOR: Final = Prepared(sa.delete(receipt_floor))
_ADD: Final = Prepared(
    sa.insert(receipt).values(
        fingerprint=sa.bindparam("fingerprint"),
        at=sa.bindparam("at"),
        messages=sa.bindparam("messages"),
    )
)
_ADD_FLOOR: Final = Prepared(sa.insert(receipt_floor).values(message=sa.bindparam("message")))


class Receipts:
    """ReceiptWriter on rows."""

    __slots__ = ("_files", "_tx")

    def __init__(self, tx: SqlTx, files: ContentFiles) -> None:
        self._tx = tx
        self._files = files

    def since(self, moment: datetime) -> list[Receipt]:
        """The open receipts from then on, each fingerprint once, its newest messages."""
        since = int(moment.timestamp())
        found: dict[bytes, tuple[int, list[int]]] = {}
        for number, at, fingerprint in self._young(since):
            # Messages of one transaction have one arrival; another second is another one.
            first, numbers = found.setdefault(fingerprint, (at, []))
            if at == first:
                numbers.insert(0, number)
        for fingerprint, at, numbers in _LEFT.rows(self._tx, since=since):
            found.setdefault(fingerprint, (at, json.loads(numbers)))
        return [
            Receipt(
                fingerprint,
                datetime.fromtimestamp(at, UTC),
                tuple(MessageId(number) for number in numbers),
            )
            for fingerprint, (at, numbers) in found.items()
        ]

    def is_there(self, receipt: Receipt) -> bool:
        """Whether the content of each of its messages that were not removed is there whole."""
        for number in receipt.messages:
            row = _CONTENT.row(self._tx, message=number)
            if row is None or row[0] is None:
                continue
            file, size, frames = row
            if self._files.size(file) != file_octets(size, frames):
                return False
        return True

    def settle(self, still_open: Sequence[Receipt]) -> None:
        """Close all receipts up to now but these."""
        _DROP.run(self._tx)
        for each in still_open:
            _ADD.run(
                self._tx,
                fingerprint=each.fingerprint,
                at=int(each.at.timestamp()),
                messages=json.dumps(each.messages, separators=(",", ":")),
            )
        _DROP_FLOOR.run(self._tx)
        _ADD_FLOOR.run(self._tx, message=_LAST.row(self._tx)[0] or 0)

    def _young(self, since: int) -> Iterator[tuple[int, int, bytes]]:
        """(message, second, fingerprint) of those above the floor, newest first."""
        (floor,) = _FLOOR.row(self._tx)
        for block in _NEWEST.blocks(self._tx, _BLOCK, floor=floor or 0, beyond=_MOST):
            for number, at, fingerprint in block:
                if fingerprint is not None:
                    if at < since:
                        return
                    yield number, at, fingerprint
