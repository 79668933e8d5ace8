"""Next hops over an unbound that checks DNSSEC: DANE right, wrong, missing and forged."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailbox_server.dns.resolver import Resolver, ResolverPlan
from mailbox_server.model.address import Domain
from mailbox_server.model.next_hop import NextHop, NoHop
from mailbox_server.model.ports import SystemClock
from mailbox_server.model.tls_demand import TlsLevel, TlsPolicy
from mailbox_server.relay.hop_replies import DNSSEC_BROKEN, NO_ANSWER, NO_SUCH_DOMAIN
from mailbox_server.relay.mail_exchangers import Ourselves
from mailbox_server.relay.next_hops import HopRules, NextHops, Wishes
from tests.signed_zones import UNBOUND, SignedZones, validating_resolver
from tests.unit.relay.zone import HandPolicies, KeptWitness, LastEntropy, no_sender

pytestmark = pytest.mark.skipif(UNBOUND is None, reason="unbound is not installed")

TLSA = "3 1 1 " + "ab" * 32
RECORDS = {
    ("signed.example", "MX"): ["10 mx.signed.example.", "20 mx.plain.example."],
    ("mx.signed.example", "A"): ["192.0.2.1"],
    ("_25._tcp.mx.signed.example", "TLSA"): [TLSA],
    ("alias.signed.example", "CNAME"): ["mx.signed.example."],
    ("by-alias.signed.example", "MX"): ["10 alias.signed.example."],
    ("astray.signed.example", "CNAME"): ["mx.plain.example."],
    ("out.signed.example", "MX"): ["10 astray.signed.example."],
    ("_25._tcp.astray.signed.example", "TLSA"): [TLSA],
    ("bare.signed.example", "MX"): ["10 mx2.signed.example."],
    ("mx2.signed.example", "A"): ["192.0.2.2"],
    ("waits.signed.example", "MX"): ["10 mx3.signed.example."],
    ("mx3.signed.example", "A"): ["192.0.2.5"],
    ("_25._tcp.mx3.signed.example", "TLSA"): [TLSA],
    ("bogus.example", "MX"): ["10 mx.bogus.example."],
    ("mx.bogus.example", "A"): ["192.0.2.3"],
    ("forged.signed.example", "MX"): ["10 mx.bogus.example."],
    ("plain.example", "MX"): ["10 mx.signed.example."],
    ("mx.plain.example", "A"): ["192.0.2.4"],
    ("_25._tcp.mx.plain.example", "TLSA"): [TLSA],
}


class Found:
    """Next hops over the resolver, trusted or not."""

    def __init__(self, zones: SignedZones, resolver: Resolver) -> None:
        self.zones = zones
        self.hops = NextHops(
            resolver,
            HandPolicies(),
            KeptWitness(),
            no_sender,
            HopRules(Ourselves(frozenset({"us.plain.example"}))),
            SystemClock(),
            LastEntropy(),
        )

    async def __call__(self, domain: str, wishes: Wishes | None = None) -> NextHop | NoHop:
        return await self.hops.find(Domain(domain), wishes or Wishes())

    async def levels(self, domain: str) -> list[tuple[str, TlsLevel, str]]:
        hop = await self(domain)
        assert isinstance(hop, NextHop), hop
        return [(host.name, host.demand.level, host.demand.server_name) for host in hop.hosts]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Found, Found]]:
    """Next hops that trust the resolver, and some that do not."""
    async with validating_resolver(RECORDS, tmp_path) as (zones, server):
        found = [
            Found(zones, Resolver(ResolverPlan((server,), trusted=trusted), SystemClock()))
            for trusted in (True, False)
        ]
        yield found[0], found[1]


async def test_what_dnssec_protects_and_what_not(served: tuple[Found, Found]) -> None:
    found, distrusting = served
    assert await found.levels("signed.example") == [
        ("mx.signed.example", TlsLevel.DANE, "mx.signed.example"),
        ("mx.plain.example", TlsLevel.OPPORTUNISTIC, "mx.plain.example"),
    ]
    # The base is the end of the alias, or the alias itself where only that is protected.
    assert await found.levels("by-alias.signed.example") == [
        ("alias.signed.example", TlsLevel.DANE, "mx.signed.example")
    ]
    assert await found.levels("out.signed.example") == [
        ("astray.signed.example", TlsLevel.DANE, "astray.signed.example")
    ]
    # An MX set that nobody signed protects nothing, whatever its host publishes.
    assert await found.levels("plain.example") == [
        ("mx.signed.example", TlsLevel.OPPORTUNISTIC, "mx.signed.example")
    ]
    assert ("_25._tcp.mx.plain.example", "TLSA") not in found.zones.asked
    # Denial is protected, too.
    assert await found.levels("bare.signed.example") == [
        ("mx2.signed.example", TlsLevel.OPPORTUNISTIC, "mx2.signed.example")
    ]
    assert await found("nothing.signed.example") == NoHop("nothing.signed.example", NO_SUCH_DOMAIN)
    # Signatures that do not fit are no answer at all: the mail waits.
    assert await found("bogus.example") == NoHop("bogus.example", NO_ANSWER)
    assert await found("forged.signed.example") == NoHop("forged.signed.example", NO_ANSWER)
    # The same answers from a resolver that is not ours say nothing.
    levels = {level for _, level, _ in await distrusting.levels("signed.example")}
    assert levels == {TlsLevel.OPPORTUNISTIC}


async def test_required_tls_goes_where_the_name_is_protected(served: tuple[Found, Found]) -> None:
    found, _ = served
    hop = await found("bare.signed.example", Wishes(require_tls=True))
    assert isinstance(hop, NextHop)
    demand = hop.hosts[0].demand
    assert (demand.level, demand.policy) == (TlsLevel.VERIFIED, TlsPolicy.REQUIRETLS)
    refused = await found("plain.example", Wishes(require_tls=True))
    assert isinstance(refused, NoHop)
    assert refused.reply.enhanced == "5.7.10"


async def test_a_tlsa_lookup_that_fails_makes_the_mail_wait(served: tuple[Found, Found]) -> None:
    found, _ = served
    found.zones.failing = {"_25._tcp.mx3.signed.example"}
    assert await found("waits.signed.example") == NoHop("waits.signed.example", DNSSEC_BROKEN)
