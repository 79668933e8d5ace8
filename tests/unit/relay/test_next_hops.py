"""A domain's next hop is what the DNS says, and never ourselves or a private place."""

import ipaddress
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from mailbox_server.model.address import AddressLiteral, Domain
from mailbox_server.model.next_hop import Host, NextHop, NoHop
from mailbox_server.model.tls_demand import TlsLevel
from mailbox_server.net.own_addresses import TakesMail
from mailbox_server.relay.hop_replies import (
    LITERAL_NOT_PUBLIC,
    LOOP,
    NO_ANSWER,
    NO_MAIL_HOST,
    NO_SUCH_DOMAIN,
    NOT_PUBLIC,
    NULL_MX,
)
from mailbox_server.relay.mail_exchangers import Ourselves
from mailbox_server.relay.next_hops import HopRules, NextHops, Wishes
from tests.unit.relay.zone import HandClock, HandZone, LastEntropy, next_hops

OURSELVES = Ourselves(
    frozenset({"mail.us.example"}), frozenset({ipaddress.ip_address("203.0.113.1")})
)
BEST = {
    ("example.org", "MX"): ["20 b.example.org.", "10 a.example.org."],
    ("a.example.org", "A"): ["192.0.2.1"],
    ("a.example.org", "AAAA"): ["2001:db8::1"],
    ("b.example.org", "A"): ["192.0.2.2"],
}
Zone = Mapping[tuple[str, str], Sequence[str]]


def finder(zone: HandZone, rules: HopRules | None = None) -> NextHops:
    return next_hops(zone, rules or HopRules(OURSELVES))


async def find(zone: Zone | HandZone, domain: str = "example.org") -> NextHop | NoHop:
    names = zone if isinstance(zone, HandZone) else HandZone(zone)
    return await finder(names).find(Domain.parse(domain), Wishes())


async def hosts(zone: Zone | HandZone, domain: str = "example.org") -> tuple[Host, ...]:
    hop = await find(zone, domain)
    assert isinstance(hop, NextHop), hop
    return hop.hosts


async def tried(zone: Zone | HandZone, domain: str = "example.org") -> list[tuple[str, list[str]]]:
    return [(host.name, [str(ip) for ip in host.ips]) for host in await hosts(zone, domain)]


async def test_exchangers_by_preference() -> None:
    assert await tried(BEST) == [
        ("a.example.org", ["2001:db8::1", "192.0.2.1"]),
        ("b.example.org", ["192.0.2.2"]),
    ]
    host = (await hosts(BEST))[0]
    assert host.port == 25
    assert (host.demand.level, host.demand.server_name) == (
        TlsLevel.OPPORTUNISTIC,
        "a.example.org",
    )


async def test_equals_come_in_random_order() -> None:
    zone = {("example.org", "MX"): [f"10 {name}.example.org." for name in "abc"]}
    zone |= {(f"{name}.example.org", "A"): [f"192.0.2.{ord(name)}"] for name in "abc"}
    chance = random.Random(5)

    class Chance(LastEntropy):
        def below(self, limit: int) -> int:
            return chance.randrange(limit)

    first: Counter[str] = Counter()
    for _ in range(300):
        hops = next_hops(HandZone(zone), HopRules(OURSELVES), entropy=Chance())
        hop = await hops.find(Domain("example.org"), Wishes())
        assert isinstance(hop, NextHop)
        first[hop.hosts[0].name] += 1
    assert min(first.values()) > 60 and len(first) == 3


async def test_without_exchangers_the_domain_is_its_own_mail_host() -> None:
    zone = {
        ("example.org", "A"): ["192.0.2.9"],
        ("alias.example", "CNAME"): ["example.org"],
    }
    assert await tried(zone) == [("example.org", ["192.0.2.9"])]
    assert await tried(zone, "alias.example") == [("alias.example", ["192.0.2.9"])]


