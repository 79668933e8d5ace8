"""Which addresses belong to the public Internet: the only ones a stranger's DNS may send us to.

A name that anybody can set up must not make us talk to our own machine or network
(server-side request forgery).  The lists follow the IANA registries of special-purpose
addresses (RFC 6890); the documentation ranges, where nobody is, are left out of them.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final

from mailbox_server.model.address import IpAddress

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host (RFC 791)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598)
        "127.0.0.0/8",  # loopback (RFC 1122)
        "169.254.0.0/16",  # link-local, with the metadata services of clouds (RFC 3927)
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.168.0.0/16",  # private (RFC 1918)
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved, and broadcast (RFC 1112)
        "::/96",  # unspecified, loopback, IPv4-compatible (RFC 4291)
        "::ffff:0:0/96",  # IPv4-mapped: no address of a host on the wire (RFC 4291)
        "64:ff9b:1::/48",  # local translation (RFC 8215)
        "100::/64",  # discard (RFC 6666)
        "fc00::/7",  # unique local (RFC 4193)
        "fe80::/10",  # link-local (RFC 4291)
        "fec0::/10",  # site-local (RFC 3879)
        "ff00::/8",  # multicast (RFC 4291)
    )
)
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4_BITS: Final = 0xFFFFFFFF


def is_public(ip: IpAddress, allowed: Sequence[IpNetwork] = ()) -> bool:
    """Whether we may connect to ip because a stranger says so.

    allowed: networks that an operator has opened although they are not public.  An IPv4
    address inside an IPv6 one (6to4, Teredo, NAT64) must be public itself.
    """
    if any(ip in network for network in allowed if network.version == ip.version):
        return True
    if any(ip in network for network in _NOT_PUBLIC if network.version == ip.version):
        return False
    inner = _embedded(ip) if isinstance(ip, ipaddress.IPv6Address) else None
    return inner is None or is_public(inner, allowed)


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip in _TRANSLATED:
        return ipaddress.IPv4Address(int(ip) & _IPV4_BITS)
    if ip.teredo is not None:
        return ip.teredo[1]
    return ip.sixtofour
