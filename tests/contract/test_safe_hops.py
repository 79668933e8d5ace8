"""From what a domain publishes to a session or none: DANE and MTA-STS right, wrong and stripped.

The way whole: DNS (an unbound that checks signed zones, for DANE), policy host, decision,
handshake with a mail host, and the count for the domain's report.
"""

import contextlib
import hashlib
import ipaddress
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from mailbox_server.dns.resolver import Resolver, ResolverPlan
from mailbox_server.model.address import Domain, IpAddress
from mailbox_server.model.next_hop import NextHop
from mailbox_server.model.ports import SystemClock, SystemEntropy
from mailbox_server.model.sts_policy import StsPolicy
from mailbox_server.model.tls_demand import TlsFault, TlsPolicy
from mailbox_server.net.https_client import HttpsClient, HttpsPlan
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.client.opening import Client, Opening
from mailbox_server.relay.client.tls.handshake import open_client_tls
from mailbox_server.relay.mail_exchangers import Ourselves
from mailbox_server.relay.mta_sts.fetching import FetchFailed, fetch_policy
from mailbox_server.relay.mta_sts.keeper import PolicyKeeper
from mailbox_server.relay.next_hops import HopNames, HopRules, NextHops, Policies, Wishes
from mailbox_server.relay.session_news import SessionNews
from mailbox_server.relay.tls_levels import TlsLevels
from mailbox_server.relay.tls_reports.tally import TlsTally
from mailbox_server.store.door import SqliteStore
from tests.https_server import https_server, text_answer
from tests.issued import NOW, Issued, issue
from tests.signed_zones import UNBOUND, validating_resolver
from tests.smtp_peer import SmtpPeer
from tests.unit.delivery.house import KeptEvents
from tests.unit.relay.zone import HandPolicies, HandZone, no_sender

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
REQUIRED = Wishes(require_tls=True)
PLAIN = Wishes()
Counts = list[tuple[TlsPolicy, TlsFault | None, int]]


@dataclass
class Seen:
    """How one try ended, and what was counted of it."""

    opening: Opening | None
    counts: Counts

    @property
    def stands(self) -> bool:
        """Whether mail would go."""
        return self.opening is not None and self.opening.connection is not None

    @property
    def is_secured(self) -> bool:
        """Whether it would go under TLS."""
        assert self.opening is not None and self.opening.connection is not None
        return self.opening.connection.tls is not None


async def tried(
    store: SqliteStore,
    names: HopNames,
    policies: Policies | None,
    tally: TlsTally,
    peer: SmtpPeer,
    domain: str,
    roots: Path,
    wishes: Wishes = PLAIN,
) -> Seen:
    """Find the next hop, open a connection, tell the news."""
    clock = SystemClock()
    rules = HopRules(Ourselves(frozenset()), port=peer.port, opened=LOOPBACK)
    hops = NextHops(
        names, policies or HandPolicies(), tally, no_sender, rules, clock, SystemEntropy()
    )
    news = SessionNews(hops.families, tally, TlsLevels(clock, KeptEvents()))
    hop = await hops.find(Domain(domain), wishes)
    opening = None
    if isinstance(hop, NextHop):
        client = Client("us.example", open_client_tls(roots), clock, SystemEntropy())
        opening = await client.open(hop.hosts)
        news.heard(hop, opening)
        if opening.connection is not None:
            await opening.connection.quit()
    else:
        assert hop.reply.code < 500 or wishes is REQUIRED
    await news.settle(store)
    counts = await store.read(lambda tx: tx.tls_counts.of(clock.now().date(), domain, 99))
    return Seen(opening, [(c.case.policy, c.case.fault, c.sessions) for c in counts])


def tlsa(usage: int, one: Issued) -> str:
    return f"{usage} 1 1 {hashlib.sha256(one.spki).hexdigest()}"


ROOT = issue("Root", authority=True)
OTHER_ROOT = issue("Other root", authority=True)
LEAF = issue("leaf", ROOT, names=("mx.signed.example",))
MISNAMED = issue("leaf", ROOT, names=("www.signed.example",))
EXPIRED = issue("leaf", ROOT, names=("mx.signed.example",), ends=NOW - timedelta(hours=1))


