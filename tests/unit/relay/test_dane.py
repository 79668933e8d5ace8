"""TLSA records are looked for where DNSSEC protects the way to them, and nowhere else."""

import ipaddress

import pytest

from mailbox_server.dns.answers import TlsaRecord
from mailbox_server.model.tls_demand import Association
from mailbox_server.relay.dane import HostTlsa, Trouble, find_tlsa, usable
from mailbox_server.relay.mail_exchangers import Exchanger
from tests.unit.relay.zone import HandZone

IPS = (ipaddress.ip_address("192.0.2.1"),)
SHA256, SHA512 = "ab" * 32, "cd" * 64
MX = Exchanger("mx.example.org", "mx.example.org", IPS, True)
ALIASED = Exchanger("mx.example.org", "real.example.net", IPS, True)
INSECURE = Exchanger("mx.example.org", "mx.example.org", IPS, False)
INSECURE_END = Exchanger("mx.example.org", "real.example.net", IPS, False)
AT_MX = {("_25._tcp.mx.example.org", "TLSA"): [f"3 1 1 {SHA256}"]}
AT_REAL = {("_25._tcp.real.example.net", "TLSA"): [f"2 0 1 {SHA256}"]}
EE = Association(3, 1, 1, bytes.fromhex(SHA256))
TA = Association(2, 0, 1, bytes.fromhex(SHA256))


def at(base: str, association: Association) -> HostTlsa:
    numbers = (association.usage, association.selector, association.matching_type)
    wording = f"{' '.join(map(str, numbers))} {association.octets.hex()}"
    return HostTlsa(base, (association,), (wording,))


def signed(records: dict[tuple[str, str], list[str]]) -> HandZone:
    zone = HandZone(records)
    zone.is_signed = True
    return zone


async def test_records_of_the_host_itself() -> None:
    assert await find_tlsa(MX, 25, signed(AT_MX)) == at("mx.example.org", EE)
    other_port = {("_2525._tcp.mx.example.org", "TLSA"): [f"3 1 1 {SHA256}"]}
    assert await find_tlsa(MX, 2525, signed(other_port)) is not None
    assert await find_tlsa(MX, 25, signed(other_port)) is None


async def test_the_end_of_the_aliases_goes_first_then_the_name_itself() -> None:
    both = signed(AT_MX | AT_REAL)
    assert await find_tlsa(ALIASED, 25, both) == at("real.example.net", TA)
    assert await find_tlsa(ALIASED, 25, signed(AT_MX)) == at("mx.example.org", EE)
    insecure_there = signed(AT_MX | AT_REAL)
    insecure_there.insecure = {"example.net"}
    assert await find_tlsa(ALIASED, 25, insecure_there) == at("mx.example.org", EE)


async def test_an_alias_out_of_a_signed_zone_into_an_unsigned_one() -> None:
    records = AT_MX | {("mx.example.org", "CNAME"): ["real.example.net"]}
    zone = signed(records)
    zone.insecure = {"example.net"}
    assert await find_tlsa(INSECURE_END, 25, zone) == at("mx.example.org", EE)
    zone.insecure = {"example.net", "example.org"}
    zone.asked.clear()
    assert await find_tlsa(INSECURE_END, 25, zone) is None
    assert zone.asked == [("mx.example.org", "CNAME")]
    zone.trouble = {("mx.example.org", "CNAME")}
    assert await find_tlsa(INSECURE_END, 25, zone) is Trouble.LOOKUP_FAILED


async def test_nothing_is_asked_of_an_unsigned_zone() -> None:
    zone = signed(AT_MX)
    assert await find_tlsa(INSECURE, 25, zone) is None
    assert zone.asked == []


async def test_records_that_nothing_protects_do_not_count() -> None:
    assert await find_tlsa(MX, 25, HandZone(AT_MX)) is None


async def test_a_shared_record_behind_an_alias_keeps_the_base() -> None:
    zone = signed(
        {
            ("_25._tcp.mx.example.org", "CNAME"): ["shared.example.net"],
            ("shared.example.net", "TLSA"): [f"2 0 1 {SHA256}"],
        }
    )
    assert await find_tlsa(MX, 25, zone) == at("mx.example.org", TA)


@pytest.mark.parametrize("broken", ["_25._tcp.mx.example.org", "_25._tcp.real.example.net"])
async def test_a_lookup_that_fails_is_trouble(broken: str) -> None:
    zone = signed({})
    zone.trouble = {broken}
    assert await find_tlsa(ALIASED, 25, zone) is Trouble.LOOKUP_FAILED


@pytest.mark.parametrize(
    "text",
    [
        f"0 0 1 {SHA256}",
        f"1 1 1 {SHA256}",
        f"4 1 1 {SHA256}",
        f"3 2 1 {SHA256}",
        f"3 1 3 {SHA256}",
        f"3 1 1 {SHA512}",
        f"3 1 2 {SHA256}",
        "3 1 1 ab",
        "3 1 0 ",
        f"255 255 255 {SHA256}",
    ],
)
async def test_unusable_records_still_commit_the_host(text: str) -> None:
    usage, selector, matching, octets = text.split(" ")
    record = TlsaRecord(int(usage), int(selector), int(matching), bytes.fromhex(octets))
    assert usable([record]) == ()
    if octets:
        zone = signed({("_25._tcp.mx.example.org", "TLSA"): [text]})
        found = await find_tlsa(MX, 25, zone)
        assert found == HostTlsa("mx.example.org", (), (text,))


async def test_the_same_set_is_the_same_in_any_order() -> None:
    texts = [f"3 1 1 {SHA256}", f"2 0 1 {SHA256}", "3 1 0 00"]
    found = [
        await find_tlsa(MX, 25, signed({("_25._tcp.mx.example.org", "TLSA"): order}))
        for order in (texts, texts[::-1])
    ]
    assert found[0] is not None and found[0] == found[1]


def test_the_stronger_digest_counts_alone() -> None:
    weak = TlsaRecord(3, 1, 1, b"\1" * 32)
    strong = TlsaRecord(3, 1, 2, b"\2" * 64)
    whole = TlsaRecord(3, 1, 0, b"\3" * 200)
    other = TlsaRecord(2, 0, 1, b"\4" * 32)
    chosen = usable([weak, strong, whole, other, strong])
    assert chosen == (
        Association(3, 1, 2, b"\2" * 64),
        Association(3, 1, 0, b"\3" * 200),
        Association(2, 0, 1, b"\4" * 32),
    )
