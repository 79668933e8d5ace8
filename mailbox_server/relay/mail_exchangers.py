"""Which hosts take mail for a domain: MX, the domain itself without one, and never ourselves.

RFC 5321 §5.1, RFC 7505.  Certainty of the DNS makes a permanent answer; a name server that
fails never does.  However many records a zone holds, a message costs 1 question for the MX
set and 2 for each of at most 10 hosts.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Protocol

from mailbox_server.dns.answers import Answer, MailExchanger, Outcome
from mailbox_server.model.address import Domain, IpAddress
from mailbox_server.model.ports import Entropy
from mailbox_server.model.reply import Reply
from mailbox_server.net.own_addresses import TakesMail
from mailbox_server.net.public_address import IpNetwork, is_public
from mailbox_server.relay.hop_replies import (
    LOOP,
    NO_ANSWER,
    NO_MAIL_HOST,
    NO_SUCH_DOMAIN,
    NOT_PUBLIC,
    NULL_MX,
)

MOST_HOSTS: Final = 10
ENOUGH_HOSTS: Final = 2
ENOUGH_ADDRESSES: Final = 5

# What may stand in a certificate, an SNI and our log; the underscore is no host name's, but used.
_HOST_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_-]+)*\Z")


class MailNames(Protocol):
    """The questions this module asks (dns.resolver.Resolver)."""

    async def mx(self, name: str) -> Answer[MailExchanger]:
        """MX records, lowest preference first."""

    async def addresses(self, name: str) -> Answer[IpAddress]:
        """AAAA and A records."""


@dataclass(frozen=True, slots=True)
class Ourselves:
    """Who we are in other people's MX records.

    names: host names of this server (A-labels).  ips: its addresses that others can see.
    takes: whether mail sent to an address would come in here, whatever its name.
    """

    names: frozenset[str]
    ips: frozenset[IpAddress] = frozenset()
    takes: TakesMail = field(default_factory=TakesMail)

    def has(self, ip: IpAddress) -> bool:
        """Whether an address is ours."""
        return ip in self.ips or self.takes(ip)


@dataclass(frozen=True, slots=True)
class Exchanger:
    """One host that takes the domain's mail.

    name: as the MX record says it.  canonical: at the end of its CNAMEs.
    ips: at least one, public or opened by the operator, in the order of the answer.
    is_secure: whether its addresses, CNAMEs included, were DNSSEC-validated.
    """

    name: str
    canonical: str
    ips: tuple[IpAddress, ...]
    is_secure: bool


@dataclass(frozen=True, slots=True)
class Exchangers:
    """Hosts to try in order, at least one.

    is_secure: whether the MX set, or its absence, was DNSSEC-validated.
    is_implicit: whether the domain is its own mail host, for want of MX records.
    canonical: the domain at the end of its CNAMEs.
    """

    hosts: tuple[Exchanger, ...]
    is_secure: bool
    is_implicit: bool
    canonical: str


class _Search:
    """One domain's exchangers, host by host; remembers why those before were of no use."""

    def __init__(
        self,
        names: MailNames,
        ourselves: Ourselves,
        opened: Sequence[IpNetwork],
        *,
        wants_all: bool,
    ) -> None:
        self._names = names
        self._ourselves = ourselves
        self._opened = opened
        self._wants_all = wants_all
        self.found: list[Exchanger] = []
        self.asked = 0
        self.has_trouble = False
        self.has_private = False
        self.is_us = False

    @property
    def is_over(self) -> bool:
        """Whether more hosts would not be tried anyway."""
        if self.is_us or self.asked >= MOST_HOSTS:
            return True
        addresses = sum(len(host.ips) for host in self.found)
        is_enough = len(self.found) >= ENOUGH_HOSTS and addresses >= ENOUGH_ADDRESSES
        return is_enough and not self._wants_all

    async def look_at(self, hosts: Sequence[str]) -> None:
        """Ask for hosts of one preference; keeps none of them where one is ourselves."""
        hosts = hosts[: MOST_HOSTS - self.asked]
        self.asked += len(hosts)
        answers = await asyncio.gather(*(self._names.addresses(host) for host in hosts))
        if any(self._ourselves.has(ip) for answer in answers for ip in answer.records):
            self.is_us = True
            return
        for host, answer in zip(hosts, answers, strict=True):
            self.has_trouble |= answer.is_trouble
            ips = tuple(ip for ip in answer.records if is_public(ip, self._opened))
            if ips:
                self.found.append(Exchanger(host, answer.canonical, ips, answer.authenticated))
            elif answer.records:
                self.has_private = True

    def nothing(self) -> Reply:
        """Why there is nobody."""
        if self.has_trouble:
            return NO_ANSWER
        if self.is_us:
            return LOOP
        return NOT_PUBLIC if self.has_private else NO_MAIL_HOST


async def find_exchangers(
    domain: Domain,
    names: MailNames,
    ourselves: Ourselves,
    opened: Sequence[IpNetwork],
    entropy: Entropy,
    *,
    wants_all: bool = False,
) -> Exchangers | Reply:
    """Hosts that take domain's mail, best first, equals in random order; or why there are none.

    Ourselves in the MX set, by name or address, take away every host of the same or a worse
    preference (RFC 5321 §5.1).  opened: networks to which mail may go though they are not
    public.  wants_all: look at all of 10 hosts, because some of them may turn out unfit.
    """
    answer = await names.mx(domain.ascii)
    if answer.is_trouble:
        return NO_ANSWER
    if answer.outcome is Outcome.NO_DOMAIN:
        return NO_SUCH_DOMAIN
    search = _Search(names, ourselves, opened, wants_all=wants_all)
    if not answer.records:
        # The domain is its own mail host, at the end of its CNAMEs; never where it is ours.
        if domain.ascii in ourselves.names or answer.canonical in ourselves.names:
            return LOOP
        await search.look_at([domain.ascii])
    else:
        exchangers = [record for record in answer.records if record.host]
        if not exchangers:
            return NULL_MX
        own = [record.preference for record in exchangers if record.host in ourselves.names]
        better = [record for record in exchangers if not own or record.preference < min(own)]
        if not better:
            return LOOP
        for equals in _preference_groups(better, entropy):
            await search.look_at(equals)
            if search.is_over:
                break
    if not search.found:
        return search.nothing()
    canonical = answer.canonical or domain.ascii
    is_implicit = not answer.records
    return Exchangers(tuple(search.found), answer.authenticated, is_implicit, canonical)


def _preference_groups(
    records: Sequence[MailExchanger], entropy: Entropy
) -> Iterator[Sequence[str]]:
    """Host names of each preference, shuffled; a name once, and no name that cannot be one."""
    seen: set[str] = set()
    for _, equals in groupby(records, key=lambda record: record.preference):
        hosts = []
        for record in equals:
            if record.host not in seen and _HOST_NAME.match(record.host):
                seen.add(record.host)
                hosts.append(record.host)
        yield shuffled(hosts, entropy)


def shuffled(items: Sequence[str], entropy: Entropy) -> list[str]:
    """The items in random order."""
    order = list(items)
    for last in range(len(order) - 1, 0, -1):
        other = entropy.below(last + 1)
        order[last], order[other] = order[other], order[last]
    return order
