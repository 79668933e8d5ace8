"""What is to be published of a domain, as rows and as a zone file that others read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import dns.rdatatype
import dns.zone

from mailbox_server.checks.dkim.keys import record_name
from mailbox_server.cli.zone_file import zone_file
from mailbox_server.model.address import Domain
from mailbox_server.model.dkim_key import DkimKey, KeyState
from mailbox_server.model.ids import DkimKeyId
from mailbox_server.ops.domain_records import Need, Publishing, Wanted, wanted_records
from mailbox_server.ops.rows import RecordRow
from tests.unit.checks.dkim.pairs import pair

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
DOMAIN = Domain.parse("example.org")
KEEP = timedelta(days=30)
PUBLISHING = Publishing(
    Domain.parse("mx.example.org"),
    {"submissions": 465, "imaps": 993, "pop3s": 9950},
    (ip_address("192.0.2.7"), ip_address("2001:db8::7")),
)
KEYS = [
    DkimKey(
        DkimKeyId(number),
        new.domain,
        new.selector,
        new.algorithm,
        new.private,
        new.public,
        KeyState.SIGNING,
        NOON,
        NOON,
        None,
    )
    for number, new in enumerate(pair())
]


def wanted(publishing: Publishing = PUBLISHING) -> list[Wanted]:
    return wanted_records(DOMAIN, publishing, KEYS, KEEP)


def rows(publishing: Publishing = PUBLISHING) -> list[RecordRow]:
    return [
        RecordRow(one.name, one.kind, one.value, one.need.value, one.note)
        for one in wanted(publishing)
    ]


def test_what_is_needed() -> None:
    needed = [(one.name, one.kind, one.value) for one in wanted() if one.need is Need.REQUIRED]
    assert needed[:6] == [
        ("example.org", "MX", "10 mx.example.org."),
        ("mx.example.org", "A", "192.0.2.7"),
        ("7.2.0.192.in-addr.arpa", "PTR", "mx.example.org."),
        ("mx.example.org", "AAAA", "2001:db8::7"),
        (ip_address("2001:db8::7").reverse_pointer, "PTR", "mx.example.org."),
        ("example.org", "TXT", "v=spf1 mx ~all"),
    ]
    assert [name for name, _, _ in needed[6:]] == [record_name(key) for key in KEYS]


def test_a_name_has_one_spf_record() -> None:
    bare = Publishing(DOMAIN, {})
    texts = [one.value for one in wanted(bare) if (one.name, one.kind) == (DOMAIN.ascii, "TXT")]
    assert texts == ["v=spf1 mx ~all"]


def test_services_that_are_not_offered_are_said_so() -> None:
    services = {one.name: one.value for one in wanted() if one.kind == "SRV"}
    assert services == {
        "_submissions._tcp.example.org": "0 1 465 mx.example.org.",
        "_submission._tcp.example.org": "0 0 0 .",
        "_imaps._tcp.example.org": "0 1 993 mx.example.org.",
        "_imap._tcp.example.org": "0 0 0 .",
        "_pop3s._tcp.example.org": "10 1 9950 mx.example.org.",
        "_pop3._tcp.example.org": "0 0 0 .",
    }


def test_retired_and_waiting_keys_are_published_too() -> None:
    first, second = KEYS
    keys = [replace(first, state=KeyState.RETIRED), replace(second, state=KeyState.WAITING)]
    retired, waiting = (
        one for one in wanted_records(DOMAIN, PUBLISHING, keys, KEEP) if one.key is not None
    )
    assert retired.need is Need.RECOMMENDED
    assert "2026-12-29" in retired.note
    assert waiting.need is Need.REQUIRED


def test_a_zone_file_is_read_as_it_is_meant() -> None:
    zone = dns.zone.from_text(zone_file("example.org", rows()), "example.org.", check_origin=False)
    held: set[tuple[str, str, str]] = set()
    for name, _, record in zone.iterate_rdatas():
        kind = dns.rdatatype.to_text(record.rdtype)
        full = name.derelativize(zone.origin).to_text(omit_final_dot=True)
        if kind == "TXT":
            assert all(len(string) <= 255 for string in record.strings)
            held.add((full, kind, b"".join(record.strings).decode()))
        else:
            held.add((full, kind, record.to_text(origin=zone.origin, relativize=False)))
    expected = {
        (one.name, one.kind, one.value)
        for one in wanted()
        if one.kind != "PTR" and one.need is not Need.LATER
    }
    assert held == expected


def test_what_lies_elsewhere_or_is_not_known_is_a_comment() -> None:
    elsewhere = Publishing(Domain.parse("mx.example.net"), {})
    text = zone_file("example.org", rows(elsewhere))
    assert "\n; mx.example.net. 3600 IN A\n" in text
    assert "\n; mx.example.net. 3600 IN TXT " in text
    assert "\n; _mta-sts.example.org. " in text
    assert "\nexample.org. 3600 IN MX 10 mx.example.net.\n" in text


def test_strange_octets_are_escaped() -> None:
    row = RecordRow("x.example.org", "TXT", 'a"b\\c\u00e9\n', "optional", "a note")
    zone = dns.zone.from_text(zone_file("example.org", [row]), "example.org.", check_origin=False)
    (record,) = zone.find_rdataset("x", "TXT")
    assert record.strings == ('a"b\\c\u00e9\n'.encode(),)


def test_a_domain_of_u_labels_is_told_in_a_labels() -> None:
    domain = Domain.parse("b\u00fccher.example")
    for one in wanted_records(domain, PUBLISHING, (), KEEP):
        assert (one.name + one.value).isascii()
