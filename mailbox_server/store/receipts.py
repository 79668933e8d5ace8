"""Receipts in rows: replies that may have been lost on the way to the peer."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import MessageId
from mailbox_server.store.content_files import ContentFiles
from mailbox_server.store.frames import file_octets
from mailbox_server.store.ports import Receipt
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.contents import content
from mailbox_server.store.schema.messages import message, receipt
from mailbox_server.store.transactions import SqlTx

_FINGERPRINT: Final = receipt.c.fingerprint == sa.bindparam("fingerprint")
_AHEAD: Final = 60
"""Seconds by which a receipt may be later than now; beyond, the clock was put back."""
_FIND: Final = Prepared(
    sa.select(receipt.c.at, receipt.c.messages).where(
        _FINGERPRINT, receipt.c.at.between(sa.bindparam("since"), sa.bindparam("until"))
    )
)
_CONTENT: Final = Prepared(
    sa.select(content.c.file, content.c.size, content.c.frames)
    .select_from(message.join(content, content.c.id == message.c.content))
    .where(message.c.id == sa.bindparam("message"))
)
_ADD: Final = Prepared(
    sa.insert(receipt).values(
        fingerprint=sa.bindparam("fingerprint"),
        at=sa.bindparam("at"),
        messages=sa.bindparam("messages"),
    )
)
_DROP: Final = Prepared(sa.delete(receipt).where(_FINGERPRINT))
_FORGET: Final = Prepared(
    sa.delete(receipt).where(
        sa.or_(receipt.c.at < sa.bindparam("before"), receipt.c.at > sa.bindparam("until"))
    )
)


class Receipts:
    """ReceiptWriter on rows."""

    __slots__ = ("_files", "_tx")

    def __init__(self, tx: SqlTx, files: ContentFiles) -> None:
        self._tx = tx
        self._files = files

    def find(self, fingerprint: bytes, since: datetime) -> Receipt | None:
        """The unconfirmed receipt of that transaction, not older than since."""
        row = _FIND.row(
            self._tx,
            fingerprint=fingerprint,
            since=int(since.timestamp()),
            until=self._tx.now + _AHEAD,
        )
        if row is None:
            return None
        at, numbers = row
        messages = tuple(MessageId(number) for number in json.loads(numbers))
        if not all(self._is_there(number) for number in messages):
            return None
        return Receipt(fingerprint, datetime.fromtimestamp(at, UTC), messages)

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
        _FORGET.run(self._tx, before=int(before.timestamp()), until=self._tx.now + _AHEAD)

    def _is_there(self, number: MessageId) -> bool:
        """False where the message's content file is gone or cut; who has a message like
        that must not be told again that it is kept.  A message removed since is no loss."""
        row = _CONTENT.row(self._tx, message=number)
        if row is None or row[0] is None:
            return True
        file, size, frames = row
        return self._files.size(file) == file_octets(size, frames)
