"""Mailbox access keys in rows (RFC 4467 §2.2)."""

from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.access_keys import access_key
from mailbox_server.store.transactions import SqlTx

_OF_MAILBOX: Final = sa.and_(
    access_key.c.account == sa.bindparam("account"),
    access_key.c.mailbox == sa.bindparam("mailbox"),
)
_FIND: Final = Prepared(sa.select(access_key.c.key).where(_OF_MAILBOX))
_REMOVE: Final = Prepared(sa.delete(access_key).where(_OF_MAILBOX))
_INSERT: Final = Prepared(
    sa.insert(access_key).values(
        account=sa.bindparam("account"),
        mailbox=sa.bindparam("mailbox"),
        key=sa.bindparam("octets"),
    )
)
_REMOVE_ALL: Final = Prepared(
    sa.delete(access_key).where(access_key.c.account == sa.bindparam("account"))
)
FORGET_KEYS: Final = Prepared(
    sa.delete(access_key).where(access_key.c.mailbox == sa.bindparam("mailbox"))
)
"""The mailbox is gone, and everybody's keys of it with it."""


class AccessKeys:
    """AccessKeyWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def find(self, account: AccountId, mailbox: MailboxId) -> bytes | None:
        """The key, or None where there is none yet."""
        rows = _FIND.rows(self._tx, account=account, mailbox=mailbox)
        return rows[0][0] if rows else None

    def set(self, account: AccountId, mailbox: MailboxId, key: bytes) -> None:
        """Put a key in place of the one before.  Raises AccountMissing."""
        self._tx.touch(account)
        _REMOVE.run(self._tx, account=account, mailbox=mailbox)
        _INSERT.run(self._tx, account=account, mailbox=mailbox, octets=key)

    def remove_all(self, account: AccountId) -> None:
        """Forget all keys of an account.  Raises AccountMissing."""
        self._tx.frees()
        self._tx.touch(account)
        _REMOVE_ALL.run(self._tx, account=account)
