"""Receipts of what accounts sent, and the copies of it that yield, in rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import MailboxId, MessageId, OutboundId
from mailbox_server.store.outbound_rows import LAST_SECOND
from mailbox_server.store.ports import FiledCopy, Receipt
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.columns import OCTETS
from mailbox_server.store.schema.submitted import sent_copy, sent_receipt
from mailbox_server.store.transactions import SqlTx

_SINCE: Final = Prepared(
    sa.select(*sent_receipt.c).where(sent_receipt.c.at >= sa.bindparam("since"))
)
_FIELDS: Final = ("fingerprint", "at", "outbound", "message")
_ADD: Final = Prepared(
    sa.insert(sent_receipt).from_select(
        _FIELDS,
        sa.select(*(sa.bindparam(name, type_=sent_receipt.c[name].type) for name in _FIELDS)).where(
            ~sa.exists().where(
                sent_receipt.c.fingerprint == sa.bindparam("fingerprint", type_=OCTETS)
            )
        ),
    )
)
_FORGET: Final = Prepared(
    sa.delete(sent_receipt).where(sent_receipt.c.fingerprint == sa.bindparam("known"))
)
_FORGET_OLD: Final = Prepared(
    sa.delete(sent_receipt).where(sent_receipt.c.at < sa.bindparam("before"))
)
_DROP: Final = Prepared(sa.delete(sent_receipt))
_COPIES: Final = Prepared(
    sa.select(*sent_copy.c)
    .where(sent_copy.c.until > sa.bindparam("now"))
    .order_by(sent_copy.c.until.desc())
    .limit(sa.bindparam("most"))
)
_ADD_COPY: Final = Prepared(
    sa.insert(sent_copy).values(
        {name: sa.bindparam(name) for name in ("key", "mailbox", "uid", "until")}
    )
)
_KNOWN_COPY: Final = sa.delete(sent_copy).where(sent_copy.c.key == sa.bindparam("known"))
_REPLACE_COPY: Final = Prepared(_KNOWN_COPY)
_REMOVE_COPY: Final = Prepared(
    _KNOWN_COPY.where(
        sent_copy.c.mailbox == sa.bindparam("where"), sent_copy.c.uid == sa.bindparam("number")
    )
)
_FORGET_COPIES: Final = Prepared(
    sa.delete(sent_copy).where(sent_copy.c.until <= sa.bindparam("now"))
)


class SentReceipts:
    """SentReceiptWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def since(self, moment: datetime) -> list[Receipt]:
        """The open receipts from then on."""
        return [
            Receipt(
                fingerprint,
                datetime.fromtimestamp(min(at, LAST_SECOND), UTC),
                () if message is None else (MessageId(message),),
                None if outbound is None else OutboundId(outbound),
            )
            for fingerprint, at, outbound, message in _SINCE.rows(
                self._tx, since=int(moment.timestamp())
            )
        ]

    def is_there(self, receipt: Receipt) -> bool:
        """What was sent may have left since, which keeps the promise."""
        return True

    def add(self, receipt: Receipt) -> None:
        """One more, in place of one with its fingerprint."""
        values = {
            "fingerprint": receipt.fingerprint,
            "at": int(receipt.at.timestamp()),
            "outbound": receipt.outbound,
            "message": receipt.messages[0] if receipt.messages else None,
        }
        if not _ADD.run(self._tx, **values):
            self.forget((receipt.fingerprint,))
            _ADD.run(self._tx, **values)

    def forget(self, fingerprints: Sequence[bytes]) -> None:
        """Their clients have seen the reply, or may not have it any more."""
        for fingerprint in fingerprints:
            _FORGET.run(self._tx, known=fingerprint)

    def forget_old(self, before: datetime) -> int:
        """Remove those of before then, whoever knows of them; how many."""
        return _FORGET_OLD.run(self._tx, before=int(before.timestamp()))

    def settle(self, still_open: Sequence[Receipt]) -> None:
        """Remove all but these."""
        _DROP.run(self._tx)
        for receipt in still_open:
            self.add(receipt)


class SentCopies:
    """SentCopyWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def since(self, now: datetime, most: int) -> list[FiledCopy]:
        """Those that yield still, the newest first."""
        rows = _COPIES.rows(self._tx, now=int(now.timestamp()), most=most)
        return [
            FiledCopy(
                key,
                MailboxId(mailbox),
                uid,
                datetime.fromtimestamp(min(until, LAST_SECOND), UTC),
            )
            for key, mailbox, uid, until in rows
        ]

    def add(self, copy: FiledCopy) -> None:
        """One more, in place of one with its key."""
        _REPLACE_COPY.run(self._tx, known=copy.key)
        _ADD_COPY.run(
            self._tx,
            key=copy.key,
            mailbox=copy.mailbox,
            uid=copy.uid,
            until=int(copy.until.timestamp()),
        )

    def remove(self, copies: Sequence[FiledCopy]) -> None:
        """They yield no more; one that lies elsewhere under the same key does still."""
        for each in copies:
            _REMOVE_COPY.run(self._tx, known=each.key, where=each.mailbox, number=each.uid)

    def forget(self, now: datetime) -> int:
        """Remove those that yield no more by now; how many."""
        return _FORGET_COPIES.run(self._tx, now=int(now.timestamp()))
