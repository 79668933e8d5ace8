"""Receipts in rows: replies that may have been lost on the way to the peer."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import MessageId
from mailbox_server.store.ports import Receipt
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import receipt
from mailbox_server.store.transactions import SqlTx

_FINGERPRINT: Final = receipt.c.fingerprint == sa.bindparam("fingerprint")
_FIND: Final = Prepared(
    sa.select(receipt.c.at, receipt.c.messages).where(
        _FINGERPRINT, receipt.c.at >= sa.bindparam("since")
    )
)
_ADD: Final = Prepared(
    sa.insert(receipt).values(
        fingerprint=sa.bindparam("fingerprint"),
        at=sa.bindparam("at"),
        messages=sa.bindparam("messages"),
    )
)
_DROP: Final = Prepared(sa.delete(receipt).where(_FINGERPRINT))
_FORGET: Final = Prepared(sa.delete(receipt).where(receipt.c.at < sa.bindparam("before")))


class Receipts:
    """ReceiptWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def find(self, fingerprint: bytes, since: datetime) -> Receipt | None:
        """The unconfirmed receipt of that transaction, not older than since."""
        row = _FIND.row(self._tx, fingerprint=fingerprint, since=int(since.timestamp()))
        if row is None:
            return None
        at, messages = row
        return Receipt(
            fingerprint,
            datetime.fromtimestamp(at, UTC),
            tuple(MessageId(number) for number in json.loads(messages)),
        )

    def add(self, receipt: Receipt) -> None:
        """Remember a transaction; replaces an older one of that fingerprint."""
        _DROP.run(self._tx, fingerprint=receipt.fingerprint)
        _ADD.run(
            self._tx,
            fingerprint=receipt.fingerprint,
            at=int(receipt.at.timestamp()),
            messages=json.dumps(receipt.messages, separators=(",", ":")),
        )

    def confirm(self, fingerprints: Sequence[bytes]) -> None:
        """The peers saw these replies; forget the receipts."""
        _DROP.run_each(self._tx, [{"fingerprint": each} for each in fingerprints])

    def forget(self, before: datetime) -> None:
        """Drop receipts older than that."""
        _FORGET.run(self._tx, before=int(before.timestamp()))