@pytest.mark.skipif(UNBOUND is None, reason="unbound is not installed")
@pytest.mark.parametrize(
    ("records", "shown", "stands", "counted"),
    [
        ([tlsa(3, LEAF)], LEAF, True, None),
        ([tlsa(3, ROOT), tlsa(3, LEAF)], LEAF, True, None),
        ([tlsa(3, MISNAMED)], MISNAMED, True, None),
        ([tlsa(3, EXPIRED)], EXPIRED, True, None),
        ([tlsa(2, ROOT)], LEAF, True, None),
        ([tlsa(2, ROOT)], MISNAMED, False, TlsFault.CERTIFICATE_HOST_MISMATCH),
        ([tlsa(3, ROOT)], LEAF, False, TlsFault.CERTIFICATE_NOT_TRUSTED),
        ([tlsa(3, LEAF)], None, False, TlsFault.STARTTLS_NOT_SUPPORTED),
        ([tlsa(1, LEAF)], MISNAMED, True, None),
        ([tlsa(1, LEAF)], None, False, TlsFault.STARTTLS_NOT_SUPPORTED),
    ],
)
async def test_dane(
    store: SqliteStore,
    tmp_path: Path,
    records: Sequence[str],
    shown: Issued | None,
    stands: bool,
    counted: TlsFault | None,
) -> None:
    roots = OTHER_ROOT.file(tmp_path)
    context = None if shown is None else shown.context(tmp_path)
    async with SmtpPeer(context=context).listening() as peer:
        zone = {
            ("signed.example", "MX"): ["10 mx.signed.example."],
            ("mx.signed.example", "A"): ["127.0.0.1"],
            (f"_{peer.port}._tcp.mx.signed.example", "TLSA"): records,
        }
        async with validating_resolver(zone, tmp_path) as (_, server):
            clock = SystemClock()
            names = Resolver(ResolverPlan((server,), trusted=True), clock)
            tally = TlsTally(clock)
            seen = await tried(store, names, None, tally, peer, "signed.example", roots)
    assert seen.stands is stands
    assert seen.counts == [(TlsPolicy.TLSA, counted, 1)]


AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)
POLICY_HOST = AUTHORITY.issue_cert("mta-sts.example.org", key_type=trustme.KeyType.ECDSA)
MX_LEAF = issue("leaf", ROOT, names=("mx.example.org",))
MX_MISNAMED = issue("leaf", ROOT, names=("example.org",))
MX_EXPIRED = issue("leaf", ROOT, names=("mx.example.org",), ends=NOW - timedelta(hours=1))
MX_STRANGE = issue("leaf", OTHER_ROOT, names=("mx.example.org",))


@contextlib.asynccontextmanager
async def published(
    store: SqliteStore, tmp_path: Path, mode: str, mx: str, tally: TlsTally
) -> AsyncIterator[tuple[HandZone, PolicyKeeper]]:
    """A domain with its DNS, its policy host, and a keeper that asks them."""
    zone = HandZone(
        {
            ("example.org", "MX"): ["10 mx.example.org."],
            ("mx.example.org", "A"): ["127.0.0.1"],
            ("_mta-sts.example.org", "TXT"): ["v=STSv1; id=1;"],
        }
    )
    body = f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n".encode()
    authorities = tmp_path / "web.pem"
    AUTHORITY.cert_pem.write_to_path(str(authorities))

    async def loopback(name: str) -> Sequence[IpAddress]:
        return (ipaddress.ip_address("127.0.0.1"),)

    async with https_server(POLICY_HOST) as server:
        server.answer = lambda head, body_: text_answer(body)
        client = HttpsClient(loopback, HttpsPlan(server.port, LOOPBACK, str(authorities)))

        async def fetch(domain: Domain) -> StsPolicy | FetchFailed:
            return await fetch_policy(domain, client)

        tasks = TaskKeeper(lambda name, error: None)
        yield zone, PolicyKeeper(store, zone, fetch, tally, SystemClock(), KeptEvents(), tasks)


