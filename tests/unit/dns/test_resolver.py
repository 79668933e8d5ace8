"""The resolver turns all that a name server can do into values."""

import asyncio
import ipaddress
from datetime import UTC, datetime

import dns.rcode
import pytest

from mailbox_server.dns.answers import MailExchanger, Outcome, ServiceRecord, TlsaRecord
from mailbox_server.dns.resolver import NameServer, Resolver, ResolverPlan
from mailbox_server.model.address import Domain
from tests.dns_server import DnsServer, dns_server, reverse_name

ZONE = {
    ("example.org", "MX"): ["20 b.example.org.", "10 A.example.org.", "10 odd_name.example.org."],
    ("null.example", "MX"): ["0 ."],
    ("example.org", "TXT"): ['"v=spf1 " "-all"', '"caf\\195\\169"'],
    ("a.example.org", "A"): ["192.0.2.1", "192.0.2.2"],
    ("a.example.org", "AAAA"): ["2001:db8::1"],
    ("four.example.org", "A"): ["192.0.2.4"],
    ("_25._tcp.a.example.org", "TLSA"): ["3 1 1 " + "ab" * 32],
    ("_imaps._tcp.example.org", "SRV"): ["0 1 993 A.example.org."],
    ("_imap._tcp.example.org", "SRV"): ["0 0 0 ."],
    ("alias.example.org", "CNAME"): ["a.example.org."],
    ("astray.example.org", "CNAME"): ["nowhere.example.org."],
    ("xn--bcher-kva.example", "A"): ["192.0.2.9"],
    (reverse_name("192.0.2.1"), "PTR"): ["liar.example.org.", "bad_name.x.", "A.example.org."],
    (reverse_name("192.0.2.4"), "PTR"): ["liar.example.org."],
    (reverse_name("2001:db8::1"), "PTR"): ["a.example.org."],
    ("liar.example.org", "A"): ["203.0.113.1"],
}


class HandClock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


def asking(server: DnsServer, clock: HandClock | None = None, **plan: object) -> Resolver:
    given = {"deadline_seconds": 5.0, **plan}
    return Resolver(
        ResolverPlan((NameServer("127.0.0.1", server.port),), **given),  # type: ignore[arg-type]
        clock or HandClock(),
    )


async def was_asked(server: DnsServer) -> None:
    while not server.asked:  # noqa: ASYNC110 - the fixture has no event for it
        await asyncio.sleep(0)


async def test_services() -> None:
    async with dns_server(ZONE) as server:
        resolver = asking(server)
        there = await resolver.services("_imaps._tcp.example.org")
        assert there.records == (ServiceRecord(0, 1, 993, "a.example.org"),)
        gone = await resolver.services("_imap._tcp.example.org")
        assert gone.records == (ServiceRecord(0, 0, 0, ""),)
        absent = await resolver.services("_pop3._tcp.example.org")
        assert absent.outcome is Outcome.NO_DOMAIN


async def test_typed_answers() -> None:
    async with dns_server(ZONE) as server:
        resolver = asking(server)
        mx = await resolver.mx("Example.ORG.")
        assert mx.outcome is Outcome.FOUND
        assert mx.canonical == "example.org"
        assert [record.preference for record in mx.records] == [10, 10, 20]
        assert mx.records[2] == MailExchanger(20, "b.example.org")
        assert {record.host for record in mx.records[:2]} == {
            "a.example.org",
            "odd_name.example.org",
        }
        assert (await resolver.mx("null.example")).records == (MailExchanger(0, ""),)
        txt = await resolver.txt("example.org")
        assert set(txt.records) == {b"v=spf1 -all", "café".encode()}
        assert set((await resolver.ipv4("a.example.org")).records) == {
            ipaddress.ip_address("192.0.2.1"),
            ipaddress.ip_address("192.0.2.2"),
        }
        assert (await resolver.ipv6("a.example.org")).records == (
            ipaddress.ip_address("2001:db8::1"),
        )
        tlsa = await resolver.tlsa("_25._tcp.a.example.org")
        assert tlsa.records == (TlsaRecord(3, 1, 1, b"\xab" * 32),)


