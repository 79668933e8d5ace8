"""From the [relay] settings to the rules of next hops; what cannot be meant is refused."""

import ipaddress
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mailbox_server.app.configuration import unusable
from mailbox_server.app.tables.relay import RelayRoute, RelaySettings
from mailbox_server.model.address import Address, Domain, IpAddress, parse_ip
from mailbox_server.model.errors import AddressMalformed, DomainMalformed
from mailbox_server.model.next_hop import Login
from mailbox_server.model.tls_demand import TlsLevel
from mailbox_server.net.listeners import ListenAddress, TcpAddress
from mailbox_server.net.own_addresses import TakesMail
from mailbox_server.net.public_address import IpNetwork
from mailbox_server.relay.mail_exchangers import Ourselves
from mailbox_server.relay.next_hops import HopRules
from mailbox_server.relay.routes import Route, SmartHost, host_name

_PASSWORD_OCTETS: Final = 1024


def hop_rules(
    relay: RelaySettings, hostname: Domain, source: str, listening: Sequence[ListenAddress] = ()
) -> HopRules:
    """The rules as the settings say.

    Reads password files.  source: the file, for sentences.  listening: where mail from other
    servers comes in.  Raises SettingsMalformed.
    """
    routes = relay_routes(relay, source)
    ips = frozenset(ip for route in routes for ip in route.sources)
    return HopRules(
        Ourselves(frozenset({hostname.ascii}), ips, _takes_mail(listening, relay.port)),
        port=relay.port,
        opened=_networks(relay.private_networks, source),
        routes=routes,
    )


def check_relay(relay: RelaySettings, source: str) -> None:
    """Raise SettingsMalformed for what cannot be meant or read."""
    _networks(relay.private_networks, source)
    relay_routes(relay, source)


def relay_routes(relay: RelaySettings, source: str) -> tuple[Route, ...]:
    """The table of routes.  Raises SettingsMalformed."""
    return tuple(
        _route(row, f"relay.routes[{number}]", source) for number, row in enumerate(relay.routes)
    )


def _takes_mail(listening: Sequence[ListenAddress], port: int) -> TakesMail:
    """At another port there may be another server of this machine."""
    ips: set[IpAddress] = set()
    families: set[int] = set()
    for address in listening:
        if not isinstance(address, TcpAddress) or address.port != port:
            continue
        ip = parse_ip(address.host) if address.host else None
        if ip is None:
            families |= {4, 6}
        elif ip.is_unspecified:
            families.add(ip.version)
        else:
            ips.add(ip)
    return TakesMail(frozenset(ips), frozenset(families))


def _networks(texts: Sequence[str], source: str) -> tuple[IpNetwork, ...]:
    networks = []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            wanted = "networks, as 10.1.0.0/16 with no bit set behind the prefix"
            raise unusable(source, "relay.private_networks", text, wanted) from error
    return tuple(networks)


def _route(row: RelayRoute, key: str, source: str) -> Route:
    return Route(
        recipients=frozenset(_pattern(text, key, source) for text in row.recipients),
        senders=frozenset(_sender(text, key, source) for text in row.senders),
        after_failures=row.after_failures,
        smart_host=_smart_host(row, key, source),
        sources=_sources(row.sources, key, source),
    )


def _smart_host(row: RelayRoute, key: str, source: str) -> SmartHost | None:
    if bool(row.user) != bool(row.password_file):
        name = "password_file" if row.user else "user"
        raise unusable(source, f"{key}.{name}", "", "user and password_file together")
    if not row.host:
        if row.user:
            raise unusable(source, f"{key}.host", "", "a host to log in to")
        return None
    if not row.user.isprintable():
        raise unusable(source, f"{key}.user", row.user, "a name of printable characters")
    name = host_name(row.host)
    if not name:
        raise unusable(source, f"{key}.host", row.host, "a host name or an IP address")
    level = TlsLevel(row.tls)
    if row.user and level in (TlsLevel.NONE, TlsLevel.OPPORTUNISTIC):
        wanted = '"verified" or "encrypted", because a password must not go in the clear'
        raise unusable(source, f"{key}.tls", row.tls, wanted)
    login = None
    if row.user:
        login = Login(row.user, _password(Path(row.password_file), f"{key}.password_file", source))
    return SmartHost(name, row.port, level, login)


def _password(path: Path, key: str, source: str) -> str:
    """The first line of a file that is ours alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        wanted = f"a file that can be read ({error.strerror})"
        raise unusable(source, key, str(path), wanted) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise unusable(source, key, str(path), "a regular file")
        if mode & 0o077:
            raise unusable(
                source, key, str(path), "a file that only its owner can read (chmod 600)"
            )
        octets = os.read(descriptor, _PASSWORD_OCTETS + 1)
    finally:
        os.close(descriptor)
    line = octets.split(b"\n", 1)[0].removesuffix(b"\r")
    try:
        password = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise unusable(source, key, str(path), "a password in UTF-8") from error
    if not password or len(octets) > _PASSWORD_OCTETS or not password.isprintable():
        raise unusable(source, key, str(path), "one line with a password")
    return password


def _pattern(text: str, key: str, source: str) -> str:
    try:
        if text.startswith("*."):
            return f"*.{Domain.parse(text[2:]).ascii}"
        return Domain.parse(text).ascii
    except DomainMalformed as error:
        wanted = "domains, as example.org or *.example.org"
        raise unusable(source, f"{key}.recipients", text, wanted) from error


def _sender(text: str, key: str, source: str) -> str:
    try:
        return Address.parse(text).key if "@" in text else Domain.parse(text).ascii
    except (AddressMalformed, DomainMalformed) as error:
        raise unusable(source, f"{key}.senders", text, "addresses or domains") from error


def _sources(texts: Sequence[str], key: str, source: str) -> tuple[IpAddress, ...]:
    ips: list[IpAddress] = []
    for text in texts:
        ip = parse_ip(text)
        mapped = isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None
        if ip is None or mapped or ip.is_unspecified or ip.is_multicast:
            raise unusable(source, f"{key}.sources", text, "addresses of this machine")
        if any(ip.version == other.version for other in ips):
            raise unusable(source, f"{key}.sources", text, "at most one IPv4 and one IPv6")
        ips.append(ip)
    return tuple(ips)
