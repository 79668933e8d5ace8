"""What an operator may do with hosted domains, their keys and the records to publish."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from mailbox_server.checks.dkim.key_keeper import make_next, make_pair
from mailbox_server.checks.dkim.keys import (
    make_key,
    new_selector,
    record_name,
    record_text,
)
from mailbox_server.checks.dkim.rotation import Make, RotationRules
from mailbox_server.model.account import HostedDomain
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.dkim_key import DkimKey, KeyAlgorithm, KeyState, NewDkimKey
from mailbox_server.model.errors import DomainMissing
from mailbox_server.model.ports import Clock
from mailbox_server.ops import requests
from mailbox_server.ops.domain_check import Looked, Records, look_up
from mailbox_server.ops.domain_records import Publishing, wanted_records
from mailbox_server.ops.request_roots import instant
from mailbox_server.ops.rows import AnyRow, DomainRow, KeyRow, RecordRow
from mailbox_server.ops.targets import missing, refuse_elsewhere
from mailbox_server.store.ports import ReadTx, Store, WriteTx

_REVOKED: Final = "revoked"


@dataclass(frozen=True, slots=True)
class Publication:
    """What verbs of domains need to know of the DNS.

    shared: what all domains publish; may take its time.
    """

    records: Records
    shared: Callable[[], Publishing]
    rules: RotationRules


async def host(store: Store, clock: Clock, asked: requests.DomainAdd) -> list[AnyRow]:
    """Host a domain, and make the keys that its mail is signed with.

    Raises DomainMalformed, DomainExists, AddressMalformed, BadInput.
    """
    domain = Domain.parse(asked.domain)
    targets = [] if asked.catch_all is None else [Address.parse(asked.catch_all)]
    now = clock.now()
    keys = await asyncio.to_thread(make_pair, domain, now)

    def add(tx: WriteTx) -> DomainRow:
        refuse_elsewhere(tx, targets, domain)
        unknown = missing(tx, targets)
        row = _domain_row(tx.domains.add(domain, next(iter(targets), None), now), unknown)
        for key in keys:
            tx.dkim_keys.add(key, KeyState.SIGNING, now)
        return row

    return [await store.write(add)]


async def set_catch_all(store: Store, asked: requests.DomainCatchAll) -> list[AnyRow]:
    """Raises DomainMalformed, DomainMissing, AddressMalformed, BadInput."""
    domain = Domain.parse(asked.domain)
    targets = [] if asked.catch_all is None else [Address.parse(asked.catch_all)]

    def change(tx: WriteTx) -> DomainRow:
        refuse_elsewhere(tx, targets)
        # Asked while there is none: an old catch-all would catch the new one's address too.
        tx.domains.set_catch_all(domain, None)
        unknown = missing(tx, targets)
        tx.domains.set_catch_all(domain, next(iter(targets), None))
        found = tx.domains.find(domain)
        assert found is not None
        return _domain_row(found, unknown)

    return [await store.write(change)]


async def list_hosted(store: Store) -> list[AnyRow]:
    """All hosted domains."""
    return [_domain_row(hosted) for hosted in await store.read(lambda tx: tx.domains.all())]


async def stop_hosting(store: Store, asked: requests.DomainRemove) -> list[AnyRow]:
    """Raises DomainMalformed, DomainMissing, DomainInUse."""
    domain = Domain.parse(asked.domain)
    await store.write(lambda tx: tx.domains.remove(domain))
    return []


async def list_keys(store: Store, asked: requests.DomainKeys) -> list[AnyRow]:
    """The signing keys of a domain, as they were made.  Raises DomainMissing."""
    return [_key_row(key) for key in await _keys(store, Domain.parse(asked.domain))]


async def rotate_keys(store: Store, clock: Clock, asked: requests.DomainRotateKeys) -> list[AnyRow]:
    """Make the next key of each algorithm that has none waiting.

    At once: forget all keys there are, and sign with new ones.  Those that were forgotten
    come last, as revoked: their records have to go.  Raises DomainMissing.
    """
    domain = Domain.parse(asked.domain)
    keys = await _keys(store, domain)
    if asked.at_once:
        made = await asyncio.to_thread(_successors, keys, domain, clock.now())
        revoked = await store.write(lambda tx: _replace_all(tx, made, clock.now()))
        rows = [_key_row(key) for key in await _keys(store, domain)]
        return [*rows, *(msgspec.structs.replace(_key_row(key), state=_REVOKED) for key in revoked)]
    for algorithm in KeyAlgorithm:
        await make_next(store, domain, keys, Make(algorithm, KeyState.WAITING), clock.now())
    return [_key_row(key) for key in await _keys(store, domain)]


def _successors(keys: Sequence[DkimKey], domain: Domain, now: datetime) -> tuple[NewDkimKey, ...]:
    """A key of each algorithm, of selectors that no key has."""
    taken = {key.selector for key in keys}
    return tuple(
        make_key(domain, algorithm, new_selector(algorithm, now, taken))
        for algorithm in KeyAlgorithm
    )


def _replace_all(tx: WriteTx, made: Sequence[NewDkimKey], now: datetime) -> list[DkimKey]:
    known = tx.dkim_keys.all(made[0].domain)
    for old in known:
        tx.dkim_keys.remove(old.id)
    for new in made:
        tx.dkim_keys.add(new, KeyState.SIGNING, now)
    return known


async def tell_records(
    store: Store,
    publication: Publication,
    asked: requests.DomainDns,
) -> list[AnyRow]:
    """What the DNS should say, and where asked what it says.  Raises DomainMissing."""
    domain = Domain.parse(asked.domain)
    keys = await _keys(store, domain)
    shared = await asyncio.to_thread(publication.shared)
    wanted = wanted_records(domain, shared, keys, publication.rules.keep)
    looked: Sequence[Looked | None] = [None] * len(wanted)
    if asked.check:
        looked = await look_up(wanted, shared, publication.records)
    return [
        RecordRow(
            one.name,
            one.kind,
            one.value,
            one.need.value,
            one.note,
            None if seen is None else seen.standing.value,
            [] if seen is None else list(seen.found),
        )
        for one, seen in zip(wanted, looked, strict=True)
    ]


async def _keys(store: Store, domain: Domain) -> list[DkimKey]:
    def look(tx: ReadTx) -> list[DkimKey]:
        if tx.domains.find(domain) is None:
            raise DomainMissing(f"the domain {domain} is not hosted here")
        return tx.dkim_keys.all(domain)

    return await store.read(look)


def _key_row(key: DkimKey) -> KeyRow:
    return KeyRow(
        key.selector,
        key.algorithm.value,
        key.state.value,
        instant(key.created) or "",
        instant(key.since) or "",
        instant(key.seen),
        record_name(key),
        record_text(key),
    )


def _domain_row(hosted: HostedDomain, unknown: Sequence[str] = ()) -> DomainRow:
    return DomainRow(
        hosted.domain.unicode,
        None if hosted.catch_all is None else str(hosted.catch_all),
        instant(hosted.created) or "",
        list(unknown),
    )
