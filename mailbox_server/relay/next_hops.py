"""NextHops: from a recipient's domain and what its message asks for to the hosts to try.

Nothing here connects anywhere; the order of hosts and addresses and the protection that
each must have are decided, and a place that does not exist is told from one that cannot be
found just now.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from mailbox_server.dns.cache import ExpiringCache
from mailbox_server.model.address import Address, AddressLiteral, Domain, IpAddress
from mailbox_server.model.ids import AccountId
from mailbox_server.model.next_hop import Host, NextHop, NoHop
from mailbox_server.model.ports import Clock, Entropy
from mailbox_server.model.reply import Reply
from mailbox_server.model.sts_policy import StsMode
from mailbox_server.model.tls_demand import TlsDemand, TlsFault, TlsLevel, TlsPolicy
from mailbox_server.net.public_address import IpNetwork, is_public
from mailbox_server.relay.address_order import MOST_ADDRESSES, Families, in_turns, shares
from mailbox_server.relay.dane import TlsaNames, find_tlsa
from mailbox_server.relay.hop_replies import (
    DNSSEC_BROKEN,
    LITERAL_NOT_PUBLIC,
    LOOP,
    NOT_AUTHENTIC,
    NOT_AUTHENTIC_NOW,
    NOT_IN_POLICY,
    ROUTE_UNKNOWN,
)
from mailbox_server.relay.mail_exchangers import (
    Exchanger,
    Exchangers,
    MailNames,
    Ourselves,
    find_exchangers,
)
from mailbox_server.relay.mta_sts.policy import KnownPolicy
from mailbox_server.relay.routes import (
    SMTP_PORT,
    Route,
    SmartHost,
    chosen_by_hand,
    first_fitting,
)
from mailbox_server.relay.tls_choice import (
    Circumstances,
    TlsWish,
    Unfit,
    choose,
    choose_for_smart_host,
)
from mailbox_server.relay.tls_witness import Witness

_OURSELVES_SECONDS: Final = 600.0

SenderOf = Callable[[AccountId], Awaitable[Address | None]]
"""From an account to its own address; None where it is gone."""


_FAULTS: Final[Mapping[Unfit, tuple[TlsPolicy, TlsFault]]] = {
    Unfit.DNSSEC_BROKEN: (TlsPolicy.TLSA, TlsFault.DNSSEC_INVALID),
    Unfit.NOT_IN_POLICY: (TlsPolicy.STS, TlsFault.VALIDATION_FAILURE),
}
"""What of it the domain's owner may hear of (RFC 8460 §4.3)."""


class HopNames(MailNames, TlsaNames, Protocol):
    """All questions to the DNS (dns.resolver.Resolver)."""


class Policies(Protocol):
    """Who knows the domains' MTA-STS policies (relay.mta_sts.policies)."""

    async def policy_of(self, domain: Domain) -> KnownPolicy:
        """The policy that counts now, from the cache or by asking."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one message for the domain asks for.

    account: who sends it.  require_tls: it goes under REQUIRETLS now.
    tls_optional: as model.outbound.Departure.
    attempts: tries at this recipient so far.  route: the host that an operator chose for it,
    as model.outbound.Outbound.
    """

    account: AccountId | None = None
    require_tls: bool = False
    tls_optional: bool = False
    attempts: int = 0
    route: str | None = None

    @property
    def tls(self) -> TlsWish:
        """REQUIRETLS goes before the header field (RFC 8689 §4.1)."""
        if self.require_tls:
            return TlsWish.REQUIRED
        return TlsWish.OPTIONAL if self.tls_optional else TlsWish.UNSAID


@dataclass(frozen=True, slots=True)
class HopRules:
    """What an operator has decided.

    port: of mail exchangers.  opened: networks that are not public and may get mail all the
    same.  routes: read from the top.
    """

    ourselves: Ourselves
    port: int = SMTP_PORT
    opened: Sequence[IpNetwork] = ()
    routes: Sequence[Route] = ()


