"""By which public addresses this machine reaches the world, as far as it knows itself."""

import contextlib
import ipaddress
import socket
from typing import Final

from mailbox_server.model.address import IpAddress

# Documentation networks: a route to the world is looked up, and nothing is sent.
_FAR: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_PORT: Final = 53


def public_addresses() -> tuple[IpAddress, ...]:
    """At most one of each family; none behind address translation."""
    found: list[IpAddress] = []
    for family, far in _FAR:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, _PORT))
            address = ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])
            if address.is_global and not address.is_multicast:
                found.append(address)
    return tuple(found)
