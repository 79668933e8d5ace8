"""The Resolver: questions to the DNS, with cache, single flight and a deadline for each.

Search lists are never used.  Names are given as A-labels or U-labels (IDNA 2008), with or
without a trailing dot; what cannot be a DNS name at all does not exist.

The AD bit means something only when nobody can sit between us and the validating resolver:
`trusted` says so for all configured name servers (a loopback unbound, mostly).  Otherwise
no answer is ever called authenticated, and DANE stays off (RFC 7672 §2.2).
"""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver
import dns.reversename

from mailbox_server.dns.answers import (
    Answer,
    MailExchanger,
    Outcome,
    ServiceRecord,
    TlsaRecord,
)
from mailbox_server.dns.cache import ExpiringCache
from mailbox_server.model.address import Domain, IpAddress
from mailbox_server.model.errors import DomainMalformed
from mailbox_server.model.ports import Clock

T = TypeVar("T")

CACHE_OCTETS: Final = 8 * 1024 * 1024
LONGEST_SECONDS: Final = 86_400
LONGEST_ABSENCE_SECONDS: Final = 3_600
AT_ONCE: Final = 200
POINTERS_CHECKED: Final = 5
_ENTRY_OCTETS: Final = 400
_UDP_OCTETS: Final = 1232

_Key = tuple[str, dns.rdatatype.RdataType]


@dataclass(frozen=True, slots=True)
class NameServer:
    """One recursive name server; host is an IP address as text."""

    host: str
    port: int = 53


@dataclass(frozen=True, slots=True)
class ResolverPlan:
    """Whom to ask, and for how long.

    name_servers: None takes those of the system (/etc/resolv.conf).
    trusted: the way to them is safe and they validate DNSSEC.
    deadline_seconds: for one question in all, CNAMEs and repeated tries included.
    try_seconds: for one try at one name server.
    """

    name_servers: tuple[NameServer, ...] | None = None
    trusted: bool = False
    deadline_seconds: float = 8.0
    try_seconds: float = 2.0