async def test_aliases_of_domains_and_of_hosts_are_followed() -> None:
    zone = BEST | {
        ("alias.example", "CNAME"): ["example.org"],
        ("example.net", "MX"): ["1 mx.example.net."],
        ("mx.example.net", "CNAME"): ["b.example.org"],
    }
    assert (await tried(zone, "alias.example"))[0][0] == "a.example.org"
    assert await tried(zone, "example.net") == [("mx.example.net", ["192.0.2.2"])]


async def test_international_domains_are_asked_as_a_labels() -> None:
    zone = {
        ("xn--bcher-kva.example", "MX"): ["1 b.example.org."],
        ("b.example.org", "A"): ["192.0.2.2"],
    }
    hop = await find(zone, "Bücher.example")
    assert isinstance(hop, NextHop)
    assert (hop.key, hop.hosts[0].name) == ("xn--bcher-kva.example", "b.example.org")


@pytest.mark.parametrize(
    ("zone", "reply"),
    [
        ({}, NO_SUCH_DOMAIN),
        ({("example.org", "CNAME"): ["nowhere.example"]}, NO_SUCH_DOMAIN),
        ({("example.org", "MX"): ["0 ."]}, NULL_MX),
        ({("example.org", "MX"): ["0 .", "5 ."]}, NULL_MX),
        ({("example.org", "TXT"): ["x"]}, NO_MAIL_HOST),
        ({("example.org", "MX"): ["1 nowhere.example."]}, NO_MAIL_HOST),
        ({("example.org", "MX"): ["1 odd\\000name.example.", "2 a\\032b."]}, NO_MAIL_HOST),
        ({("example.org", "MX"): ["1 192.0.2.1."]}, NO_MAIL_HOST),
    ],
)
async def test_what_is_certain_is_permanent(zone: Zone, reply: object) -> None:
    hop = await find(zone)
    assert hop == NoHop("example.org", reply)  # type: ignore[arg-type]


async def test_a_null_record_among_others_says_nothing() -> None:
    zone = BEST | {("example.org", "MX"): ["0 .", "10 b.example.org."]}
    assert await tried(zone) == [("b.example.org", ["192.0.2.2"])]


@pytest.mark.parametrize(
    "trouble",
    [
        [("example.org", "MX")],
        [("a.example.org", "A"), ("a.example.org", "AAAA"), "b.example.org"],
        ["example.org", "a.example.org"],
    ],
)
async def test_trouble_with_the_dns_is_never_permanent(trouble: list[object]) -> None:
    zone = HandZone(BEST)
    zone.trouble = set(trouble)
    assert await find(zone) == NoHop("example.org", NO_ANSWER)
    assert NO_ANSWER.code < 500


async def test_trouble_with_one_host_leaves_the_other() -> None:
    zone = HandZone(BEST)
    zone.trouble = {"a.example.org"}
    assert await tried(zone) == [("b.example.org", ["192.0.2.2"])]
    del zone.records["b.example.org", "A"]
    assert await find(zone) == NoHop("example.org", NO_ANSWER)


async def test_no_address_for_the_domain_itself_when_that_is_trouble() -> None:
    zone = HandZone({("example.org", "A"): ["192.0.2.9"]})
    zone.trouble = {("example.org", "A")}
    assert await find(zone) == NoHop("example.org", NO_ANSWER)


@pytest.mark.parametrize(
    ("exchangers", "left"),
    [
        (["10 a.example.org.", "20 mail.us.example."], ["a.example.org"]),
        (["10 a.example.org.", "20 mail.us.example.", "20 b.example.org."], ["a.example.org"]),
        (["10 a.example.org.", "20 mail.us.example.", "30 b.example.org."], ["a.example.org"]),
        (["10 a.example.org.", "10 mail.us.example."], None),
        (["10 mail.us.example.", "20 a.example.org."], None),
        # The same by address: other.example is us under a name that nobody told us.
        (["10 a.example.org.", "20 other.example.", "30 b.example.org."], ["a.example.org"]),
        (["10 other.example.", "10 a.example.org."], None),
    ],
)
async def test_ourselves_and_who_is_worse_are_dropped(
    exchangers: list[str], left: list[str] | None
) -> None:
    zone = BEST | {
        ("example.org", "MX"): exchangers,
        ("mail.us.example", "A"): ["203.0.113.1"],
        ("other.example", "A"): ["203.0.113.1"],
    }
    if left is None:
        assert await find(zone) == NoHop("example.org", LOOP)
    else:
        assert [host.name for host in await hosts(zone)] == left