async def test_both_address_families_together() -> None:
    async with dns_server(ZONE) as server:
        resolver = asking(server)
        both = await resolver.addresses("a.example.org")
        assert [ip.version for ip in both.records] == [6, 4, 4]
        assert (await resolver.addresses("four.example.org")).outcome is Outcome.FOUND
        assert (await resolver.addresses("example.org")).outcome is Outcome.NO_DATA
        assert (await resolver.addresses("missing.example.org")).outcome is Outcome.NO_DOMAIN
        server.rcode = dns.rcode.SERVFAIL
        assert (await resolver.addresses("fresh.example.org")).is_trouble


async def test_aliases_are_followed() -> None:
    async with dns_server(ZONE) as server:
        resolver = asking(server)
        found = await resolver.ipv4("alias.example.org")
        assert (found.outcome, found.canonical) == (Outcome.FOUND, "a.example.org")
        assert (await resolver.ipv4("astray.example.org")).outcome is Outcome.NO_DOMAIN


async def test_an_alias_is_told_itself() -> None:
    async with dns_server(ZONE) as server:
        resolver = asking(server)
        assert (await resolver.alias("alias.example.org")).records == ("a.example.org",)
        assert (await resolver.alias("a.example.org")).outcome is Outcome.NO_DATA
        assert (await resolver.alias("missing.example.org")).outcome is Outcome.NO_DOMAIN


async def test_half_an_answer_does_not_stand_for_protected_addresses() -> None:
    async with dns_server(ZONE) as server:
        server.rcode_of = {"AAAA": dns.rcode.SERVFAIL}
        assert (await asking(server).addresses("four.example.org")).outcome is Outcome.FOUND
        server.is_authenticated = True
        assert (await asking(server, trusted=True).addresses("four.example.org")).is_trouble
        server.rcode_of = {"A": dns.rcode.SERVFAIL}
        assert (await asking(server, trusted=True).addresses("a.example.org")).is_trouble


async def test_absence_is_of_two_kinds() -> None:
    async with dns_server(ZONE) as server:
        resolver = asking(server)
        missing = await resolver.mx("missing.example.org")
        no_data = await resolver.mx("a.example.org")
        assert (missing.outcome, no_data.outcome) == (Outcome.NO_DOMAIN, Outcome.NO_DATA)
        assert missing.is_void and no_data.is_void
        assert not missing.records and not no_data.records


async def test_international_names() -> None:
    async with dns_server(ZONE) as server:
        resolver = asking(server)
        for name in ("bücher.example", "BÜCHER.example", "xn--bcher-kva.example"):
            assert (await resolver.ipv4(name)).outcome is Outcome.FOUND
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "x" * 64 + ".example", ".".join(["abcdefgh"] * 40), "\ud800.example"]
)
async def test_what_is_no_name_does_not_exist(name: str) -> None:
    async with dns_server(ZONE) as server:
        answer = await asking(server).ipv4(name)
        assert answer.outcome is Outcome.NO_DOMAIN
        assert server.asked == []


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP])
async def test_server_trouble_is_temporary_and_not_remembered(rcode: int) -> None:
    async with dns_server(ZONE) as server:
        resolver = asking(server)
        server.rcode = rcode
        answer = await resolver.ipv4("a.example.org")
        assert answer.is_trouble
        assert answer.reason
        assert not answer.is_void
        server.rcode = None
        assert (await resolver.ipv4("a.example.org")).outcome is Outcome.FOUND


async def test_silence_ends_at_the_deadline() -> None:
    async with dns_server(ZONE) as server:
        server.is_silent = True
        resolver = asking(server, deadline_seconds=0.1, try_seconds=0.05)
        answer = await resolver.ipv4("a.example.org")
        assert (answer.outcome, answer.reason) == (Outcome.TROUBLE, "no answer in time")


async def test_garbage_is_trouble() -> None:
    async with dns_server(ZONE) as server:
        server.is_garbling = True
        resolver = asking(server, deadline_seconds=0.2, try_seconds=0.05)
        assert (await resolver.ipv4("a.example.org")).is_trouble


async def test_nobody_to_ask() -> None:
    resolver = Resolver(ResolverPlan((), deadline_seconds=0.2), HandClock())
    assert (await resolver.ipv4("a.example.org")).is_trouble


