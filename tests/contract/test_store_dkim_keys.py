"""Signing keys in rows: by domain, in their states, gone with their domain (RFC 6376)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailbox_server.model.address import Domain
from mailbox_server.model.dkim_key import KeyAlgorithm, KeyState, NewDkimKey
from mailbox_server.model.errors import DkimKeyExists, DomainMissing
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import WriteTx

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
DOMAIN, OTHER = Domain.parse("example.org"), Domain.parse("example.net")


def new(algorithm: KeyAlgorithm, selector: str, domain: Domain = DOMAIN) -> NewDkimKey:
    return NewDkimKey(domain, selector, algorithm, b"\0private", b"\0public")


async def host(store: SqliteStore) -> None:
    def work(tx: WriteTx) -> None:
        tx.domains.add(DOMAIN, None, NOON)
        tx.domains.add(OTHER, None, NOON)
        tx.dkim_keys.add(new(KeyAlgorithm.ED25519, "e1"), KeyState.SIGNING, NOON)
        tx.dkim_keys.add(new(KeyAlgorithm.RSA, "r1"), KeyState.SIGNING, NOON)
        tx.dkim_keys.add(new(KeyAlgorithm.RSA, "r2"), KeyState.WAITING, NOON)
        tx.dkim_keys.add(new(KeyAlgorithm.RSA, "r1", OTHER), KeyState.SIGNING, NOON)

    await store.write(work)


async def test_a_domain_signs_with_its_own_rsa_first(store: SqliteStore) -> None:
    await host(store)
    signing = await store.read(lambda tx: tx.dkim_keys.signing(DOMAIN))
    assert [key.selector for key in signing] == ["r1", "e1"]
    one = signing[0]
    assert (one.private, one.public, one.algorithm) == (
        b"\0private",
        b"\0public",
        KeyAlgorithm.RSA,
    )
    assert (one.created, one.since, one.seen) == (NOON, NOON, None)
    everything = await store.read(lambda tx: tx.dkim_keys.all())
    assert [(key.domain.ascii, key.selector) for key in everything] == [
        ("example.net", "r1"),
        ("example.org", "e1"),
        ("example.org", "r1"),
        ("example.org", "r2"),
    ]
    assert await store.read(lambda tx: tx.dkim_keys.signing(Domain.parse("org"))) == []


async def test_keys_change_their_state(store: SqliteStore) -> None:
    await host(store)
    _, old, fresh = await store.read(lambda tx: tx.dkim_keys.all(DOMAIN))
    later = NOON + timedelta(days=2)
    before = store.owners_generation

    def promote(tx: WriteTx) -> None:
        tx.dkim_keys.saw(fresh.id, NOON)
        tx.dkim_keys.set_state(fresh.id, KeyState.SIGNING, later)
        tx.dkim_keys.set_state(old.id, KeyState.RETIRED, later)

    await store.write(promote)
    # Who keeps keys in memory hears of it.
    assert store.owners_generation > before
    _, old, fresh = await store.read(lambda tx: tx.dkim_keys.all(DOMAIN))
    assert (old.state, old.since, old.created) == (KeyState.RETIRED, later, NOON)
    assert (fresh.state, fresh.seen) == (KeyState.SIGNING, NOON)
    await store.write(lambda tx: tx.dkim_keys.saw(fresh.id, None))
    await store.write(lambda tx: tx.dkim_keys.remove(old.id))
    left = await store.read(lambda tx: tx.dkim_keys.all(DOMAIN))
    assert [(key.selector, key.seen) for key in left] == [("e1", None), ("r2", None)]


async def test_selectors_are_not_taken_twice(store: SqliteStore) -> None:
    await host(store)
    again = new(KeyAlgorithm.RSA, "r1")
    with pytest.raises(DkimKeyExists):
        await store.write(lambda tx: tx.dkim_keys.add(again, KeyState.WAITING, NOON))
    strange = replace(again, domain=Domain.parse("example.com"))
    with pytest.raises(DomainMissing):
        await store.write(lambda tx: tx.dkim_keys.add(strange, KeyState.WAITING, NOON))


async def test_a_removed_domain_takes_its_keys_along(store: SqliteStore) -> None:
    await host(store)
    await store.write(lambda tx: tx.domains.remove(DOMAIN))
    left = await store.read(lambda tx: tx.dkim_keys.all())
    assert [key.domain for key in left] == [OTHER]
