"""Each host of a next hop has the protection that its domain and the message ask for."""

import pytest

from mailbox_server.model.address import AddressLiteral, Domain
from mailbox_server.model.next_hop import NextHop, NoHop
from mailbox_server.model.reply import Reply
from mailbox_server.model.sts_policy import StsMode, StsPolicy
from mailbox_server.model.tls_demand import TlsFault, TlsLevel, TlsPolicy
from mailbox_server.relay.hop_replies import (
    DNSSEC_BROKEN,
    NO_ANSWER,
    NOT_AUTHENTIC,
    NOT_AUTHENTIC_NOW,
    NOT_IN_POLICY,
)
from mailbox_server.relay.mail_exchangers import Ourselves
from mailbox_server.relay.next_hops import HopRules, Wishes
from tests.unit.relay.zone import HandPolicies, HandZone, KeptWitness, next_hops

DOMAIN = Domain("example.org")
RULES = HopRules(Ourselves(frozenset({"mail.us.example"})))
ENFORCE = StsPolicy(StsMode.ENFORCE, ("b.example.org", "*.example.net"), 86_400)
TLSA = "3 1 1 " + "ab" * 32
REQUIRED = Wishes(require_tls=True)


def signed_zone() -> HandZone:
    zone = HandZone(
        {
            ("example.org", "MX"): ["10 a.example.org.", "20 b.example.org."],
            ("a.example.org", "A"): ["192.0.2.1"],
            ("b.example.org", "A"): ["192.0.2.2"],
            ("_25._tcp.a.example.org", "TLSA"): [TLSA],
        }
    )
    zone.is_signed = True
    return zone


async def levels(
    zone: HandZone,
    wishes: Wishes | None = None,
    policies: HandPolicies | None = None,
    witness: KeptWitness | None = None,
) -> list[tuple[str, TlsLevel, TlsPolicy]] | Reply:
    hops = next_hops(zone, RULES, policies=policies, witness=witness)
    hop = await hops.find(DOMAIN, wishes or Wishes())
    if isinstance(hop, NoHop):
        return hop.reply
    return [(host.name, host.demand.level, host.demand.policy) for host in hop.hosts]


async def test_each_host_has_its_own_records() -> None:
    assert await levels(signed_zone()) == [
        ("a.example.org", TlsLevel.DANE, TlsPolicy.TLSA),
        ("b.example.org", TlsLevel.OPPORTUNISTIC, TlsPolicy.NO_POLICY),
    ]


@pytest.mark.parametrize("insecure", ["example.org", "a.example.org"])
async def test_dane_needs_the_set_and_the_addresses_protected(insecure: str) -> None:
    zone = signed_zone()
    zone.insecure = {insecure}
    found = await levels(zone)
    assert isinstance(found, list)
    assert {level for _, level, _ in found} == {TlsLevel.OPPORTUNISTIC}
    assert not any(kind == "TLSA" and "a." in name for name, kind in zone.asked)


async def test_a_failing_lookup_takes_that_host_and_not_the_other() -> None:
    zone, witness = signed_zone(), KeptWitness()
    zone.trouble = {"_25._tcp.a.example.org"}
    found = await levels(zone, witness=witness)
    assert found == [("b.example.org", TlsLevel.OPPORTUNISTIC, TlsPolicy.NO_POLICY)]
    assert witness.seen == [
        ("example.org", "a.example.org", TlsPolicy.TLSA, TlsFault.DNSSEC_INVALID)
    ]
    zone.trouble.add("_25._tcp.b.example.org")
    assert await levels(zone) == DNSSEC_BROKEN
    assert DNSSEC_BROKEN.code < 500


async def test_a_bogus_mx_set_is_temporary() -> None:
    zone = signed_zone()
    zone.trouble = {("example.org", "MX")}
    assert await levels(zone) == NO_ANSWER


async def test_dane_goes_before_a_policy_host_by_host() -> None:
    policies = HandPolicies({"example.org": ENFORCE})
    assert await levels(signed_zone(), policies=policies) == [
        ("a.example.org", TlsLevel.DANE, TlsPolicy.TLSA),
        ("b.example.org", TlsLevel.VERIFIED, TlsPolicy.STS),
    ]


