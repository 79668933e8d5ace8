"""Compare what the DNS says of a domain with what it should say; judge as receivers would.

Where an owner may well want something else (the policy of DMARC, more senders in SPF), any
record that does its work is right.
"""

import asyncio
import enum
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from mailbox_server.checks.dkim.rotation import publishes
from mailbox_server.dns.answers import Answer, MailExchanger, ServiceRecord
from mailbox_server.model.address import IpAddress
from mailbox_server.ops.domain_records import Publishing, Wanted

FOUND_TOLD: Final = 5
"""So many records of the same name are told of at most, each cut to VALUE_TOLD."""

VALUE_TOLD: Final = 500

_VERSIONS: Final = ("v=DMARC1", "v=TLSRPTv1", "v=STSv1")
_SPF: Final = "v=spf1"


class Standing(enum.Enum):
    """How a record stands."""

    RIGHT = "ok"
    MISSING = "missing"
    DIFFERENT = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found of one record; for UNKNOWN, the reason."""

    standing: Standing
    found: tuple[str, ...] = ()


class Records(Protocol):
    """Who looks records up (dns.Resolver)."""

    async def mx(self, name: str) -> Answer[MailExchanger]: ...
    async def ipv4(self, name: str) -> Answer[IpAddress]: ...
    async def ipv6(self, name: str) -> Answer[IpAddress]: ...
    async def txt(self, name: str) -> Answer[bytes]: ...
    async def pointers(self, ip: IpAddress) -> Answer[str]: ...
    async def services(self, name: str) -> Answer[ServiceRecord]: ...


async def look_up(
    wanted: Sequence[Wanted], publishing: Publishing, records: Records
) -> list[Looked]:
    """How each stands, asked at the same time; never raises for what the DNS does."""
    return list(await asyncio.gather(*(_look(one, publishing, records) for one in wanted)))


async def _look(one: Wanted, publishing: Publishing, records: Records) -> Looked:
    host = publishing.hostname.ascii
    match one.kind:
        case "MX":
            answer = await records.mx(one.name)
            found = [f"{each.preference} {each.host}." for each in answer.records]
            return _judged(answer, found, any(each.host == host for each in answer.records))
        case "SRV":
            served = await records.services(one.name)
            found = [f"{s.priority} {s.weight} {s.port} {s.target}." for s in served.records]
            target, port = _target(one.value)
            fits = any((s.target, s.port) == (target, port) for s in served.records)
            return _judged(served, found, fits)
        case "PTR":
            named = await records.pointers(_reversed(one.name))
            return _judged(named, [f"{name}." for name in named.records], host in named.records)
        case "A" | "AAAA":
            ask = records.ipv4 if one.kind == "A" else records.ipv6
            addresses = await ask(one.name)
            found = [str(address) for address in addresses.records]
            return _judged(addresses, found, one.value in found or not one.value)
        case _:
            return await _look_at_text(one, publishing, records)


async def _look_at_text(one: Wanted, publishing: Publishing, records: Records) -> Looked:
    answer = await records.txt(one.name)
    if one.key is not None:
        key = one.key
        found = [_text(record) for record in answer.records]
        return _judged(answer, found, any(publishes(each, key) for each in answer.records))
    version = next((each for each in _VERSIONS if one.value.startswith(each)), _SPF)
    found = [text for each in answer.records if _has_version(text := _text(each), version)]
    # Two of them are as bad as none (RFC 7208 §4.5, RFC 9989 §4.7, RFC 8460 §3, RFC 8461 §3.1).
    fits = len(found) == 1 and (version != _SPF or _lets_us_send(found[0], one.value, publishing))
    return _judged(answer, found, fits)


def _judged(answer: Answer[Any], found: Sequence[str], fits: bool) -> Looked:
    if answer.is_trouble:
        return Looked(Standing.UNKNOWN, (answer.reason[:VALUE_TOLD],))
    told = tuple(text[:VALUE_TOLD] for text in found[:FOUND_TOLD])
    if not found:
        return Looked(Standing.MISSING)
    return Looked(Standing.RIGHT if fits else Standing.DIFFERENT, told)


def _has_version(text: str, version: str) -> bool:
    rest = text[len(version) :]
    is_said = text[: len(version)].lower() == version.lower()
    return is_said and (not rest or rest[0] in " ;\t")


def _lets_us_send(record: str, value: str, publishing: Publishing) -> bool:
    """Whether an SPF record names us in one of the ways that need no evaluation."""
    terms = {term.lower().removeprefix("+") for term in record.split()}
    host = publishing.hostname.ascii
    ours = {value.split()[1], f"a:{host}", *(f"ip{a.version}:{a}" for a in publishing.addresses)}
    return bool(terms & ours)


def _target(value: str) -> tuple[str, int]:
    _, _, port, target = value.split()
    return target.rstrip("."), int(port)


def _reversed(name: str) -> IpAddress:
    """The address of a name below in-addr.arpa or ip6.arpa."""
    labels = name.split(".")[::-1]
    if labels[1] == "in-addr":
        return ipaddress.IPv4Address(".".join(labels[2:]))
    digits = "".join(labels[2:])
    return ipaddress.IPv6Address(int(digits, 16))


def _text(record: bytes) -> str:
    return record.decode("utf-8", "replace")
