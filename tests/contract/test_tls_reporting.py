"""Reports of the day that is over leave once, by mail or https, for who asks for them."""

import gzip
import ipaddress
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from mailbox_server.checks.dkim.key_ring import KeyRing
from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.model.address import Address, Domain, IpAddress
from mailbox_server.model.dkim_key import KeyState
from mailbox_server.model.outbound import Departure, Origin
from mailbox_server.model.tls_count import TlsCase, TlsCount
from mailbox_server.model.tls_demand import TlsPolicy
from mailbox_server.net.https_client import HttpsClient, HttpsPlan
from mailbox_server.relay.tls_reports.report import Report
from mailbox_server.relay.tls_reports.reporting import TlsReporter
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import Rooms, WriteTx
from tests.contract.conftest import TurnedClock
from tests.https_server import HttpsServer, https_server, text_answer, write_authority
from tests.unit.checks.dkim.pairs import pair
from tests.unit.delivery.house import KeptEvents
from tests.unit.relay.zone import HandZone

HOSTNAME = Domain("mail.us.example")
TODAY = date(2026, 1, 2)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)
CERTIFICATE = AUTHORITY.issue_cert("reports.example", key_type=trustme.KeyType.ECDSA)
BY_MAIL = {("_smtp._tls.example.org", "TXT"): ["v=TLSRPTv1; rua=mailto:tls@example.org"]}
BY_HTTPS = {("_smtp._tls.example.org", "TXT"): ["v=TLSRPTv1; rua=https://reports.example/v1"]}


class World:
    """A reporter with its DNS and an https server that takes reports."""

    def __init__(
        self, store: SqliteStore, clock: TurnedClock, server: HttpsServer, authorities: str
    ) -> None:
        self.store, self.clock, self.server = store, clock, server
        self.zone = HandZone({})
        self.events = KeptEvents()
        plan = HttpsPlan(server.port, (ipaddress.ip_network("127.0.0.0/8"),), authorities)
        self.reporter = TlsReporter(
            store,
            self.zone,
            HttpsClient(self.loopback, plan),
            Signer(KeyRing(store, self.events), clock),
            HOSTNAME,
            clock,
            self.events,
        )

    async def loopback(self, name: str) -> Sequence[IpAddress]:
        return (ipaddress.ip_address("127.0.0.1"),)

    async def host(self, *domains: str, seen: str = "") -> None:
        """Host these, the first for the longest time; seen: whose key stands in the DNS."""

        def work(tx: WriteTx) -> None:
            for number, domain in enumerate(domains):
                made = self.clock.now() + timedelta(seconds=number)
                tx.domains.add(Domain(domain), None, made)
                for key in pair(domain):
                    kept = tx.dkim_keys.add(key, KeyState.SIGNING, made)
                    if domain == seen:
                        tx.dkim_keys.saw(kept.id, made)

        await self.store.write(work)

    async def count(self, domain: str = "example.org", day: date = TODAY) -> None:
        case = TlsCase(day, domain, TlsPolicy.NO_POLICY)
        await self.store.write(lambda tx: tx.tls_counts.add([TlsCount(case, 3)]))

    async def days(self) -> list[date]:
        return await self.store.read(lambda tx: tx.tls_counts.days())

    async def departures(self) -> list[tuple[Departure, str]]:
        def work(tx: object) -> list[tuple[Departure, str]]:
            found = []
            for due in tx.outbound.due(self.clock.now(), 100, Rooms(100, {})):  # type: ignore[attr-defined]
                departure = tx.outbound.departure(due.departure)  # type: ignore[attr-defined]
                job = tx.outbound.find(due.outbound)  # type: ignore[attr-defined]
                found.append((departure, str(job.address)))
            return found

        return await self.store.read(work)


@pytest.fixture
async def world(store: SqliteStore, clock: TurnedClock, tmp_path: Path) -> AsyncIterator[World]:
    async with https_server(CERTIFICATE) as server:
        yield World(store, clock, server, write_authority(tmp_path, AUTHORITY))


