"""Routes: which mail goes by another way than its domain's own mail exchangers.

An operator's table, read from the top; the first route that fits decides.  A route may send
by a smart host, or only say from which of our addresses to connect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.address import Address, Domain, IpAddress, parse_ip
from mailbox_server.model.errors import DomainMalformed
from mailbox_server.model.next_hop import Login
from mailbox_server.model.tls_demand import TlsLevel

SMTP_PORT: Final = 25
SUBMISSIONS_PORT: Final = 465
"""Where TLS begins with the first octet (RFC 8314 §3.3)."""


@dataclass(frozen=True, slots=True)
class SmartHost:
    """A host that takes mail for others.

    name: A-labels, or an IP address as text.  level: what its TLS must at least be; with a
    login never below ENCRYPTED, so that no password goes in the clear.
    """

    name: str
    port: int
    level: TlsLevel = TlsLevel.VERIFIED
    login: Login | None = None

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS begins with the first octet."""
        return self.port == SUBMISSIONS_PORT

    @property
    def ip(self) -> IpAddress | None:
        """The address, where that is how the host was named."""
        return parse_ip(self.name)


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table.

    recipients: domains of recipients, `example.org` or `*.example.org` for those below it;
        none is every domain.
    senders: addresses (their keys) and domains of sending accounts; none is everybody.
    after_failures: the route opens when so many attempts at the recipient have failed.
    smart_host: None sends to the domain's own exchangers.
    sources: our own addresses to connect from, at most one a family.
    """

    recipients: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()
    after_failures: int = 0
    smart_host: SmartHost | None = None
    sources: tuple[IpAddress, ...] = ()

    def fits(self, domain: str, sender: Address | None, attempts: int) -> bool:
        """Whether mail of sender to domain goes this way after so many attempts."""
        return (
            attempts >= self.after_failures
            and (not self.recipients or _is_among(domain, self.recipients))
            and (not self.senders or _is_of(sender, self.senders))
        )


def first_fitting(
    routes: Sequence[Route], domain: str, sender: Address | None, attempts: int
) -> Route | None:
    """The route that decides, or None."""
    return next((route for route in routes if route.fits(domain, sender, attempts)), None)


def chosen_by_hand(text: str, routes: Sequence[Route]) -> SmartHost | None:
    """The smart host that an operator named for one job: `HOST`, `HOST:PORT`, `[IPV6]:PORT`.

    A host of the table is used as the table says, its login included; any other gets TLS
    where it offers it.  None where text names no host.
    """
    name, port = _host_and_port(text)
    if not name or port is None:
        return None
    for route in routes:
        known = route.smart_host
        if known is not None and known.name == name and port in (0, known.port):
            return known
    return SmartHost(name, port or SMTP_PORT, TlsLevel.OPPORTUNISTIC)


def host_name(text: str) -> str:
    """A host as SmartHost.name; "" where text is none."""
    ip = parse_ip(text)
    if ip is not None:
        return str(ip)
    try:
        return Domain.parse(text).ascii
    except DomainMalformed:
        return ""


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Port 0 where none was given, None where it is no port."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        digits = rest.removeprefix(":")
        is_given = bool(rest)
    elif text.count(":") == 1:
        host, _, digits = text.partition(":")
        is_given = True
    else:
        host, digits, is_given = text, "", False
    if not is_given:
        return host_name(host), 0
    port = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else 0
    return host_name(host), port if 0 < port <= 65535 else None


def _is_among(domain: str, patterns: frozenset[str]) -> bool:
    if domain in patterns:
        return True
    labels = domain.split(".")
    return any(f"*.{'.'.join(labels[start:])}" in patterns for start in range(1, len(labels)))


def _is_of(sender: Address | None, senders: frozenset[str]) -> bool:
    return sender is not None and (sender.key in senders or sender.domain.ascii in senders)
