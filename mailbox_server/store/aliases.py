"""Aliases in rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.account import Alias
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import AccountExists, AliasExists, AliasMissing
from mailbox_server.model.ids import AliasId
from mailbox_server.store.domains import domain_id
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account, alias, alias_target, domain
from mailbox_server.store.transactions import SqlTx

_SELECT: Final = (
    sa.select(alias.c.id, alias.c.address, alias.c.created, alias_target.c.address)
    .join_from(alias, alias_target, alias_target.c.alias == alias.c.id)
    .order_by(alias.c.key, alias_target.c.position)
)
_FIND: Final = Prepared(_SELECT.where(alias.c.key == sa.bindparam("key")))
_OF_DOMAIN: Final = _SELECT.join(domain, domain.c.id == alias.c.domain).where(
    domain.c.name == sa.bindparam("name")
)
_IS_ALIAS: Final = sa.select(alias.c.id).where(alias.c.key == sa.bindparam("key"))
_IS_ACCOUNT: Final = sa.select(account.c.id).where(account.c.key == sa.bindparam("key"))
_ADD: Final = (
    sa.insert(alias)
    .values({name: sa.bindparam(name) for name in ("domain", "address", "key", "created")})
    .returning(alias.c.id)
)
_ADD_TARGET: Final = sa.insert(alias_target)
_REMOVE_TARGETS: Final = sa.delete(alias_target).where(
    alias_target.c.alias == sa.bindparam("number")
)
_REMOVE: Final = sa.delete(alias).where(alias.c.id == sa.bindparam("number"))


def refuse_taken(tx: SqlTx, address: Address) -> None:
    """Raises AccountExists or AliasExists where the address belongs to one already."""
    if tx.rows(_IS_ACCOUNT, {"key": address.key}):
        raise AccountExists(f"{address} is an account already")
    if tx.rows(_IS_ALIAS, {"key": address.key}):
        raise AliasExists(f"{address} is an alias already")


def _aliases(rows: Sequence[Any]) -> list[Alias]:
    return [
        Alias(
            AliasId(number),
            Address.parse(address),
            tuple(Address.parse(row[3]) for row in group),
            datetime.fromtimestamp(created, UTC),
        )
        for (number, address, created), group in groupby(rows, lambda row: tuple(row[:3]))
    ]


class Aliases:
    """AliasWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def find(self, address: Address) -> Alias | None:
        """The alias of that address, or None."""
        found = _aliases(_FIND.rows(self._tx, key=address.key))
        return found[0] if found else None

    def all(self, domain: Domain | None = None) -> list[Alias]:
        """Aliases by address."""
        if domain is None:
            return _aliases(self._tx.rows(_SELECT))
        return _aliases(self._tx.rows(_OF_DOMAIN, {"name": domain.ascii}))

    def add(self, address: Address, targets: Sequence[Address], now: datetime) -> Alias:
        """Raises DomainMissing, AliasExists, AccountExists, ValueError without targets."""
        if not targets:
            raise ValueError("an alias needs at least one target")
        host = domain_id(self._tx, address.domain)
        refuse_taken(self._tx, address)
        created = int(now.timestamp())
        values = {"domain": host, "address": str(address), "key": address.key, "created": created}
        self._tx.change_owners()
        ((number,),) = self._tx.rows(_ADD, values)
        self._tx.connection.execute(
            _ADD_TARGET,
            [
                {"alias": number, "position": position, "address": str(target)}
                for position, target in enumerate(targets)
            ],
        )
        return Alias(AliasId(number), address, tuple(targets), datetime.fromtimestamp(created, UTC))

    def remove(self, alias: AliasId) -> None:
        """Raises AliasMissing."""
        self._tx.change_owners()
        self._tx.connection.execute(_REMOVE_TARGETS, {"number": alias})
        if not self._tx.connection.execute(_REMOVE, {"number": alias}).rowcount:
            raise AliasMissing("there is no such alias")
