"""DANE for mail hosts (RFC 7672): TLSA records, looked up where DNSSEC protects all that leads
to them, and what they ask of the host's certificate.

All of it hangs on Answer.authenticated, which only a resolver of ours that checks DNSSEC can
make true; without one DANE never applies.
"""

import enum
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final, Protocol

from mailbox_server.dns.answers import Answer, TlsaRecord
from mailbox_server.model.tls_demand import Association
from mailbox_server.relay.mail_exchangers import Exchanger

_USAGES: Final = (2, 3)
"""DANE-TA and DANE-EE; PKIX-TA and PKIX-EE are unusable for mail (RFC 7672 §3.1.3)."""
_SELECTORS: Final = (0, 1)
_FULL, _SHA256, _SHA512 = 0, 1, 2
_DIGEST_OCTETS: Final = ((_SHA256, 32), (_SHA512, 64))
_WORDED_RECORDS: Final = 32
_WORDED_OCTETS: Final = 64


class TlsaNames(Protocol):
    """The questions this module asks (dns.resolver.Resolver)."""

    async def tlsa(self, name: str) -> Answer[TlsaRecord]:
        """TLSA records."""

    async def alias(self, name: str) -> Answer[str]:
        """The CNAME record of name itself."""


class Trouble(enum.Enum):
    """Why a host with DNSSEC cannot be used now (RFC 7672 §2.2: as if it were unreachable)."""

    LOOKUP_FAILED = "the TLSA lookup failed"


@dataclass(frozen=True, slots=True)
class HostTlsa:
    """The protected TLSA records of one host, at least one.

    base: the name they stand at, also the SNI.  associations: the usable ones; none still
        means that the host commits itself to TLS.  wording: all of them, as text.
    """

    base: str
    associations: tuple[Association, ...]
    wording: tuple[str, ...] = ()


async def find_tlsa(host: Exchanger, port: int, names: TlsaNames) -> HostTlsa | Trouble | None:
    """The TLSA records of a host out of a protected MX set; None where DANE does not apply.

    Nothing is looked up for a host in an unsigned zone, whose name servers often fail at
    such questions (RFC 7672 §2.2.2).
    """
    if host.is_secure:
        bases = [host.canonical] if host.canonical else [host.name]
        if host.name not in bases:
            bases.append(host.name)
    elif host.canonical not in ("", host.name):
        # Its alias leads to an unsigned zone, but may itself stand in a signed one.
        alias = await names.alias(host.name)
        if alias.is_trouble:
            return Trouble.LOOKUP_FAILED
        bases = [host.name] if alias.authenticated else []
    else:
        bases = []
    for base in bases:
        answer = await names.tlsa(f"_{port}._tcp.{base}")
        if answer.is_trouble:
            return Trouble.LOOKUP_FAILED
        if answer.records and answer.authenticated:
            # The DNS gives a set in any order; the same set must be the same demand.
            records = sorted(answer.records, key=astuple)
            return HostTlsa(base, usable(records), _wording(records))
    return None


def usable(records: Sequence[TlsaRecord]) -> tuple[Association, ...]:
    """The records that a certificate can be matched with, each once.

    Of two digests under one usage and selector only the stronger counts (RFC 7671 §9).
    """
    sound = [record for record in records if _is_usable(record)]
    strong = {
        (record.usage, record.selector) for record in sound if record.matching_type == _SHA512
    }
    chosen = (
        Association(record.usage, record.selector, record.matching_type, record.association)
        for record in sound
        if record.matching_type != _SHA256 or (record.usage, record.selector) not in strong
    )
    return tuple(dict.fromkeys(chosen))


def _wording(records: Sequence[TlsaRecord]) -> tuple[str, ...]:
    """The records as a zone file has them (RFC 6698 §2.2); whole certificates are cut off."""
    return tuple(
        f"{record.usage} {record.selector} {record.matching_type} "
        f"{record.association[:_WORDED_OCTETS].hex()}"
        for record in records[:_WORDED_RECORDS]
    )


def _is_usable(record: TlsaRecord) -> bool:
    if record.usage not in _USAGES or record.selector not in _SELECTORS:
        return False
    if record.matching_type == _FULL:
        return bool(record.association)
    return (record.matching_type, len(record.association)) in _DIGEST_OCTETS