async def test_hosts_outside_the_policy_are_passed_over_and_counted() -> None:
    zone, witness = signed_zone(), KeptWitness()
    zone.is_signed = False
    policies = HandPolicies({"example.org": ENFORCE})
    found = await levels(zone, policies=policies, witness=witness)
    assert found == [("b.example.org", TlsLevel.VERIFIED, TlsPolicy.STS)]
    assert witness.seen == [
        ("example.org", "a.example.org", TlsPolicy.STS, TlsFault.VALIDATION_FAILURE)
    ]
    policies = HandPolicies({"example.org": StsPolicy(StsMode.ENFORCE, ("x.example",), 9)})
    assert await levels(zone, policies=policies) == NOT_IN_POLICY
    assert NOT_IN_POLICY.code < 500


async def test_a_host_of_the_policy_is_found_behind_many_others() -> None:
    zone = HandZone({("example.org", "MX"): [f"{n} h{n}.example.org." for n in range(9)]})
    zone.records["example.org", "MX"].append("9 mx.example.net.")
    names = [f"h{n}.example.org" for n in range(9)]
    zone.records |= {(name, "A"): ["192.0.2.1", "192.0.2.2"] for name in [*names, "mx.example.net"]}
    policies = HandPolicies({"example.org": ENFORCE})
    found = await levels(zone, policies=policies)
    assert found == [("mx.example.net", TlsLevel.VERIFIED, TlsPolicy.STS)]


async def test_required_tls_wants_a_name_that_is_vouched_for() -> None:
    assert await levels(signed_zone(), REQUIRED) == [
        ("a.example.org", TlsLevel.DANE, TlsPolicy.TLSA),
        ("b.example.org", TlsLevel.VERIFIED, TlsPolicy.REQUIRETLS),
    ]
    plain = signed_zone()
    plain.is_signed = False
    assert await levels(plain, REQUIRED) == NOT_AUTHENTIC
    assert NOT_AUTHENTIC.code >= 500
    policies = HandPolicies({"example.org": ENFORCE})
    found = await levels(plain, REQUIRED, policies)
    assert found == [("b.example.org", TlsLevel.VERIFIED, TlsPolicy.STS)]


async def test_required_tls_waits_for_a_policy_that_could_not_be_had() -> None:
    plain, policies = signed_zone(), HandPolicies()
    plain.is_signed = policies.is_certain = False
    assert await levels(plain, REQUIRED, policies) == NOT_AUTHENTIC_NOW
    assert NOT_AUTHENTIC_NOW.code < 500


async def test_required_tls_to_a_domain_that_is_its_own_mail_host() -> None:
    zone = HandZone({("example.org", "A"): ["192.0.2.1"]})
    found = await levels(zone, REQUIRED)
    assert found == [("example.org", TlsLevel.VERIFIED, TlsPolicy.REQUIRETLS)]


async def test_required_tls_to_an_address_is_impossible() -> None:
    hop = await next_hops(HandZone({}), RULES).find(AddressLiteral.parse("[192.0.2.1]"), REQUIRED)
    assert hop == NoHop("[192.0.2.1]", NOT_AUTHENTIC)


async def test_optional_tls_asks_for_no_policy_at_all() -> None:
    zone, policies = signed_zone(), HandPolicies({"example.org": ENFORCE})
    zone.trouble = {"_25._tcp.a.example.org"}
    found = await levels(zone, Wishes(tls_optional=True), policies)
    assert found == [
        ("a.example.org", TlsLevel.OPPORTUNISTIC, TlsPolicy.OPTIONAL),
        ("b.example.org", TlsLevel.OPPORTUNISTIC, TlsPolicy.OPTIONAL),
    ]
    assert policies.asked == []
    assert not any(kind == "TLSA" for _, kind in zone.asked)


async def test_the_names_of_an_aliased_domain() -> None:
    zone = signed_zone()
    zone.records["alias.example", "CNAME"] = ["example.org"]
    hop = await next_hops(zone, RULES).find(Domain("alias.example"), Wishes())
    assert isinstance(hop, NextHop)
    names = ("a.example.org", "alias.example", "example.org")
    assert hop.hosts[0].demand.names == names
