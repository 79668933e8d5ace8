"""The operator's table decides what goes another way, and how."""

import ipaddress

import pytest

from mailbox_server.model.address import Address, Domain
from mailbox_server.model.ids import AccountId
from mailbox_server.model.next_hop import Login, NextHop, NoHop
from mailbox_server.model.tls_demand import TlsLevel, TlsPolicy
from mailbox_server.relay.hop_replies import ROUTE_UNKNOWN
from mailbox_server.relay.mail_exchangers import Ourselves
from mailbox_server.relay.next_hops import HopRules, NextHops, Wishes
from mailbox_server.relay.routes import Route, SmartHost, chosen_by_hand, first_fitting
from tests.unit.relay.zone import HandZone, next_hops

ANN, BOB = Address.parse("Ann@example.org"), Address.parse("bob@example.net")
ISP = SmartHost("smtp.isp.example", 587, login=Login("us", "s3cret"))
IMPLICIT = SmartHost("smtp.isp.example", 465)
INSIDE = SmartHost("10.0.0.5", 25, TlsLevel.NONE)
SOURCE = ipaddress.ip_address("192.0.2.5")


@pytest.mark.parametrize(
    ("route", "domain", "sender", "attempts", "fits"),
    [
        (Route(), "example.com", None, 0, True),
        (Route(recipients=frozenset({"example.com"})), "example.com", None, 0, True),
        (Route(recipients=frozenset({"example.com"})), "a.example.com", None, 0, False),
        (Route(recipients=frozenset({"*.example.com"})), "a.b.example.com", None, 0, True),
        (Route(recipients=frozenset({"*.example.com"})), "example.com", None, 0, False),
        (Route(recipients=frozenset({"*.example.com"})), "anexample.com", None, 0, False),
        (Route(senders=frozenset({"ann@example.org"})), "x.example", ANN, 0, True),
        (Route(senders=frozenset({"example.org"})), "x.example", ANN, 0, True),
        (Route(senders=frozenset({"example.org"})), "x.example", BOB, 0, False),
        (Route(senders=frozenset({"example.org"})), "x.example", None, 0, False),
        (Route(after_failures=2), "x.example", None, 1, False),
        (Route(after_failures=2), "x.example", None, 2, True),
        (Route(frozenset({"a.example"}), frozenset({"example.org"})), "a.example", BOB, 9, False),
    ],
)
def test_fitting(
    route: Route, domain: str, sender: Address | None, attempts: int, fits: bool
) -> None:
    assert route.fits(domain, sender, attempts) is fits


def test_the_first_that_fits_decides() -> None:
    first, second = Route(after_failures=1), Route(smart_host=ISP)
    assert first_fitting([first, second], "x.example", None, 0) is second
    assert first_fitting([first, second], "x.example", None, 1) is first
    assert first_fitting([first], "x.example", None, 0) is None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("smtp.isp.example", ISP),
        ("smtp.isp.example:587", ISP),
        ("smtp.isp.example:465", IMPLICIT),
        ("smtp.isp.example:26", SmartHost("smtp.isp.example", 26, TlsLevel.OPPORTUNISTIC)),
        ("MX.Example", SmartHost("mx.example", 25, TlsLevel.OPPORTUNISTIC)),
        ("192.0.2.1:2525", SmartHost("192.0.2.1", 2525, TlsLevel.OPPORTUNISTIC)),
        ("[2001:db8::1]:2525", SmartHost("2001:db8::1", 2525, TlsLevel.OPPORTUNISTIC)),
        ("2001:db8::1", SmartHost("2001:db8::1", 25, TlsLevel.OPPORTUNISTIC)),
        ("", None),
        (":25", None),
        ("mx.example:", None),
        ("mx.example:0", None),
        ("mx.example:65536", None),
        ("mx.example:25x", None),
        ("mx.example:" + "9" * 5_000, None),
        ("mx.example:\u0662\u0665", None),
        ("no such host", None),
        ("x" * 5_000, None),
    ],
)
def test_a_host_chosen_by_hand(text: str, host: SmartHost | None) -> None:
    table = [Route(), Route(smart_host=ISP), Route(smart_host=IMPLICIT)]
    assert chosen_by_hand(text, table) == host


def finder(zone: HandZone, *routes: Route) -> NextHops:
    addresses = {AccountId(1): ANN, AccountId(2): BOB}

    async def sender_of(account: AccountId) -> Address | None:
        return addresses.get(account)

    rules = HopRules(Ourselves(frozenset({"mail.us.example"})), routes=routes)
    return next_hops(zone, rules, sender_of=sender_of)


