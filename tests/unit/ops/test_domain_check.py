"""Records that stand, are missing or say another thing are told apart, as receivers would."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailbox_server.dns.answers import Answer, MailExchanger, Outcome, ServiceRecord
from mailbox_server.model.address import IpAddress
from mailbox_server.ops.domain_check import FOUND_TOLD, Looked, Standing, look_up
from mailbox_server.ops.domain_records import Wanted
from tests.unit.ops.test_domain_records import PUBLISHING, wanted

RIGHT, MISSING, DIFFERENT, UNKNOWN = Standing


@dataclass
class Zone:
    """Records by name and kind; trouble for all where it is down."""

    records: Mapping[tuple[str, str], list[Any]] = field(default_factory=dict)
    is_down: bool = False

    def _answer(self, name: str, kind: str) -> Answer[Any]:
        if self.is_down:
            return Answer(Outcome.TROUBLE, reason="the name servers are silent")
        found = self.records.get((name, kind))
        return Answer(Outcome.FOUND, tuple(found)) if found else Answer(Outcome.NO_DATA)

    async def mx(self, name: str) -> Answer[MailExchanger]:
        return self._answer(name, "MX")

    async def ipv4(self, name: str) -> Answer[IpAddress]:
        return self._answer(name, "A")

    async def ipv6(self, name: str) -> Answer[IpAddress]:
        return self._answer(name, "AAAA")

    async def txt(self, name: str) -> Answer[bytes]:
        return self._answer(name, "TXT")

    async def pointers(self, ip: IpAddress) -> Answer[str]:
        return self._answer(ip.reverse_pointer, "PTR")

    async def services(self, name: str) -> Answer[ServiceRecord]:
        return self._answer(name, "SRV")


def published() -> dict[tuple[str, str], list[Any]]:
    """All as it should be."""
    records: dict[tuple[str, str], list[Any]] = {}
    for one in wanted():
        value: Any = one.value
        match one.kind:
            case "MX":
                value = MailExchanger(10, "mx.example.org")
            case "SRV":
                priority, weight, port, target = one.value.split()
                value = ServiceRecord(int(priority), int(weight), int(port), target.rstrip("."))
            case "TXT":
                value = one.value.encode()
            case "PTR":
                value = one.value.rstrip(".")
        records.setdefault((one.name, one.kind), []).append(value)
    for address in PUBLISHING.addresses:
        kind = "A" if address.version == 4 else "AAAA"
        records["mx.example.org", kind] = [address]
    return records


async def looked(zone: Zone) -> list[tuple[Wanted, Looked]]:
    everything = wanted()
    return list(zip(everything, await look_up(everything, PUBLISHING, zone), strict=True))


async def standing(name: str, kind: str, *records: Any) -> Standing:
    """How one stands where the DNS says this of it and all else is as it should be."""
    zone = Zone({**published(), (name, kind): list(records)})
    found = {(one.name, one.kind): seen for one, seen in await looked(zone)}
    return found[name, kind].standing


async def test_all_is_as_it_should_be() -> None:
    assert {seen.standing for _, seen in await looked(Zone(published()))} == {RIGHT}


async def test_nothing_is_there() -> None:
    for _, seen in await looked(Zone()):
        assert seen == Looked(MISSING)


async def test_the_dns_is_down() -> None:
    for _, seen in await looked(Zone(is_down=True)):
        assert seen == Looked(UNKNOWN, ("the name servers are silent",))


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("v=spf1 mx -all", RIGHT),
        ("v=spf1 include:x.example +mx ?all", RIGHT),
        ("V=SPF1 a:MX.example.org", RIGHT),
        ("v=spf1 ip4:192.0.2.7", RIGHT),
        ("v=spf1 ip6:2001:db8::7", RIGHT),
        ("v=spf1 -mx", DIFFERENT),
        ("v=spf1", DIFFERENT),
        ("v=spf1 include:x.example -all", DIFFERENT),
        ("v=spf10 mx", MISSING),
        ("google-site-verification=x", MISSING),
    ],
)
async def test_spf(text: str, stands: Standing) -> None:
    assert await standing("example.org", "TXT", text.encode()) is stands


async def test_two_policies_are_none() -> None:
    assert await standing("example.org", "TXT", b"v=spf1 mx", b"v=spf1 -all") is DIFFERENT
    assert await standing("example.org", "TXT", b"v=spf1 mx", b"other") is RIGHT
    twice = (b"v=DMARC1; p=none", b"v=DMARC1; p=reject")
    assert await standing("_dmarc.example.org", "TXT", *twice) is DIFFERENT
    assert await standing("_dmarc.example.org", "TXT", b"v=DMARC1;p=reject") is RIGHT


async def test_the_wrong_ones_are_shown() -> None:
    assert await standing("example.org", "MX", MailExchanger(0, "")) is DIFFERENT
    both = (MailExchanger(5, "other.example"), MailExchanger(20, "mx.example.org"))
    assert await standing("example.org", "MX", *both) is RIGHT
    name = "_imaps._tcp.example.org"
    assert await standing(name, "SRV", ServiceRecord(0, 1, 9993, "mx.example.org")) is DIFFERENT
    assert await standing(name, "SRV", ServiceRecord(9, 9, 993, "mx.example.org")) is RIGHT
    reverse = PUBLISHING.addresses[0].reverse_pointer
    assert await standing(reverse, "PTR", "host7.provider.example") is DIFFERENT
    zone = Zone({**published(), ("example.org", "MX"): [MailExchanger(1, "x" * 900)] * 90})
    found = {(one.name, one.kind): seen for one, seen in await looked(zone)}
    assert len(found["example.org", "MX"].found) == FOUND_TOLD
    assert sum(map(len, found["example.org", "MX"].found)) < 3_000


async def test_a_key_of_other_octets_differs() -> None:
    name = next(one.name for one in wanted() if one.key is not None)
    assert await standing(name, "TXT", b"v=DKIM1; k=rsa; p=AAAA") is DIFFERENT
    assert await standing(name, "TXT", b"\xff\xfe") is DIFFERENT