@pytest.fixture
async def signing(world: World) -> World:
    await world.host("us.example")
    return world


async def test_a_report_by_mail_goes_once(signing: World) -> None:
    world = signing
    world.zone.records |= BY_MAIL
    await world.count()
    await world.reporter.send_due()
    assert await world.departures() == [], "the day is not over"
    world.clock.turn(days=1, hours=4)
    await world.reporter.send_due()
    await world.reporter.send_due()
    ((departure, recipient),) = await world.departures()
    assert recipient == "tls@example.org"
    assert departure.origin is Origin.REPORT
    assert departure.tls_optional and not departure.require_tls
    assert str(departure.reverse_path) == "postmaster@us.example"
    assert departure.trace.count(b"DKIM-Signature:") == 2
    content = await world.store.read(
        lambda tx: tx.contents.read(departure.content, 0, departure.size)
    )
    assert departure.size == len(departure.trace) + len(content)
    assert b"TLS-Report-Domain: example.org\r\n" in content
    assert b":tls-report-domain:tls-report-submitter" in b"".join(departure.trace.split())
    assert await world.days() == []


@pytest.mark.parametrize(
    ("hosted", "seen", "reports"),
    [
        (["other.example", "us.example"], "", "us.example"),
        (["other.example", "mail.us.example", "us.example"], "", "mail.us.example"),
        (["z.example", "other.example"], "", "z.example"),
        (["z.example", "other.example"], "other.example", "other.example"),
        (["us.example", "other.example"], "other.example", "other.example"),
    ],
)
async def test_a_report_is_signed_by_the_domain_that_it_names(
    world: World, hosted: list[str], seen: str, reports: str
) -> None:
    """RFC 8460 §3: whatever our host name is."""
    await world.host(*hosted, seen=seen)
    world.zone.records |= BY_MAIL
    await world.count()
    world.clock.turn(days=1, hours=4)
    await world.reporter.send_due()
    ((departure, _),) = await world.departures()
    assert departure.trace.count(f"d={reports};".encode()) == 2
    assert str(departure.reverse_path) == f"postmaster@{reports}"
    content = await world.store.read(lambda tx: tx.contents.read(departure.content, 0, 2_000))
    assert f"From: postmaster@{reports}\r\n".encode() in content
    assert f"TLS-Report-Submitter: {reports}\r\n".encode() in content


async def test_without_a_key_a_report_goes_by_https_alone(world: World) -> None:
    await world.store.write(lambda tx: tx.domains.add(Domain("us.example"), None, NOON))
    both = "v=TLSRPTv1; rua=mailto:tls@example.org,https://reports.example/v1"
    world.zone.records["_smtp._tls.example.org", "TXT"] = [both]
    world.zone.records["_smtp._tls.other.example", "TXT"] = [both.partition(",")[0]]
    world.server.answer = lambda head, body: text_answer(b"", status="201 Created")
    await world.count()
    await world.count("other.example")
    world.clock.turn(days=1, hours=4)
    await world.reporter.send_due()
    assert await world.departures() == []
    assert len(world.server.bodies) == 1
    # Until its time is over there may be a key.
    assert await world.days() == [TODAY]


async def test_the_reports_of_a_day_leave_within_four_hours_of_its_end(signing: World) -> None:
    world = signing
    world.zone.records |= BY_MAIL
    await world.count()
    world.clock.turn(hours=20, minutes=56)
    hours = 0
    while await world.days():
        await world.reporter.send_due()
        world.clock.turn(hours=1)
        hours += 1
    assert hours <= 5