ZONE = {
    ("smtp.isp.example", "A"): ["192.0.2.1", "192.0.2.2"],
    ("smtp.isp.example", "AAAA"): ["2001:db8::1"],
    ("example.com", "MX"): ["1 mx.example.com."],
    ("mx.example.com", "A"): ["192.0.2.9"],
}
DOMAIN = Domain("example.com")


async def test_by_smart_host() -> None:
    zone = HandZone(ZONE)
    hop = await finder(zone, Route(smart_host=ISP)).find(DOMAIN, Wishes())
    assert isinstance(hop, NextHop)
    (host,) = hop.hosts
    assert hop.key == "us@smtp.isp.example:587"
    assert (host.name, host.port, host.implicit_tls) == ("smtp.isp.example", 587, False)
    assert [str(ip) for ip in host.ips] == ["2001:db8::1", "192.0.2.1", "192.0.2.2"]
    assert host.login == ISP.login
    assert "s3cret" not in repr(hop)
    assert host.demand.level is TlsLevel.VERIFIED
    assert host.demand.policy is TlsPolicy.OPERATOR
    assert host.demand.names == ("smtp.isp.example",)
    assert {kind for _, kind in zone.asked} == {"A", "AAAA"}, "a smart host's MX is not asked for"


async def test_a_smart_host_may_be_private_and_needs_no_dns() -> None:
    zone = HandZone({})
    hop = await finder(zone, Route(smart_host=INSIDE)).find(DOMAIN, Wishes())
    assert isinstance(hop, NextHop)
    assert [str(ip) for ip in hop.hosts[0].ips] == ["10.0.0.5"]
    assert hop.hosts[0].demand.level is TlsLevel.NONE
    assert zone.asked == []


async def test_a_missing_smart_host_is_temporary() -> None:
    hop = await finder(HandZone({}), Route(smart_host=ISP)).find(DOMAIN, Wishes())
    assert isinstance(hop, NoHop)
    assert hop.reply == ROUTE_UNKNOWN and hop.reply.code < 500


async def test_after_direct_failures() -> None:
    hops = finder(HandZone(ZONE), Route(after_failures=3, smart_host=IMPLICIT))
    keys = []
    for attempts in (0, 2, 3):
        hop = await hops.find(DOMAIN, Wishes(attempts=attempts))
        assert isinstance(hop, NextHop)
        keys.append((hop.key, hop.hosts[0].implicit_tls))
    assert keys == [
        ("example.com", False),
        ("example.com", False),
        ("smtp.isp.example:465", True),
    ]


async def test_sources_of_a_sending_domain() -> None:
    hops = finder(HandZone(ZONE), Route(senders=frozenset({"example.org"}), sources=(SOURCE,)))
    ann = await hops.find(DOMAIN, Wishes(account=AccountId(1)))
    bob = await hops.find(DOMAIN, Wishes(account=AccountId(2)))
    gone = await hops.find(DOMAIN, Wishes(account=AccountId(3)))
    report = await hops.find(DOMAIN, Wishes())
    assert isinstance(ann, NextHop) and isinstance(bob, NextHop)
    assert (ann.key, ann.hosts[0].sources) == ("example.com from 192.0.2.5", (SOURCE,))
    assert (bob.key, bob.hosts[0].sources) == ("example.com", ())
    assert gone == report == bob


async def test_a_message_that_requires_tls_raises_what_the_operator_said() -> None:
    hops = finder(HandZone({}), Route(smart_host=INSIDE))
    hop = await hops.find(DOMAIN, Wishes(require_tls=True))
    assert isinstance(hop, NextHop)
    demand = hop.hosts[0].demand
    assert (demand.level, demand.must_require_tls) == (TlsLevel.VERIFIED, True)
    hop = await finder(HandZone(ZONE), Route(smart_host=ISP)).find(
        DOMAIN, Wishes(tls_optional=True)
    )
    assert isinstance(hop, NextHop)
    assert hop.hosts[0].demand.level is TlsLevel.VERIFIED


async def test_the_hand_goes_before_the_table() -> None:
    hops = finder(HandZone(ZONE), Route(smart_host=INSIDE), Route(smart_host=ISP))
    hop = await hops.find(DOMAIN, Wishes(route="smtp.isp.example:587"))
    assert isinstance(hop, NextHop)
    assert hop.hosts[0].login == ISP.login
    nothing = await hops.find(DOMAIN, Wishes(route="no host"))
    assert nothing == NoHop("no host", ROUTE_UNKNOWN)


async def test_rules_change_while_running() -> None:
    hops = finder(HandZone(ZONE))
    rules = HopRules(Ourselves(frozenset()), routes=(Route(smart_host=INSIDE),))
    hops.change_rules(HandZone({}), rules)
    hop = await hops.find(DOMAIN, Wishes())
    assert hop.key == "10.0.0.5:25"