async def test_truncated_answers_are_asked_again_by_tcp() -> None:
    async with dns_server(ZONE) as server:
        server.truncates = True
        assert (await asking(server).ipv4("a.example.org")).outcome is Outcome.FOUND
        assert server.asked_by_tcp == 1


async def test_authenticated_needs_a_trusted_resolver() -> None:
    async with dns_server(ZONE) as server:
        server.is_authenticated = True
        assert not (await asking(server).ipv4("a.example.org")).authenticated
        trusting = asking(server, trusted=True)
        assert (await trusting.ipv4("a.example.org")).authenticated
        assert (await trusting.mx("a.example.org")).authenticated
        assert (await trusting.ipv4("missing.example.org")).authenticated
        assert (await trusting.addresses("a.example.org")).authenticated
        server.is_authenticated = False
        assert not (await trusting.mx("example.org")).authenticated


@pytest.mark.parametrize("name", ["a.example.org", "missing.example.org", "example.org"])
async def test_answers_live_as_long_as_their_ttl(name: str) -> None:
    clock = HandClock()
    async with dns_server(ZONE, ttl=60) as server:
        resolver = asking(server, clock)
        first = await resolver.ipv4(name)
        clock.seconds += 59
        assert await resolver.ipv4(name) == first
        assert len(server.asked) == 1
        clock.seconds += 1
        again = await resolver.ipv4(name)  # the server shuffles records
        assert (again.outcome, set(again.records)) == (first.outcome, set(first.records))
        assert len(server.asked) == 2
        resolver.forget()
        await resolver.ipv4(name)
        assert len(server.asked) == 3


async def test_no_answer_lives_longer_than_a_day_and_no_absence_than_an_hour() -> None:
    clock = HandClock()
    async with dns_server(ZONE, ttl=10_000_000) as server:
        resolver = asking(server, clock)
        await resolver.ipv4("a.example.org")
        await resolver.ipv4("missing.example.org")
        clock.seconds += 3600
        await resolver.ipv4("a.example.org")
        await resolver.ipv4("missing.example.org")
        assert len(server.asked) == 3
        clock.seconds += 86_400
        await resolver.ipv4("a.example.org")
        assert len(server.asked) == 4


async def test_one_question_for_all_who_ask_the_same() -> None:
    async with dns_server(ZONE, ttl=0) as server:
        resolver = asking(server)
        server.gate.clear()
        asking_all = [asyncio.ensure_future(resolver.ipv4("a.example.org")) for _ in range(50)]
        await was_asked(server)
        server.gate.set()
        answers = await asyncio.gather(*asking_all)
        assert {answer.outcome for answer in answers} == {Outcome.FOUND}
        assert len(server.asked) == 1


async def test_a_cancelled_asker_does_not_take_the_others_with_it() -> None:
    async with dns_server(ZONE) as server:
        resolver = asking(server)
        server.gate.clear()
        first = asyncio.ensure_future(resolver.ipv4("a.example.org"))
        await was_asked(server)
        second = asyncio.ensure_future(resolver.ipv4("a.example.org"))
        third = asyncio.ensure_future(resolver.ipv4("a.example.org"))
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(asyncio.CancelledError):
            await second
        server.gate.set()
        assert (await third).outcome is Outcome.FOUND


async def test_verified_name() -> None:
    async with dns_server(ZONE) as server:
        resolver = asking(server)
        name = Domain("a.example.org")
        assert await resolver.verified_name(ipaddress.ip_address("192.0.2.1")) == name
        assert await resolver.verified_name(ipaddress.ip_address("2001:db8::1")) == name
        assert await resolver.verified_name(ipaddress.ip_address("192.0.2.4")) is None
        assert await resolver.verified_name(ipaddress.ip_address("192.0.2.77")) is None


async def test_many_claims_cost_five_questions_at_most() -> None:
    zone = {(reverse_name("192.0.2.1"), "PTR"): [f"h{n}.example.org." for n in range(100)]}
    async with dns_server(zone) as server:
        assert await asking(server).verified_name(ipaddress.ip_address("192.0.2.1")) is None
        assert len(server.asked) == 6


async def test_verified_name_keeps_its_deadline() -> None:
    async with dns_server(ZONE) as server:
        server.is_silent = True
        resolver = asking(server)
        assert await resolver.verified_name(ipaddress.ip_address("192.0.2.1"), 0.05) is None