async def test_a_report_by_https(world: World) -> None:
    world.zone.records |= BY_HTTPS
    world.server.answer = lambda head, body: text_answer(b"", status="201 Created")
    await world.count()
    world.clock.turn(days=1, hours=4)
    await world.reporter.send_due()
    await world.reporter.send_due()
    (body,) = world.server.bodies
    assert json.loads(gzip.decompress(body))["policies"][0]["summary"] == {
        "total-successful-session-count": 3,
        "total-failure-session-count": 0,
    }
    assert b"Content-Type: application/tlsrpt+gzip\r\n" in world.server.heads[0]
    assert await world.days() == [] and await world.departures() == []


async def test_a_report_that_is_too_large_for_all_places_is_forgotten(world: World) -> None:
    record = "v=TLSRPTv1; rua=https://reports.example/v1!9"
    world.zone.records["_smtp._tls.example.org", "TXT"] = [record]
    await world.count()
    world.clock.turn(days=1, hours=4)
    await world.reporter.send_due()
    assert world.server.bodies == [] and await world.days() == []


async def test_a_refused_post_is_tried_again_for_a_day(world: World) -> None:
    world.zone.records |= BY_HTTPS
    world.server.answer = lambda head, body: text_answer(b"", status="503 Busy")
    await world.count()
    world.clock.turn(days=1, hours=4)
    for _ in range(30):
        await world.reporter.send_due()
        world.clock.turn(hours=1)
    assert 20 <= len(world.server.bodies) <= 45
    world.clock.turn(days=2)
    await world.reporter.send_due()
    assert await world.days() == []


@pytest.mark.parametrize(
    "record", [[], ["v=spf1 -all"], ["v=TLSRPTv1; rua=ftp://x"], ["v=TLSRPTv1; rua=x"]]
)
async def test_who_asks_for_nothing_gets_nothing(world: World, record: list[str]) -> None:
    world.zone.records["_smtp._tls.example.org", "TXT"] = record
    await world.count()
    world.clock.turn(days=1, hours=4)
    await world.reporter.send_due()
    assert await world.days() == [] and await world.departures() == []


async def test_a_dns_that_fails_leaves_the_counts(signing: World) -> None:
    world = signing
    world.zone.trouble = {"_smtp._tls.example.org"}
    await world.count()
    world.clock.turn(days=1, hours=4)
    await world.reporter.send_due()
    assert await world.days() == [TODAY]
    world.zone.trouble = set()
    world.zone.records |= BY_MAIL
    await world.reporter.send_due()
    assert len(await world.departures()) == 1


async def test_many_domains_and_days(signing: World) -> None:
    world = signing
    for number in range(120):
        domain = f"d{number:03}.example"
        if number % 40 == 0:
            record = f"v=TLSRPTv1; rua=mailto:tls@{domain}"
            world.zone.records[f"_smtp._tls.{domain}", "TXT"] = [record]
        await world.count(domain)
    await world.count("d000.example", TODAY + timedelta(days=1))
    world.clock.turn(days=1, hours=4)
    await world.reporter.send_due()
    mailed = [name for name, _ in world.events.told if name == "relay.tls_report_mailed"]
    assert len(mailed) == 3
    assert await world.days() == [TODAY + timedelta(days=1)]


async def test_what_one_domain_publishes_keeps_no_other_from_its_report(
    signing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = signing
    whole = Report.mail

    def mail(report: Report, recipient: Address, now: datetime) -> bytes:
        if report.domain == "a.example.org":
            raise UnicodeEncodeError("utf-8", "", 0, 1, "made for the test")
        return whole(report, recipient, now)

    monkeypatch.setattr(Report, "mail", mail)
    for name in ("a.example.org", "example.org"):
        world.zone.records[f"_smtp._tls.{name}", "TXT"] = ["v=TLSRPTv1; rua=mailto:t@example.org"]
        await world.count(name)
    world.clock.turn(days=1, hours=4)
    await world.reporter.send_due()
    ((departure, _),) = await world.departures()
    content = await world.store.read(lambda tx: tx.contents.read(departure.content, 0, 2_000))
    assert b"TLS-Report-Domain: example.org\r\n" in content
    assert [name for name, _ in world.events.faults] == ["relay.tls_report"]
