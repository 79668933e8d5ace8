"""The address at one end of a connection, told the same way to every protocol.

A socket that serves both families shows an IPv4 peer as an IPv4-mapped IPv6 address
(RFC 4291 §2.5.5.2); here it is told as the IPv4 address that it is, so that limits,
throttling, the rule for loopback and the Received field see one peer as one.
"""

import ipaddress
from functools import lru_cache

from mailbox_server.model.address import IpAddress


@lru_cache(maxsize=1_024)
def ip_of_host(host: str) -> IpAddress:
    """The address in a socket's host text; the zone of a link-local one is left out.

    Raises ValueError for what is no address.
    """
    return unmapped(ipaddress.ip_address(host.partition("%")[0]))


def ip_of_name(name: object) -> IpAddress | None:
    """The address in a socket's peername or sockname; None for a UNIX socket."""
    return ip_of_host(name[0]) if isinstance(name, tuple) else None


def unmapped(ip: IpAddress) -> IpAddress:
    """The IPv4 address behind a mapped one, else the address itself."""
    return ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip
