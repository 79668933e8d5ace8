"""NextHops: from a recipient's domain and what its message asks for to the hosts to try.

Nothing here connects anywhere; the order of hosts and addresses and the protection that
each must have are decided, and a place that does not exist is told from one that cannot be
found just now.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_server.model.address import AddressLiteral, Domain
from mailbox_server.model.ids import AccountId
from mailbox_server.model.next_hop import Host, NextHop, NoHop
from mailbox_server.model.ports import Clock, Entropy
from mailbox_server.model.reply import Reply
from mailbox_server.model.tls_demand import TlsDemand, TlsLevel, TlsPolicy
from mailbox_server.net.public_address import IpNetwork, is_public
from mailbox_server.relay.address_order import Families, shares
from mailbox_server.relay.hop_replies import LITERAL_NOT_PUBLIC, LOOP
from mailbox_server.relay.mail_exchangers import (
    Exchangers,
    MailNames,
    Ourselves,
    find_exchangers,
)


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
    same.
    """

    ourselves: Ourselves
    port: int = 25
    opened: Sequence[IpNetwork] = ()


class NextHops:
    """Finds next hops; families hears from whoever connects how that went."""

    def __init__(self, names: MailNames, rules: HopRules, clock: Clock, entropy: Entropy) -> None:
        self._names = names
        self._rules = rules
        self._entropy = entropy
        self.families = Families(clock)

    async def find(self, domain: Domain | AddressLiteral, wishes: Wishes) -> NextHop | NoHop:
        """The hosts to try for one message to domain, or why there are none.

        Takes as long as the DNS does; every trouble is a NoHop, temporary unless the DNS said
        with certainty that there is nothing.
        """
        key = domain.ascii
        if isinstance(domain, AddressLiteral):
            return self._literal(domain)
        rules = self._rules
        found = await find_exchangers(
            domain, self._names, rules.ourselves, rules.opened, self._entropy
        )
        if isinstance(found, Reply):
            return NoHop(key, found)
        return NextHop(key, self._hosts(found))

    def _literal(self, literal: AddressLiteral) -> NextHop | NoHop:
        if literal.ip in self._rules.ourselves.ips:
            return NoHop(literal.ascii, LOOP)
        if not is_public(literal.ip, self._rules.opened):
            return NoHop(literal.ascii, LITERAL_NOT_PUBLIC)
        host = Host(literal.ascii, self._rules.port, (literal.ip,), opportunistic(""))
        return NextHop(literal.ascii, (host,))

    def _hosts(self, found: Exchangers) -> tuple[Host, ...]:
        chosen = shares([host.ips for host in found.hosts], self.families)
        return tuple(
            Host(host.name, self._rules.port, tuple(ips), opportunistic(host.name))
            for host, ips in zip(found.hosts, chosen, strict=True)
            if ips
        )


def opportunistic(name: str) -> TlsDemand:
    """TLS with any certificate where the host offers it, and mail without it where not."""
    return TlsDemand(TlsLevel.OPPORTUNISTIC, TlsPolicy.NO_POLICY, name, (name,) if name else ())