class Resolver:
    """Asks the DNS; every answer is a value (`answers.py`), only cancellation is raised."""

    def __init__(self, plan: ResolverPlan, clock: Clock) -> None:
        self._plan = plan
        self._resolver = _dnspython_resolver(plan)
        self._cache: ExpiringCache[_Key, Answer[dns.rdata.Rdata]] = ExpiringCache(
            CACHE_OCTETS, clock
        )
        self._flights: dict[_Key, asyncio.Future[Answer[dns.rdata.Rdata] | None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    def forget(self) -> None:
        """Empty the cache and read the system's name servers again."""
        self._cache.clear()
        self._resolver = _dnspython_resolver(self._plan)

    async def mx(self, name: str) -> Answer[MailExchanger]:
        """Mail exchangers, lowest preference first; equal ones in the order of the answer."""
        answer = await self._ask(name, dns.rdatatype.MX)
        found = _typed(answer, lambda rr: MailExchanger(rr.preference, _text(rr.exchange)))
        ordered = tuple(sorted(found.records, key=lambda record: record.preference))
        return _with_records(found, ordered)

    async def ipv4(self, name: str) -> Answer[IpAddress]:
        """A records."""
        answer = await self._ask(name, dns.rdatatype.A)
        return _typed(answer, lambda rr: ipaddress.ip_address(rr.address))

    async def ipv6(self, name: str) -> Answer[IpAddress]:
        """AAAA records."""
        answer = await self._ask(name, dns.rdatatype.AAAA)
        return _typed(answer, lambda rr: ipaddress.ip_address(rr.address))

    async def addresses(self, name: str) -> Answer[IpAddress]:
        """AAAA and A records, IPv6 first.

        Found when either is; authenticated only when both answers are.  Trouble with one
        of them hides behind addresses of the other, but never behind their absence, nor
        behind addresses that DNSSEC protects: who can break one answer would take the
        protection from both (RFC 7672 §2.1.2).
        """
        six, four = await asyncio.gather(self.ipv6(name), self.ipv4(name))
        records = six.records + four.records
        authenticated = six.authenticated and four.authenticated
        is_broken = (six.is_trouble and four.authenticated) or (
            four.is_trouble and six.authenticated
        )
        if records and not is_broken:
            canonical = (six if six.records else four).canonical
            return Answer(Outcome.FOUND, records, authenticated, canonical)
        worse = next((answer for answer in (six, four) if answer.is_trouble), four)
        return Answer(worse.outcome, (), authenticated, worse.canonical, worse.reason)

    async def alias(self, name: str) -> Answer[str]:
        """The CNAME record of name itself, not what it leads to; mostly there is none."""
        answer = await self._ask(name, dns.rdatatype.CNAME)
        return _typed(answer, lambda rr: _text(rr.target))

    async def txt(self, name: str) -> Answer[bytes]:
        """TXT records, the strings of each joined without anything between (RFC 7208 §3.3)."""
        return _typed(await self._ask(name, dns.rdatatype.TXT), lambda rr: b"".join(rr.strings))

    async def tlsa(self, name: str) -> Answer[TlsaRecord]:
        """TLSA records; name is as `_25._tcp.mx.example.com` (RFC 6698 §3)."""
        return _typed(
            await self._ask(name, dns.rdatatype.TLSA),
            lambda rr: TlsaRecord(rr.usage, rr.selector, rr.mtype, bytes(rr.cert)),
        )

    async def services(self, name: str) -> Answer[ServiceRecord]:
        """SRV records; name is as `_imaps._tcp.example.com` (RFC 2782)."""
        return _typed(
            await self._ask(name, dns.rdatatype.SRV),
            lambda rr: ServiceRecord(rr.priority, rr.weight, rr.port, _text(rr.target)),
        )

    async def pointers(self, ip: IpAddress) -> Answer[str]:
        """Host names that the owner of the address block claims for ip (PTR)."""
        name = dns.reversename.from_address(str(ip)).to_text()
        return _typed(await self._ask(name, dns.rdatatype.PTR), lambda rr: _text(rr.target))

    async def verified_name(self, ip: IpAddress, seconds: float = 5.0) -> Domain | None:
        """The first name claimed for ip whose own address records include ip.

        Looks at 5 claims at most and takes at most seconds in all; None when nothing
        was confirmed by then, trouble included (forward-confirmed reverse DNS, RFC 8601
        §3).
        """
        try:
            async with asyncio.timeout(seconds):
                claims = await self.pointers(ip)
                for claim in claims.records[:POINTERS_CHECKED]:
                    try:
                        domain = Domain.parse(claim)
                    except DomainMalformed:
                        continue
                    ask = self.ipv4 if ip.version == 4 else self.ipv6
                    if ip in (await ask(claim)).records:
                        return domain
        except TimeoutError:
            return None
        return None

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> Answer[dns.rdata.Rdata]:
        """Answer from the cache, from a question under way, or by asking."""
        asked = _name(name)
        if asked is None:
            return Answer(Outcome.NO_DOMAIN, canonical=name)
        key = (_text(asked), kind)
        while True:
            cached = self._cache.get(key)
            if cached is not None:
                return cached
            flight = self._flights.get(key)
            if flight is None:
                break
            # Shielded: a follower that is cancelled must not take the others with it.
            shared = await asyncio.shield(flight)
            if shared is not None:
                return shared
            # The one who asked was cancelled; ask ourselves.
        flight = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        answer: Answer[dns.rdata.Rdata] | None = None
        try:
            answer = await self._fly(asked, key)
        finally:
            del self._flights[key]
            flight.set_result(answer)
        return answer

    async def _fly(self, asked: dns.name.Name, key: _Key) -> Answer[dns.rdata.Rdata]:
        try:
            async with asyncio.timeout(self._plan.deadline_seconds), self._places:
                found = await self._resolver.resolve(
                    asked,
                    key[1],
                    search=False,
                    raise_on_no_answer=False,
                    lifetime=self._plan.deadline_seconds,
                )
        except dns.resolver.NXDOMAIN as absent:
            return self._absent(asked, key, absent)
        except (TimeoutError, dns.exception.Timeout):
            return Answer(Outcome.TROUBLE, canonical=key[0], reason="no answer in time")
        except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
            # SERVFAIL, REFUSED, NOTIMP, answers that make no sense, no network.
            return Answer(Outcome.TROUBLE, canonical=key[0], reason=_reason(error))
        records = () if found.rrset is None else tuple(found.rrset)
        answer: Answer[dns.rdata.Rdata] = Answer(
            Outcome.FOUND if records else Outcome.NO_DATA,
            records,
            self._is_authenticated(found.response),
            _text(found.canonical_name),
        )
        self._keep(key, answer, found.chaining_result.minimum_ttl)
        return answer

    def _absent(
        self, asked: dns.name.Name, key: _Key, absent: dns.resolver.NXDOMAIN
    ) -> Answer[dns.rdata.Rdata]:
        told = absent.response(asked)  # type: ignore[no-untyped-call]
        response = cast(dns.message.QueryMessage, told)
        answer: Answer[dns.rdata.Rdata] = Answer(
            Outcome.NO_DOMAIN, (), self._is_authenticated(response), key[0]
        )
        self._keep(key, answer, response.resolve_chaining().minimum_ttl)
        return answer

    def _is_authenticated(self, response: dns.message.Message) -> bool:
        return self._plan.trusted and bool(response.flags & dns.flags.AD)

    def _keep(self, key: _Key, answer: Answer[dns.rdata.Rdata], seconds: int) -> None:
        longest = LONGEST_ABSENCE_SECONDS if answer.is_void else LONGEST_SECONDS
        # A record in memory is several times its wire size.
        octets = sum(8 * len(record.to_wire() or b"") + 200 for record in answer.records)
        self._cache.put(key, answer, min(seconds, longest), _ENTRY_OCTETS + octets)


def _dnspython_resolver(plan: ResolverPlan) -> dns.asyncresolver.Resolver:
    try:
        resolver = dns.asyncresolver.Resolver(configure=plan.name_servers is None)
    except dns.resolver.NoResolverConfiguration:
        # Without name servers every question ends in trouble, which is the truth.
        resolver = dns.asyncresolver.Resolver(configure=False)
    if plan.name_servers is not None:
        servers: Sequence[dns.nameserver.Nameserver] = [
            dns.nameserver.Do53Nameserver(server.host, server.port) for server in plan.name_servers
        ]
        resolver.nameservers = servers
    resolver.timeout = plan.try_seconds
    resolver.cache = None
    # DO asks for validation, without which no resolver need set AD (RFC 6840 §5.7).
    resolver.use_edns(0, dns.flags.DO if plan.trusted else 0, _UDP_OCTETS)
    return resolver


def _name(text: str) -> dns.name.Name | None:
    if not text.strip("."):
        return None
    try:
        return dns.name.from_text(
            text.lower().rstrip("."), dns.name.root, idna_codec=dns.name.IDNA_2008
        )
    except (dns.exception.DNSException, UnicodeError, ValueError):
        return None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _typed(answer: Answer[dns.rdata.Rdata], read: Callable[[Any], T]) -> Answer[T]:
    return _with_records(answer, tuple(read(record) for record in answer.records))


def _with_records(answer: Answer[Any], records: tuple[T, ...]) -> Answer[T]:
    return Answer(answer.outcome, records, answer.authenticated, answer.canonical, answer.reason)
