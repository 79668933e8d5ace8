"""To whom accounts have written, and how much they sent of late, in rows."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId
from mailbox_server.store.dialect.sqlite import members
from mailbox_server.store.ports import SPAN, Sending
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.sending import correspondent, sending
from mailbox_server.store.transactions import SqlTx

_ACCOUNT: Final[sa.BindParameter[int]] = sa.bindparam("number")
_KNOWN: Final = Prepared(
    sa.select(correspondent.c.address).where(
        correspondent.c.account == _ACCOUNT, correspondent.c.address.in_(members("keys"))
    )
)
_KNOWN_ONE: Final = Prepared(
    sa.select(correspondent.c.address).where(
        correspondent.c.account == _ACCOUNT, correspondent.c.address == sa.bindparam("key")
    )
)
_ONE_BY_ONE: Final = 4
_REMEMBER: Final = Prepared(
    sa.insert(correspondent).values(
        account=_ACCOUNT, address=sa.bindparam("key"), first=sa.bindparam("at")
    )
)
_SENDINGS: Final = Prepared(
    sa.select(sending.c.began, sending.c.messages, sending.c.strangers)
    .where(sending.c.account == _ACCOUNT, sending.c.began >= sa.bindparam("since"))
    .order_by(sending.c.began)
)
_MORE: Final = Prepared(
    sa.update(sending)
    .where(sending.c.account == _ACCOUNT, sending.c.began == sa.bindparam("span"))
    .values(
        messages=sending.c.messages + sa.literal_column("1"),
        strangers=sending.c.strangers + sa.bindparam("added", type_=sa.BigInteger()),
    )
)
_FIRST: Final = Prepared(
    sa.insert(sending).values(
        account=_ACCOUNT,
        began=sa.bindparam("span"),
        messages=sa.literal_column("1"),
        strangers=sa.bindparam("added"),
    )
)
_FORGET: Final = Prepared(sa.delete(sending).where(sending.c.began < sa.bindparam("before")))
_SPAN_SECONDS: Final = int(SPAN.total_seconds())


class Correspondents:
    """CorrespondentWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def strangers(self, account: AccountId, addresses: Collection[Address]) -> set[str]:
        """Those (their keys) of the addresses to which the account has never written."""
        keys = {address.key for address in addresses}
        if len(keys) <= _ONE_BY_ONE:
            each = [{"number": account, "key": key} for key in keys]
            return keys - {row[0] for row in _KNOWN_ONE.rows_each(self._tx, each)}
        listed = json.dumps(sorted(keys))
        return keys - {row[0] for row in _KNOWN.rows(self._tx, number=account, keys=listed)}

    def sendings(self, account: AccountId, since: datetime) -> list[Sending]:
        """Spans that began then or later, oldest first."""
        rows = _SENDINGS.rows(self._tx, number=account, since=int(since.timestamp()))
        return [
            Sending(datetime.fromtimestamp(began, UTC), messages, strangers)
            for began, messages, strangers in rows
        ]

    def sent(self, account: AccountId, strangers: Sequence[str], now: datetime) -> None:
        """Count one message, and remember the keys of those who are strangers no more."""
        at = int(now.timestamp())
        span = at - at % _SPAN_SECONDS
        values = {"number": account, "span": span, "added": len(strangers)}
        if not _MORE.run(self._tx, **values):
            _FIRST.run(self._tx, **values)
        for key in strangers:
            _REMEMBER.run(self._tx, number=account, key=key, at=at)

    def forget_sendings(self, before: datetime) -> int:
        """Forget spans that began before then; how many."""
        return _FORGET.run(self._tx, before=int(before.timestamp()))