@pytest.mark.parametrize(
    ("mode", "mx", "shown", "stands", "counted"),
    [
        ("enforce", "mx.example.org", MX_LEAF, True, None),
        ("enforce", "*.example.org", MX_LEAF, True, None),
        ("enforce", "mx.example.org", MX_MISNAMED, False, TlsFault.CERTIFICATE_HOST_MISMATCH),
        ("enforce", "mx.example.org", MX_EXPIRED, False, TlsFault.CERTIFICATE_EXPIRED),
        ("enforce", "mx.example.org", MX_STRANGE, False, TlsFault.CERTIFICATE_NOT_TRUSTED),
        ("enforce", "mx.example.org", None, False, TlsFault.STARTTLS_NOT_SUPPORTED),
        ("enforce", "other.example.org", MX_LEAF, False, TlsFault.VALIDATION_FAILURE),
        ("testing", "mx.example.org", MX_LEAF, True, None),
        ("testing", "mx.example.org", MX_EXPIRED, True, TlsFault.CERTIFICATE_EXPIRED),
        ("testing", "mx.example.org", None, True, TlsFault.STARTTLS_NOT_SUPPORTED),
        ("testing", "other.example.org", MX_STRANGE, True, TlsFault.VALIDATION_FAILURE),
    ],
)
async def test_mta_sts(
    store: SqliteStore,
    tmp_path: Path,
    mode: str,
    mx: str,
    shown: Issued | None,
    stands: bool,
    counted: TlsFault | None,
) -> None:
    roots = ROOT.file(tmp_path)
    tally = TlsTally(SystemClock())
    context = None if shown is None else shown.context(tmp_path)
    async with (
        SmtpPeer(context=context).listening() as peer,
        published(store, tmp_path, mode, mx, tally) as (zone, keeper),
    ):
        seen = await tried(store, zone, keeper, tally, peer, "example.org", roots)
    assert seen.stands is stands
    assert seen.counts == [(TlsPolicy.STS, counted, 1)]
    if stands:
        assert seen.is_secured is (shown is not None)


async def test_mode_none_asks_nothing(store: SqliteStore, tmp_path: Path) -> None:
    tally = TlsTally(SystemClock())
    async with (
        SmtpPeer(context=MX_STRANGE.context(tmp_path)).listening() as peer,
        published(store, tmp_path, "none", "mx.example.org", tally) as (zone, keeper),
    ):
        roots = ROOT.file(tmp_path)
        seen = await tried(store, zone, keeper, tally, peer, "example.org", roots)
    assert seen.stands
    assert seen.counts == [(TlsPolicy.NO_POLICY, None, 1)]


@pytest.mark.parametrize(
    ("keywords", "stands"), [(("REQUIRETLS",), True), (("PIPELINING",), False)]
)
async def test_required_tls_by_policy(
    store: SqliteStore, tmp_path: Path, keywords: tuple[str, ...], stands: bool
) -> None:
    tally = TlsTally(SystemClock())
    context = MX_LEAF.context(tmp_path)
    async with (
        SmtpPeer(keywords=keywords, context=context).listening() as peer,
        published(store, tmp_path, "testing", "mx.example.org", tally) as (zone, keeper),
    ):
        roots = ROOT.file(tmp_path)
        seen = await tried(store, zone, keeper, tally, peer, "example.org", roots, REQUIRED)
    assert seen.stands is stands


async def test_waived_tls_goes_where_the_policy_fails(store: SqliteStore, tmp_path: Path) -> None:
    tally = TlsTally(SystemClock())
    async with (
        SmtpPeer().listening() as peer,
        published(store, tmp_path, "enforce", "mx.example.org", tally) as (zone, keeper),
    ):
        roots = ROOT.file(tmp_path)
        waived = Wishes(tls_optional=True)
        seen = await tried(store, zone, keeper, tally, peer, "example.org", roots, waived)
    assert seen.stands and seen.counts == []