async def test_a_domain_without_exchangers_that_is_ourselves() -> None:
    zone = {("mail.us.example", "A"): ["203.0.113.1"], ("x.example", "A"): ["203.0.113.1"]}
    zone |= {("y.example", "CNAME"): ["mail.us.example"]}
    for domain in ("mail.us.example", "x.example", "y.example"):
        assert await find(zone, domain) == NoHop(domain, LOOP)


async def test_our_own_addresses_are_those_of_our_name() -> None:
    zone = HandZone(
        BEST
        | {
            ("example.org", "MX"): ["10 a.example.org.", "20 other.example."],
            ("other.example", "A"): ["203.0.113.77"],
            ("mail.us.example", "A"): ["203.0.113.77", "127.0.0.1"],
        }
    )
    assert [host.name for host in await hosts(zone)] == ["a.example.org"]
    literal = AddressLiteral.parse("[203.0.113.77]")
    hop = await finder(zone).find(literal, Wishes())
    assert hop == NoHop(literal.ascii, LOOP)
    # A private address is not one that others mean.
    zone.records["other.example", "A"] = ["127.0.0.1"]
    rules = HopRules(OURSELVES, opened=(ipaddress.ip_network("127.0.0.0/8"),))
    hop = await finder(zone, rules).find(Domain("example.org"), Wishes())
    assert isinstance(hop, NextHop)
    assert [host.name for host in hop.hosts] == ["a.example.org", "other.example"]


async def test_where_we_listen_is_ourselves_under_any_name() -> None:
    zone = HandZone(
        BEST
        | {
            ("example.org", "MX"): ["10 a.example.org.", "20 other.example."],
            ("x.example", "MX"): ["10 other.example."],
            ("other.example", "A"): ["203.0.113.99"],
        }
    )
    listening = TakesMail(frozenset({ipaddress.ip_address("203.0.113.99")}))
    hops = finder(zone, HopRules(Ourselves(frozenset({"mail.us.example"}), takes=listening)))
    assert await hops.find(Domain("x.example"), Wishes()) == NoHop("x.example", LOOP)
    literal = AddressLiteral.parse("[203.0.113.99]")
    assert await hops.find(literal, Wishes()) == NoHop(literal.ascii, LOOP)
    hop = await hops.find(Domain("example.org"), Wishes())
    assert isinstance(hop, NextHop) and [host.name for host in hop.hosts] == ["a.example.org"]


async def test_our_own_name_is_not_asked_for_each_message() -> None:
    zone = HandZone(BEST)
    zone.trouble = {"mail.us.example"}
    clock = HandClock()
    hops = next_hops(zone, HopRules(OURSELVES), clock=clock)
    for _ in range(3):
        assert isinstance(await hops.find(Domain("example.org"), Wishes()), NextHop)
    assert zone.asked.count(("mail.us.example", "A")) == 1
    clock.seconds += 601
    await hops.find(Domain("example.org"), Wishes())
    assert zone.asked.count(("mail.us.example", "A")) == 2


async def test_a_broken_better_host_before_ourselves_may_come_back() -> None:
    zone = HandZone(BEST | {("example.org", "MX"): ["10 a.example.org.", "20 mail.us.example."]})
    zone.trouble = {"a.example.org"}
    assert await find(zone) == NoHop("example.org", NO_ANSWER)


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.1.1"])
async def test_private_targets_are_refused(ip: str) -> None:
    zone = BEST | {("a.example.org", "A"): [ip], ("a.example.org", "AAAA"): ["::1", "fe80::1"]}
    assert await tried(zone) == [("b.example.org", ["192.0.2.2"])]
    zone[("b.example.org", "A")] = [ip]
    assert await find(zone) == NoHop("example.org", NOT_PUBLIC)
    zone[("a.example.org", "A")] = [ip, "192.0.2.1"]
    assert await tried(zone) == [("a.example.org", ["192.0.2.1"])]


