"""From where accounts were logged in to, in rows."""

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.account import KnownNetwork
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account, known_network
from mailbox_server.store.transactions import SqlTx

_SINCE: Final = Prepared(
    sa.select(account.c.key, known_network.c.network, known_network.c.seen)
    .join_from(known_network, account, account.c.id == known_network.c.account)
    .where(known_network.c.seen >= sa.bindparam("instant"))
    .order_by(known_network.c.seen.desc(), account.c.key, known_network.c.network)
    .limit(sa.bindparam("most"))
)
_ACCOUNT: Final = sa.select(account.c.id).where(account.c.key == sa.bindparam("login"))
_AGAIN: Final = Prepared(
    sa.update(known_network)
    .where(
        known_network.c.account == _ACCOUNT.scalar_subquery(),
        known_network.c.network == sa.bindparam("range"),
    )
    .values(seen=sa.bindparam("at"))
)
_FIRST: Final = Prepared(
    sa.insert(known_network).from_select(
        ["account", "network", "seen"],
        _ACCOUNT.add_columns(
            sa.bindparam("range", type_=sa.Text()), sa.bindparam("at", type_=sa.BigInteger())
        ),
    )
)
_FORGET: Final = Prepared(
    sa.delete(known_network).where(known_network.c.seen < sa.bindparam("instant"))
)


class KnownNetworks:
    """KnownNetworkWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def since(self, instant: datetime, most: int) -> list[KnownNetwork]:
        """The latest of those seen at instant or later, at most so many, the oldest first."""
        rows = _SINCE.rows(self._tx, instant=int(instant.timestamp()), most=most)
        return [
            KnownNetwork(login, network, datetime.fromtimestamp(seen, UTC))
            for login, network, seen in reversed(rows)
        ]

    def saw(self, known: KnownNetwork) -> None:
        """Remember a network, or when it was last seen; silent where the account is gone."""
        values = {
            "login": known.login,
            "range": known.network,
            "at": int(known.seen.timestamp()),
        }
        if not _AGAIN.run(self._tx, **values):
            _FIRST.run(self._tx, **values)

    def forget(self, before: datetime) -> int:
        """Forget those last seen before that; how many."""
        return _FORGET.run(self._tx, instant=int(before.timestamp()))
