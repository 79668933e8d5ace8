"""Which addresses are this machine's, as far as its system knows; nothing is ever sent."""

import contextlib
import ipaddress
import socket
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.address import IpAddress

# Documentation networks: a route to the world is looked up.
_FAR: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_PORT: Final = 53


@dataclass(frozen=True, slots=True)
class TakesMail:
    """Whether mail that is sent to an address would come in here.

    ips: addresses that are listened on by name.  families: 4, 6 or both, of which all of the
    machine's addresses are.  Loopback addresses are left out: nobody else means them by a
    name, and who opens them on purpose means another server behind them.
    """

    ips: frozenset[IpAddress] = frozenset()
    families: frozenset[int] = frozenset()

    def __call__(self, ip: IpAddress) -> bool:
        """Costs a few system calls, and waits for nothing."""
        if ip.is_loopback:
            return False
        return ip in self.ips or (ip.version in self.families and is_own(ip))


def is_own(ip: IpAddress) -> bool:
    """Whether an interface of this machine has the address: then it is reached from itself."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(ip), _PORT))
            return ipaddress.ip_address(probe.getsockname()[0].partition("%")[0]) == ip
    except OSError:
        return False


def public_addresses() -> tuple[IpAddress, ...]:
    """By which the world is reached: at most one of each family; none behind translation."""
    found: list[IpAddress] = []
    for family, far in _FAR:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, _PORT))
            address = ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])
            if address.is_global and not address.is_multicast:
                found.append(address)
    return tuple(found)
