"""Annotations in rows (RFC 5464)."""

from typing import Final

import sqlalchemy as sa

from mailbox_server.model.annotation import (
    ENTRIES_MOST,
    OCTETS_AN_ACCOUNT,
    VALUE_OCTETS,
    ChangedEntry,
)
from mailbox_server.model.errors import AnnotationTooLarge, TooManyAnnotations
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.annotations import annotation
from mailbox_server.store.transactions import SqlTx

REMOVED_MOST: Final = 200
"""Removed entries of a mailbox that are still told of; the oldest are forgotten beyond it."""

_SERVER: Final = 0
_OF_MAILBOX: Final = sa.and_(
    annotation.c.account == sa.bindparam("account"),
    annotation.c.mailbox == sa.bindparam("mailbox"),
)
_ALL: Final = Prepared(
    sa.select(annotation.c.entry, annotation.c.value)
    .where(_OF_MAILBOX, annotation.c.value.is_not(None))
    .order_by(annotation.c.entry)
)
_SIZES: Final = Prepared(
    sa.select(annotation.c.entry, sa.func.length(annotation.c.value))
    .where(_OF_MAILBOX, annotation.c.value.is_not(None))
    .order_by(annotation.c.entry)
)
_VALUE: Final = Prepared(
    sa.select(annotation.c.value).where(_OF_MAILBOX, annotation.c.entry == sa.bindparam("name"))
)
_COUNT: Final = Prepared(
    sa.select(
        sa.func.count(annotation.c.value),
        sa.func.count() - sa.func.count(annotation.c.value),
    ).where(_OF_MAILBOX)
)
_UPDATE: Final = Prepared(
    sa.update(annotation)
    .where(_OF_MAILBOX, annotation.c.entry == sa.bindparam("name"))
    .values(value=sa.bindparam("octets"), updated_at=sa.bindparam("modseq"))
)
_INSERT: Final = Prepared(
    sa.insert(annotation).values(
        account=sa.bindparam("account"),
        mailbox=sa.bindparam("mailbox"),
        entry=sa.bindparam("name"),
        value=sa.bindparam("octets"),
        updated_at=sa.bindparam("modseq"),
    )
)
_OLDEST_REMOVED: Final = Prepared(
    sa.delete(annotation).where(
        annotation.c.id.in_(
            sa.select(annotation.c.id)
            .where(_OF_MAILBOX, annotation.c.value.is_(None))
            .order_by(annotation.c.updated_at)
            .limit(sa.bindparam("most"))
        )
    )
)
_CHANGED: Final = Prepared(
    sa.select(annotation.c.mailbox, annotation.c.entry, annotation.c.updated_at)
    .where(
        annotation.c.account == sa.bindparam("account"),
        annotation.c.updated_at > sa.bindparam("after"),
    )
    .order_by(annotation.c.updated_at, annotation.c.id)
)
_OCTETS: Final = Prepared(
    sa.select(
        sa.func.coalesce(
            sa.func.sum(
                sa.func.length(annotation.c.entry)
                + sa.func.coalesce(sa.func.length(annotation.c.value), 0)
            ),
            0,
        )
    ).where(annotation.c.account == sa.bindparam("account"))
)
_FORGET: Final = Prepared(
    sa.delete(annotation).where(annotation.c.mailbox == sa.bindparam("mailbox"))
)
_COPY: Final = Prepared(
    sa.insert(annotation).from_select(
        ("account", "mailbox", "entry", "value", "updated_at"),
        sa.select(
            annotation.c.account,
            sa.bindparam("target"),
            annotation.c.entry,
            annotation.c.value,
            sa.bindparam("modseq"),
        ).where(_OF_MAILBOX, annotation.c.value.is_not(None)),
    )
)


class Annotations:
    """AnnotationWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def all(self, account: AccountId, mailbox: MailboxId | None) -> dict[str, bytes]:
        """Entries by name; mailbox None for those of the server."""
        return dict(_ALL.rows(self._tx, account=account, mailbox=mailbox or _SERVER))

    def sizes(self, account: AccountId, mailbox: MailboxId | None) -> dict[str, int]:
        """How many octets each entry's value has."""
        return dict(_SIZES.rows(self._tx, account=account, mailbox=mailbox or _SERVER))

    def value(self, account: AccountId, mailbox: MailboxId | None, entry: str) -> bytes | None:
        """The value of one entry, or None."""
        where = {"account": account, "mailbox": mailbox or _SERVER}
        row = _VALUE.row(self._tx, **where, name=entry)
        return None if row is None else row[0]

    def changed(self, account: AccountId, after: ModSeq) -> list[tuple[ModSeq, ChangedEntry]]:
        """What was set or removed since, oldest first, each once, with its modseq."""
        return [
            (ModSeq(at), ChangedEntry(MailboxId(mailbox) if mailbox else None, entry))
            for mailbox, entry, at in _CHANGED.rows(self._tx, account=account, after=after)
        ]

    def set(
        self, account: AccountId, mailbox: MailboxId | None, entry: str, value: bytes | None
    ) -> ModSeq:
        """Set an entry, or remove it with None; the modseq of the write.

        Raises AnnotationTooLarge, TooManyAnnotations.
        """
        if value is not None and len(value) > VALUE_OCTETS:
            raise AnnotationTooLarge("the value is too large")
        tx = self._tx
        modseq = tx.touch(account)
        where = {"account": account, "mailbox": mailbox or _SERVER}
        values = {**where, "name": entry, "octets": value, "modseq": modseq}
        if not _UPDATE.run(tx, **values) and value is not None:
            _INSERT.run(tx, **values)
        live, removed = _COUNT.row(tx, **where)
        if live > ENTRIES_MOST:
            raise TooManyAnnotations("the mailbox holds as many annotations as it may")
        if value is not None and _OCTETS.row(tx, account=account)[0] > OCTETS_AN_ACCOUNT:
            raise TooManyAnnotations("the account holds as many annotations as it may")
        if removed > REMOVED_MOST:
            _OLDEST_REMOVED.run(tx, **where, most=removed - REMOVED_MOST)
        return modseq


def forget_annotations(tx: SqlTx, mailbox: MailboxId) -> None:
    """The mailbox is deleted, and what anybody has written on it with it."""
    _FORGET.run(tx, mailbox=mailbox)


def copy_annotations(tx: SqlTx, account: AccountId, mailbox: MailboxId, target: MailboxId) -> None:
    """What the account has written on a mailbox is written on another one too.

    Raises TooManyAnnotations where the account would hold more than it may.
    """
    modseq = tx.touch(account)
    _COPY.run(tx, account=account, mailbox=mailbox, target=target, modseq=modseq)
    if _OCTETS.row(tx, account=account)[0] > OCTETS_AN_ACCOUNT:
        raise TooManyAnnotations("the account holds as many annotations as it may")
