"""What an operator may do with aliases."""

from collections.abc import Sequence

from mailbox_server.model.account import Alias
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import AliasMissing, BadInput
from mailbox_server.model.ports import Clock
from mailbox_server.ops import requests
from mailbox_server.ops.request_roots import instant
from mailbox_server.ops.rows import AliasRow, AnyRow
from mailbox_server.ops.targets import missing, refuse_brackets, refuse_loop
from mailbox_server.store.ports import Store, WriteTx


async def add(store: Store, clock: Clock, asked: requests.AliasAdd) -> list[AnyRow]:
    """Raises AddressMalformed, BadInput, DomainMissing, AccountExists, AliasExists."""
    address = Address.parse(asked.address)
    targets = list(dict.fromkeys(Address.parse(target) for target in asked.targets))
    if not targets:
        raise BadInput("an alias needs at least one target")
    now = clock.now()

    def work(tx: WriteTx) -> AliasRow:
        refuse_brackets(targets)
        refuse_loop(tx, address, targets)
        return _row(tx.aliases.add(address, targets, now), missing(tx, targets))

    return [await store.write(work)]


async def list_all(store: Store, asked: requests.AliasList) -> list[AnyRow]:
    """The aliases of one domain, or all.  Raises DomainMalformed."""
    domain = None if asked.domain is None else Domain.parse(asked.domain)
    return [_row(a) for a in await store.read(lambda tx: tx.aliases.all(domain))]


async def remove(store: Store, asked: requests.AliasRemove) -> list[AnyRow]:
    """Raises AliasMissing, AddressMalformed."""
    address = Address.parse(asked.address)

    def work(tx: WriteTx) -> None:
        alias = tx.aliases.find(address)
        if alias is None:
            raise AliasMissing(f"no alias {address}")
        tx.aliases.remove(alias.id)

    await store.write(work)
    return []


def _row(alias: Alias, unknown: Sequence[str] = ()) -> AliasRow:
    return AliasRow(
        str(alias.address),
        [str(target) for target in alias.targets],
        instant(alias.created) or "",
        list(unknown),
    )
