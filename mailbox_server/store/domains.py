"""Hosted domains in rows."""

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.account import HostedDomain
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import DomainExists, DomainInUse, DomainMissing
from mailbox_server.model.ids import DomainId
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account, alias, domain
from mailbox_server.store.schema.dkim_keys import dkim_key
from mailbox_server.store.transactions import SqlTx

_ALL: Final = sa.select(domain.c.id, domain.c.name, domain.c.catch_all, domain.c.created).order_by(
    domain.c.name
)
_FIND: Final = Prepared(_ALL.where(domain.c.name == sa.bindparam("name")))
_ADD: Final = (
    sa.insert(domain)
    .values(
        name=sa.bindparam("name"),
        catch_all=sa.bindparam("catch_all"),
        created=sa.bindparam("created"),
    )
    .returning(domain.c.id)
)
_SET_CATCH_ALL: Final = (
    sa.update(domain)
    .where(domain.c.name == sa.bindparam("of"))
    .values(catch_all=sa.bindparam("catch_all"))
)
_USED: Final = sa.union_all(
    sa.select(account.c.id).where(account.c.domain == sa.bindparam("domain")),
    sa.select(alias.c.id).where(alias.c.domain == sa.bindparam("domain")),
).limit(1)
_REMOVE_KEYS: Final = sa.delete(dkim_key).where(dkim_key.c.domain == sa.bindparam("domain"))
_REMOVE: Final = sa.delete(domain).where(domain.c.id == sa.bindparam("domain"))


def domain_id(tx: SqlTx, host: object) -> DomainId:
    """The id of a hosted domain.  Raises DomainMissing, also for an address literal."""
    rows = _FIND.rows(tx, name=host.ascii) if isinstance(host, Domain) else []
    if not rows:
        raise DomainMissing(f"the domain {host} is not hosted here")
    return DomainId(rows[0][0])


def _hosted(row: Any) -> HostedDomain:
    number, name, catch_all, created = row
    return HostedDomain(
        DomainId(number),
        Domain(name),
        None if catch_all is None else Address.parse(catch_all),
        datetime.fromtimestamp(created, UTC),
    )


class Domains:
    """DomainWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def find(self, domain: Domain) -> HostedDomain | None:
        """The hosted domain, or None."""
        rows = _FIND.rows(self._tx, name=domain.ascii)
        return _hosted(rows[0]) if rows else None

    def all(self) -> list[HostedDomain]:
        """Every hosted domain by name."""
        return [_hosted(row) for row in self._tx.rows(_ALL)]

    def add(self, domain: Domain, catch_all: Address | None, now: datetime) -> HostedDomain:
        """Host a domain.  Raises DomainExists."""
        if _FIND.rows(self._tx, name=domain.ascii):
            raise DomainExists(f"the domain {domain} is hosted already")
        created = int(now.timestamp())
        row = (domain.ascii, None if catch_all is None else str(catch_all), created)
        self._tx.change_owners()
        ((number,),) = self._tx.rows(
            _ADD, dict(zip(("name", "catch_all", "created"), row, strict=True))
        )
        return _hosted((number, *row))

    def set_catch_all(self, domain: Domain, catch_all: Address | None) -> None:
        """Say where mail to unknown local parts goes.  Raises DomainMissing."""
        self._tx.change_owners()
        changed = self._tx.connection.execute(
            _SET_CATCH_ALL,
            {"of": domain.ascii, "catch_all": None if catch_all is None else str(catch_all)},
        )
        if not changed.rowcount:
            raise DomainMissing(f"the domain {domain} is not hosted here")

    def remove(self, domain: Domain) -> None:
        """Stop hosting.  Raises DomainMissing, DomainInUse (accounts or aliases remain)."""
        number = domain_id(self._tx, domain)
        if self._tx.rows(_USED, {"domain": number}):
            raise DomainInUse(f"accounts or aliases still belong to {domain}")
        self._tx.change_owners()
        self._tx.connection.execute(_REMOVE_KEYS, {"domain": number})
        self._tx.connection.execute(_REMOVE, {"domain": number})
