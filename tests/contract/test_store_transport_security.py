"""What is known of other servers' TLS lies in rows and is counted, replaced and forgotten."""

from datetime import UTC, date, datetime, timedelta

from mailbox_server.model.address import Domain
from mailbox_server.model.sts_policy import KeptPolicy, StsMode, StsPolicy
from mailbox_server.model.tls_count import TlsCase, TlsCount
from mailbox_server.model.tls_demand import TlsFault, TlsLevel, TlsPolicy
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import WriteTx

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DOMAIN, OTHER = Domain("example.org"), Domain("example.net")
POLICY = StsPolicy(StsMode.ENFORCE, ("mx.example.org", "*.example.com"), 86_400)
NONE = StsPolicy(StsMode.NONE, (), 0)


async def test_policies_are_kept_replaced_and_forgotten(store: SqliteStore) -> None:
    kept = KeptPolicy(DOMAIN, "1", POLICY, NOON, NOON)
    assert await store.read(lambda tx: tx.sts_policies.find(DOMAIN)) is None
    await store.write(lambda tx: tx.sts_policies.keep(kept))
    assert await store.read(lambda tx: tx.sts_policies.find(DOMAIN)) == kept
    again = KeptPolicy(DOMAIN, "2", NONE, NOON + DAY, NOON)
    await store.write(lambda tx: tx.sts_policies.keep(again))
    await store.write(lambda tx: tx.sts_policies.used(DOMAIN, NOON + 2 * DAY))
    await store.write(lambda tx: tx.sts_policies.used(OTHER, NOON))
    found = await store.read(lambda tx: tx.sts_policies.find(DOMAIN))
    assert found == KeptPolicy(DOMAIN, "2", NONE, NOON + DAY, NOON + 2 * DAY)
    assert await store.read(lambda tx: tx.sts_policies.find(OTHER)) is None


async def test_the_oldest_fetches_come_first(store: SqliteStore) -> None:
    def work(tx: WriteTx) -> None:
        for number in range(4):
            domain = Domain(f"d{number}.example")
            tx.sts_policies.keep(KeptPolicy(domain, "1", POLICY, NOON - number * DAY, NOON))

    await store.write(work)
    found = await store.read(lambda tx: tx.sts_policies.fetched_before(NOON, 2))
    assert [kept.domain.ascii for kept in found] == ["d3.example", "d2.example"]
    expired = await store.write(lambda tx: tx.sts_policies.forget(NOON - DAY, NOON - 90 * DAY))
    assert expired == 2
    assert await store.write(lambda tx: tx.sts_policies.forget(NOON - DAY, NOON + DAY)) == 2


async def test_levels_of_peers(store: SqliteStore) -> None:
    assert await store.read(lambda tx: tx.peer_levels.level("example.org")) is None
    await store.write(lambda tx: tx.peer_levels.note("example.org", TlsLevel.DANE, NOON, None))
    await store.write(lambda tx: tx.peer_levels.note("example.org", TlsLevel.NONE, NOON, NOON))
    await store.write(
        lambda tx: tx.peer_levels.note("new.example", TlsLevel.NONE, NOON + DAY, None)
    )
    found = await store.read(lambda tx: tx.peer_levels.level("example.org"))
    assert found == (TlsLevel.NONE, NOON, NOON)
    assert await store.write(lambda tx: tx.peer_levels.forget(NOON + DAY)) == 1
    assert await store.read(lambda tx: tx.peer_levels.level("example.org")) is None
    assert await store.read(lambda tx: tx.peer_levels.level("new.example")) is not None


async def test_sessions_are_counted_by_case(store: SqliteStore) -> None:
    today = date(2026, 11, 29)
    met = TlsCase(today, "example.org", TlsPolicy.STS, POLICY.lines())
    failed = TlsCase(
        today,
        "example.org",
        TlsPolicy.STS,
        POLICY.lines(),
        TlsFault.CERTIFICATE_EXPIRED,
        "192.0.2.1",
        "mx.example.org",
        "192.0.2.2",
        "expired on Tuesday",
    )
    other = TlsCase(today + timedelta(days=1), "example.net", TlsPolicy.NO_POLICY)
    await store.write(lambda tx: tx.tls_counts.add([TlsCount(failed, 1), TlsCount(met, 2)]))
    await store.write(lambda tx: tx.tls_counts.add([TlsCount(failed, 4), TlsCount(other, 1)]))
    counts = await store.read(lambda tx: tx.tls_counts.of(today, "example.org", 9))
    assert counts == [TlsCount(met, 2), TlsCount(failed, 5)]
    assert len(await store.read(lambda tx: tx.tls_counts.of(today, "example.org", 1))) == 1
    assert await store.read(lambda tx: tx.tls_counts.days()) == [today, other.day]
    assert await store.read(lambda tx: tx.tls_counts.domains(today, "", 9)) == ["example.org"]
    assert await store.read(lambda tx: tx.tls_counts.domains(today, "example.org", 9)) == []
    await store.write(lambda tx: tx.tls_counts.forget(today, "example.org"))
    assert await store.read(lambda tx: tx.tls_counts.days()) == [other.day]
    assert await store.write(lambda tx: tx.tls_counts.forget_before(date(2027, 1, 1))) == 1
