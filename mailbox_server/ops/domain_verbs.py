"""What an operator may do with hosted domains beside hosting them: keys, and records to publish."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from mailbox_server.checks.dkim.key_keeper import make_next
from mailbox_server.checks.dkim.keys import (
    make_key,
    new_selector,
    record_name,
    record_text,
)
from mailbox_server.checks.dkim.rotation import Make, RotationRules
from mailbox_server.model.address import Domain
from mailbox_server.model.dkim_key import DkimKey, KeyAlgorithm, KeyState, NewDkimKey
from mailbox_server.model.errors import DomainMissing
from mailbox_server.model.ports import Clock
from mailbox_server.ops import requests
from mailbox_server.ops.domain_check import Looked, Records, look_up
from mailbox_server.ops.domain_records import Publishing, wanted_records
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


async def list_keys(store: Store, asked: requests.DomainKeys) -> list[requests.AnyRow]:
    """The signing keys of a domain, as they were made.  Raises DomainMissing."""
    return [_key_row(key) for key in await _keys(store, Domain.parse(asked.domain))]


async def rotate_keys(
    store: Store, clock: Clock, asked: requests.DomainRotateKeys
) -> list[requests.AnyRow]:
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
) -> list[requests.AnyRow]:
    """What the DNS should say, and where asked what it says.  Raises DomainMissing."""
    domain = Domain.parse(asked.domain)
    keys = await _keys(store, domain)
    shared = await asyncio.to_thread(publication.shared)
    wanted = wanted_records(domain, shared, keys, publication.rules.keep)
    looked: Sequence[Looked | None] = [None] * len(wanted)
    if asked.check:
        looked = await look_up(wanted, shared, publication.records)
    return [
        requests.RecordRow(
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


def _key_row(key: DkimKey) -> requests.KeyRow:
    return requests.KeyRow(
        key.selector,
        key.algorithm.value,
        key.state.value,
        requests.instant(key.created) or "",
        requests.instant(key.since) or "",
        requests.instant(key.seen),
        record_name(key),
        record_text(key),
    )