async def test_private_targets_that_an_operator_opened() -> None:
    zone = HandZone({("example.org", "A"): ["10.1.1.1", "127.0.0.1"]})
    rules = HopRules(OURSELVES, port=2525, opened=(ipaddress.ip_network("10.0.0.0/8"),))
    hop = await finder(zone, rules).find(Domain("example.org"), Wishes())
    assert isinstance(hop, NextHop)
    assert [(str(ip), host.port) for host in hop.hosts for ip in host.ips] == [("10.1.1.1", 2525)]


@pytest.mark.parametrize(
    ("literal", "reply"),
    [
        ("[192.0.2.7]", None),
        ("[IPv6:2001:db8::7]", None),
        ("[127.0.0.1]", LITERAL_NOT_PUBLIC),
        ("[IPv6:::1]", LITERAL_NOT_PUBLIC),
        ("[IPv6:::ffff:127.0.0.1]", LITERAL_NOT_PUBLIC),
        ("[203.0.113.1]", LOOP),
    ],
)
async def test_address_literals(literal: str, reply: object) -> None:
    domain = AddressLiteral.parse(literal)
    zone = HandZone({})
    hop = await finder(zone).find(domain, Wishes())
    if reply is not None:
        assert hop == NoHop(domain.ascii, reply)  # type: ignore[arg-type]
        return
    assert isinstance(hop, NextHop)
    assert [(host.name, host.ips) for host in hop.hosts] == [(literal, (domain.ip,))]
    assert hop.hosts[0].demand.server_name == ""


async def test_five_addresses_at_most_of_two_hosts_at_least() -> None:
    many = {("a.example.org", "A"): [f"192.0.2.{n}" for n in range(1, 50)]}
    four = [f"192.0.2.{n}" for n in (1, 2)]
    assert await tried(BEST | many) == [
        ("a.example.org", ["2001:db8::1", *four]),
        ("b.example.org", ["192.0.2.2"]),
    ]
    alone = many | {("example.org", "MX"): ["1 a.example.org."]}
    assert await tried(alone) == [("a.example.org", [f"192.0.2.{n}" for n in range(1, 6)])]


async def test_questions_stay_few_however_many_exchangers_there_are() -> None:
    zone = HandZone({("example.org", "MX"): [f"10 h{n}.example.org." for n in range(1_000)]})
    assert await find(zone) == NoHop("example.org", NO_MAIL_HOST)
    assert len(zone.asked) == 23
    zone = HandZone({("example.org", "MX"): [f"{n} h{n}.example.org." for n in range(1_000)]})
    zone.records |= {(f"h{n}.example.org", "A"): ["192.0.2.1"] * 3 for n in range(1_000)}
    assert len(await hosts(zone)) == 2
    assert len(zone.asked) == 7


async def test_a_broken_family_comes_last() -> None:
    zone = HandZone(BEST)
    clock = HandClock()
    hops = next_hops(zone, HopRules(OURSELVES), clock=clock)

    async def first() -> int:
        hop = await hops.find(Domain("example.org"), Wishes())
        assert isinstance(hop, NextHop)
        return hop.hosts[0].ips[0].version

    six, four = ipaddress.ip_address("2001:db8::1"), ipaddress.ip_address("192.0.2.1")
    assert await first() == 6
    for _ in range(3):
        hops.families.missed(six)
    assert await first() == 6, "one dead host says nothing of its family"
    for number in range(3):
        hops.families.missed(six + number)
    assert await first() == 4
    for number in range(3):
        hops.families.missed(four + number)
    assert await first() == 6, "when neither works, both are as good as ever"
    hops.families.reached(four)
    assert await first() == 4
    clock.seconds += 601
    assert await first() == 6
    hops.families.missed(six)
    assert await first() == 4
    hops.families.reached(six)
    assert await first() == 6