class NextHops:
    """Finds next hops; families hears from whoever connects how that went."""

    def __init__(
        self,
        names: HopNames,
        policies: Policies,
        witness: Witness,
        sender_of: SenderOf,
        rules: HopRules,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._names = names
        self._policies = policies
        self._witness = witness
        self._sender_of = sender_of
        self._rules = rules
        self._entropy = entropy
        self._known_ourselves: ExpiringCache[int, Ourselves] = ExpiringCache(1, clock)
        self.families = Families(clock)

    def change_rules(self, names: HopNames, rules: HopRules) -> None:
        """Decide by these from the next question on."""
        self._names = names
        self._rules = rules
        self._known_ourselves.clear()

    async def find(self, domain: Domain | AddressLiteral, wishes: Wishes) -> NextHop | NoHop:
        """The hosts to try for one message to domain, or why there are none.

        Takes as long as the DNS does, and once in a while as long as a policy's host; every
        trouble is a NoHop, temporary unless the DNS said with certainty that there is nothing.
        Raises StoreUnavailable where it must ask who the sender is, or for a policy.
        """
        if wishes.route is not None:
            chosen = chosen_by_hand(wishes.route, self._rules.routes)
            if chosen is None:
                return NoHop(wishes.route, ROUTE_UNKNOWN)
            return await self._by_smart_host(chosen, (), wishes.tls)
        route = await self._route(domain.ascii, wishes)
        sources = () if route is None else route.sources
        if route is not None and route.smart_host is not None:
            return await self._by_smart_host(route.smart_host, sources, wishes.tls)
        if isinstance(domain, AddressLiteral):
            return await self._to_literal(domain, sources, wishes.tls)
        return await self._to_exchangers(domain, sources, wishes.tls)

    async def _route(self, domain: str, wishes: Wishes) -> Route | None:
        routes = self._rules.routes
        sender = None
        if wishes.account is not None and any(route.senders for route in routes):
            sender = await self._sender_of(wishes.account)
        return first_fitting(routes, domain, sender, wishes.attempts)

    async def _by_smart_host(
        self, smart: SmartHost, sources: tuple[IpAddress, ...], wish: TlsWish
    ) -> NextHop | NoHop:
        """Whatever is wrong with a smart host is the operator's to mend, and so temporary."""
        user = "" if smart.login is None else f"{smart.login.user}@"
        key = _key(f"{user}{smart.name}:{smart.port}", sources)
        if smart.ip is not None:
            ips: tuple[IpAddress, ...] = (smart.ip,)
        else:
            ips = (await self._names.addresses(smart.name)).records
        if not ips:
            return NoHop(key, ROUTE_UNKNOWN)
        host = Host(
            smart.name,
            smart.port,
            tuple(in_turns(ips, self.families)[:MOST_ADDRESSES]),
            choose_for_smart_host(smart.name, smart.level, wish),
            implicit_tls=smart.implicit_tls,
            login=smart.login,
            sources=sources,
        )
        return NextHop(key, (host,))

    async def _ourselves(self) -> Ourselves:
        """The operator's word, and the public addresses that the DNS has for our names."""
        known = self._known_ourselves.get(0)
        if known is not None:
            return known
        ourselves = self._rules.ourselves
        answers = [await self._names.addresses(name) for name in sorted(ourselves.names)]
        seen = {ip for answer in answers for ip in answer.records if is_public(ip)}
        known = replace(ourselves, ips=ourselves.ips | seen)
        # Kept after trouble, too: it must not cost every message its time.
        self._known_ourselves.put(0, known, _OURSELVES_SECONDS, 0)
        return known

    async def _to_literal(
        self, literal: AddressLiteral, sources: tuple[IpAddress, ...], wish: TlsWish
    ) -> NextHop | NoHop:
        """No policy and no name of a certificate belongs to an address (RFC 8461 §3.4)."""
        key = _key(literal.ascii, sources)
        if (await self._ourselves()).has(literal.ip):
            return NoHop(key, LOOP)
        if not is_public(literal.ip, self._rules.opened):
            return NoHop(key, LITERAL_NOT_PUBLIC)
        if wish is TlsWish.REQUIRED:
            return NoHop(key, NOT_AUTHENTIC)
        demand = TlsDemand(TlsLevel.OPPORTUNISTIC, TlsPolicy.NO_POLICY, "")
        host = Host(literal.ascii, self._rules.port, (literal.ip,), demand, sources=sources)
        return NextHop(key, (host,))

    async def _to_exchangers(
        self, domain: Domain, sources: tuple[IpAddress, ...], wish: TlsWish
    ) -> NextHop | NoHop:
        rules, key = self._rules, _key(domain.ascii, sources)
        known = KnownPolicy(None, is_certain=True)
        if wish is not TlsWish.OPTIONAL:
            known = await self._policies.policy_of(domain)
        is_strict = known.policy is not None and known.policy.mode is StsMode.ENFORCE
        found = await find_exchangers(
            domain,
            self._names,
            await self._ourselves(),
            rules.opened,
            self._entropy,
            wants_all=is_strict or wish is TlsWish.REQUIRED,
        )
        if isinstance(found, Reply):
            return NoHop(key, found)
        choices = await asyncio.gather(
            *(self._choose(domain.ascii, host, found, known, wish) for host in found.hosts)
        )
        fit: list[tuple[Exchanger, TlsDemand]] = []
        reasons: set[Unfit] = set()
        for host, chosen in zip(found.hosts, choices, strict=True):
            if isinstance(chosen, Unfit):
                reasons.add(chosen)
            else:
                fit.append((host, chosen))
        if not fit:
            return NoHop(key, _unfit(reasons, known))
        return NextHop(key, self._hosts(fit, sources), domain.ascii)

    async def _choose(
        self,
        domain: str,
        host: Exchanger,
        found: Exchangers,
        known: KnownPolicy,
        wish: TlsWish,
    ) -> TlsDemand | Unfit:
        tlsa = None
        if found.is_secure and wish is not TlsWish.OPTIONAL:
            tlsa = await find_tlsa(host, self._rules.port, self._names)
        circumstances = Circumstances(
            host.name,
            tuple(dict.fromkeys((domain, found.canonical))),
            found.is_secure or found.is_implicit,
            tlsa,
            known.policy,
        )
        chosen = choose(circumstances, wish)
        if isinstance(chosen, Unfit) and chosen in _FAULTS:
            policy, fault = _FAULTS[chosen]
            wording: tuple[str, ...] = ()
            if policy is TlsPolicy.STS and known.policy is not None:
                wording = known.policy.lines()
            self._witness.failed(domain, policy, wording, fault, host.name, chosen.value)
        return chosen

    def _hosts(
        self, fit: Sequence[tuple[Exchanger, TlsDemand]], sources: tuple[IpAddress, ...]
    ) -> tuple[Host, ...]:
        chosen = shares([host.ips for host, _ in fit], self.families)
        return tuple(
            Host(host.name, self._rules.port, tuple(ips), demand, sources=sources)
            for (host, demand), ips in zip(fit, chosen, strict=True)
            if ips
        )


def _unfit(reasons: set[Unfit], known: KnownPolicy) -> Reply:
    """One reply for all hosts: what may pass goes before what stays."""
    if Unfit.DNSSEC_BROKEN in reasons:
        return DNSSEC_BROKEN
    if Unfit.NOT_IN_POLICY in reasons:
        return NOT_IN_POLICY
    return NOT_AUTHENTIC if known.is_certain else NOT_AUTHENTIC_NOW


def _key(place: str, sources: tuple[IpAddress, ...]) -> str:
    """Mail from different addresses of ours shares no connection."""
    return f"{place} from {' '.join(map(str, sources))}" if sources else place
