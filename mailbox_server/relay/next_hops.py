"""NextHops: from a recipient's domain and what its message asks for to the hosts to try.

Nothing here connects anywhere; the order of hosts and addresses and the protection that
each must have are decided, and a place that does not exist is told from one that cannot be
found just now.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mailbox_server.model.address import Address, AddressLiteral, Domain, IpAddress
from mailbox_server.model.ids import AccountId
from mailbox_server.model.next_hop import Host, NextHop, NoHop
from mailbox_server.model.ports import Clock, Entropy
from mailbox_server.model.reply import Reply
from mailbox_server.model.tls_demand import TlsDemand, TlsLevel, TlsPolicy
from mailbox_server.net.public_address import IpNetwork, is_public
from mailbox_server.relay.address_order import MOST_ADDRESSES, Families, in_turns, shares
from mailbox_server.relay.hop_replies import LITERAL_NOT_PUBLIC, LOOP, ROUTE_UNKNOWN
from mailbox_server.relay.mail_exchangers import (
    Exchangers,
    MailNames,
    Ourselves,
    find_exchangers,
)
from mailbox_server.relay.routes import (
    SMTP_PORT,
    Route,
    SmartHost,
    chosen_by_hand,
    first_fitting,
)

SenderOf = Callable[[AccountId], Awaitable[Address | None]]
"""From an account to its own address; None where it is gone."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one message for the domain asks for.

    account: who sends it.  require_tls, tls_optional: as model.outbound.Departure.
    attempts: tries at this recipient so far.  route: the host that an operator chose for it,
    as model.outbound.Outbound.
    """

    account: AccountId | None = None
    require_tls: bool = False
    tls_optional: bool = False
    attempts: int = 0
    route: str | None = None


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
        names: MailNames,
        sender_of: SenderOf,
        rules: HopRules,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._names = names
        self._sender_of = sender_of
        self._rules = rules
        self._entropy = entropy
        self.families = Families(clock)

    def change_rules(self, names: MailNames, rules: HopRules) -> None:
        """Decide by these from the next question on."""
        self._names = names
        self._rules = rules

    async def find(self, domain: Domain | AddressLiteral, wishes: Wishes) -> NextHop | NoHop:
        """The hosts to try for one message to domain, or why there are none.

        Takes as long as the DNS does; every trouble is a NoHop, temporary unless the DNS said
        with certainty that there is nothing.  Raises StoreUnavailable where routes ask who
        the sender is.
        """
        if wishes.route is not None:
            chosen = chosen_by_hand(wishes.route, self._rules.routes)
            if chosen is None:
                return NoHop(wishes.route, ROUTE_UNKNOWN)
            return await self._by_smart_host(chosen, ())
        route = await self._route(domain.ascii, wishes)
        sources = () if route is None else route.sources
        if route is not None and route.smart_host is not None:
            return await self._by_smart_host(route.smart_host, sources)
        if isinstance(domain, AddressLiteral):
            return self._to_literal(domain, sources)
        return await self._to_exchangers(domain, sources)

    async def _route(self, domain: str, wishes: Wishes) -> Route | None:
        routes = self._rules.routes
        sender = None
        if wishes.account is not None and any(route.senders for route in routes):
            sender = await self._sender_of(wishes.account)
        return first_fitting(routes, domain, sender, wishes.attempts)

    async def _by_smart_host(
        self, smart: SmartHost, sources: tuple[IpAddress, ...]
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
            TlsDemand(smart.level, TlsPolicy.OPERATOR, smart.name, (smart.name,)),
            implicit_tls=smart.implicit_tls,
            login=smart.login,
            sources=sources,
        )
        return NextHop(key, (host,))

    def _to_literal(
        self, literal: AddressLiteral, sources: tuple[IpAddress, ...]
    ) -> NextHop | NoHop:
        key = _key(literal.ascii, sources)
        if literal.ip in self._rules.ourselves.ips:
            return NoHop(key, LOOP)
        if not is_public(literal.ip, self._rules.opened):
            return NoHop(key, LITERAL_NOT_PUBLIC)
        demand = _opportunistic("")
        host = Host(literal.ascii, self._rules.port, (literal.ip,), demand, sources=sources)
        return NextHop(key, (host,))

    async def _to_exchangers(
        self, domain: Domain, sources: tuple[IpAddress, ...]
    ) -> NextHop | NoHop:
        rules, key = self._rules, _key(domain.ascii, sources)
        found = await find_exchangers(
            domain, self._names, rules.ourselves, rules.opened, self._entropy
        )
        if isinstance(found, Reply):
            return NoHop(key, found)
        return NextHop(key, self._hosts(found, sources))

    def _hosts(self, found: Exchangers, sources: tuple[IpAddress, ...]) -> tuple[Host, ...]:
        chosen = shares([host.ips for host in found.hosts], self.families)
        return tuple(
            Host(
                host.name,
                self._rules.port,
                tuple(ips),
                _opportunistic(host.name),
                sources=sources,
            )
            for host, ips in zip(found.hosts, chosen, strict=True)
            if ips
        )


def _key(place: str, sources: tuple[IpAddress, ...]) -> str:
    """Mail from different addresses of ours shares no connection."""
    return f"{place} from {' '.join(map(str, sources))}" if sources else place


def _opportunistic(name: str) -> TlsDemand:
    """TLS with any certificate where the host offers it, and mail without it where not."""
    return TlsDemand(TlsLevel.OPPORTUNISTIC, TlsPolicy.NO_POLICY, name, (name,) if name else ())
