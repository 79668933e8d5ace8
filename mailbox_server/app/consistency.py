"""Combinations of settings that cannot work, found before anything is opened or bound."""

import grp
import os
import re
import shutil
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

from mailbox_server.app.configuration import unusable
from mailbox_server.app.data_folder import check_data
from mailbox_server.app.relaying import check_relay
from mailbox_server.app.settings import Settings
from mailbox_server.app.switching import check_switches
from mailbox_server.app.tables.server import ListenSettings
from mailbox_server.delivery.submitting.pace import PaceLimits, PaceRule
from mailbox_server.dns.resolver import NameServer
from mailbox_server.model.address import Address, Domain, parse_ip
from mailbox_server.model.errors import AddressMalformed, BadInput, DomainMalformed
from mailbox_server.net.descriptors import DescriptorNeeds
from mailbox_server.net.listeners import ListenAddress, TcpAddress, UnixAddress
from mailbox_server.net.tls import (
    CertificateFiles,
    CertificateUnusable,
    load_authorities,
    load_certificate,
)

SERVICES: Final = (
    *("smtp", "smtp_tls", "lmtp", "submission", "submissions"),
    *("pop3", "pop3s", "imap", "imaps"),
)
TLS_SERVICES: Final = ("smtp_tls", "submissions", "pop3s", "imaps")
EVERYONE: Final = "everyone"
LEAST_PLACES: Final = 4
_MEBIBYTE: Final = 1 << 20

_SEPARATORS: Final = frozenset("!#$%&'*+-/=?^_`{|}~")

_LISTEN: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+)|\*):(?P<port>[0-9]{1,5})\Z"
)
_MODE: Final = re.compile(r"0?[67][0-7][0-7]\Z")
_NAME_SERVER: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<plain>[0-9.]+))(?::(?P<port>[0-9]{1,5}))?\Z"
    r"|(?P<bare>[0-9A-Fa-f:.]+)\Z"
)


def listen_address(text: str) -> ListenAddress | None:
    """Read `HOST:PORT`, `[IPV6]:PORT`, `*:PORT` or `unix:/PATH`; None where it is none."""
    if text.startswith("unix:/"):
        return UnixAddress(Path(text.removeprefix("unix:")))
    match = _LISTEN.match(text)
    if match is None or not 0 <= int(match["port"]) <= 65535:
        return None
    host = match["six"] or match["four"] or ""
    ip = parse_ip(host) if host else None
    if host and (ip is None or (isinstance(ip, IPv6Address) and ip.ipv4_mapped)):
        return None
    return TcpAddress(host, int(match["port"]))


def listen_addresses(listen: ListenSettings, service: str) -> list[ListenAddress]:
    """Where a service listens, as check has found it sound."""
    addresses: list[ListenAddress] = []
    for text in getattr(listen, service):
        address = listen_address(text)
        assert address is not None, "check has read it"
        if service == "lmtp" and isinstance(address, UnixAddress):
            address = UnixAddress(address.path, int(listen.lmtp_mode, 8), listen.lmtp_group)
        addresses.append(address)
    return addresses


def name_server(text: str) -> NameServer | None:
    """Read `ADDRESS`, `ADDRESS:PORT` or `[IPV6]:PORT`; None where it is none."""
    match = _NAME_SERVER.match(text)
    address = parse_ip(match["six"] or match["plain"] or match["bare"]) if match else None
    port = int(match["port"] or 53) if match else 0
    return NameServer(str(address), port) if address is not None and 0 < port <= 65535 else None


def check(settings: Settings, source: str) -> None:
    """Raise SettingsMalformed for the first combination that cannot work.

    source names the file in the sentence.
    """
    _check_hostname(settings, source)
    check_data(settings, source)
    _check_writable(settings, source)
    _check_room(settings, source)
    _check_certificate(settings, source)
    _check_authority(settings, source)
    _check_listeners(settings, source)
    _check_socket(settings.listen, source)
    _check_connections(settings, source)
    _check_addresses(settings, source)
    check_switches(settings, source)
    check_relay(settings.relay, source)
    for text in settings.dns.servers:
        if name_server(text) is None:
            raise unusable(source, "dns.servers", text, "ADDRESS, ADDRESS:PORT or [IPV6]:PORT")
    if settings.dns.trusted and not settings.dns.servers:
        wanted = (
            "false, because dns.servers is empty: the system's servers can change by themselves"
        )
        raise unusable(source, "dns.trusted", True, wanted)


def descriptor_needs(settings: Settings, limit: int) -> DescriptorNeeds:
    """What a server with these settings and that many descriptors needs besides connections;
    the control socket listens as well, and `*` on two sockets."""
    texts = [text for service in SERVICES for text in getattr(settings.listen, service)]
    sockets = sum(2 if text.startswith("*:") else 1 for text in texts)
    needs = DescriptorNeeds(listening=sockets + 1, readers=settings.store.readers)
    return needs.sending_at_most(limit, settings.relay.connections, settings.net.connections)


def warnings(settings: Settings, descriptors: int) -> list[str]:
    """What can be used and will not do all that it says, a sentence each.

    descriptors: how many open files the server may have.
    """
    needs = descriptor_needs(settings, descriptors)
    wanted, sending = settings.net.connections, settings.relay.connections
    enough = replace(needs, sending=sending).limit_for(wanted)
    told = []
    if needs.places(descriptors) < wanted:
        told.append(("net.connections", wanted, max(needs.places(descriptors), 0)))
    if needs.sending < sending:
        told.append(("relay.connections", sending, needs.sending))
    return [
        f"{setting}: found {found}, but the limit of {descriptors} open files leaves room "
        f"for {room}; {enough} would be needed (LimitNOFILE=, ulimit -n)"
        for setting, found, room in told
    ]


def _check_hostname(settings: Settings, source: str) -> None:
    hostname = settings.server.hostname
    if hostname:
        try:
            Domain.parse(hostname)
        except DomainMalformed as error:
            raise unusable(source, "server.hostname", hostname, "a host name") from error


def _present_folder(settings: Settings) -> Path:
    """The data folder, or the nearest above it that exists."""
    data = Path(settings.server.data)
    while not data.exists() and data != data.parent:
        data = data.parent
    return data


def _check_room(settings: Settings, source: str) -> None:
    disk = shutil.disk_usage(_present_folder(settings)).total // _MEBIBYTE
    reserve, low = settings.store.reserve_mebibytes, settings.store.low_mebibytes
    if reserve > disk // 2:
        wanted = f"at most half of the disk that server.data is on, which has {disk} MiB"
        raise unusable(source, "store.reserve_mebibytes", reserve, wanted)
    if low >= disk:
        wanted = f"less than the disk that server.data is on, which has {disk} MiB"
        raise unusable(source, "store.low_mebibytes", low, wanted)


def _check_writable(settings: Settings, source: str) -> None:
    data = _present_folder(settings)
    if not os.access(data, os.W_OK | os.X_OK):
        raise unusable(
            source, "server.data", settings.server.data, f"a folder we may write; {data} is not"
        )


def _check_certificate(settings: Settings, source: str) -> None:
    tls = settings.tls
    if bool(tls.certificate) != bool(tls.key):
        present, missing = ("certificate", "key") if tls.certificate else ("key", "certificate")
        raise unusable(source, f"tls.{missing}", "", f"a file, because tls.{present} is set")
    if tls.certificate:
        files = CertificateFiles(Path(tls.certificate), Path(tls.key))
        loaded = load_certificate(files)
        if isinstance(loaded, CertificateUnusable):
            name = "key" if loaded.file == files.key else "certificate"
            raise unusable(
                source, f"tls.{name}", str(loaded.file), f"a usable PEM file, but: {loaded.reason}"
            )
        return
    if tls.client_certificates != "none":
        raise unusable(
            source,
            "tls.client_certificates",
            tls.client_certificates,
            '"none", because tls.certificate is not set',
        )
    for service in TLS_SERVICES:
        if getattr(settings.listen, service):
            raise unusable(
                source,
                f"listen.{service}",
                getattr(settings.listen, service),
                "an empty list, because tls.certificate is not set",
            )


def _check_authority(settings: Settings, source: str) -> None:
    authority = settings.tls.client_authority
    if (settings.tls.client_certificates == "issued") != bool(authority):
        wanted = 'a file where tls.client_certificates is "issued", "" else'
        raise unusable(source, "tls.client_authority", authority, wanted)
    if authority:
        loaded = load_authorities(Path(authority))
        if isinstance(loaded, CertificateUnusable):
            raise unusable(
                source,
                "tls.client_authority",
                authority,
                f"a usable PEM file, but: {loaded.reason}",
            )


def _check_connections(settings: Settings, source: str) -> None:
    net = settings.net
    for name, number, above, most in (
        ("connections_per_network", net.connections_per_network, "connections", net.connections),
        (
            "connections_per_address",
            net.connections_per_address,
            "connections_per_network",
            net.connections_per_network,
        ),
    ):
        if number > most:
            raise unusable(source, f"net.{name}", number, f"at most net.{above}, which is {most}")


def _check_addresses(settings: Settings, source: str) -> None:
    if settings.addresses.postmaster:
        try:
            Address.parse(settings.addresses.postmaster)
        except (AddressMalformed, DomainMalformed) as error:
            raise unusable(
                source, "addresses.postmaster", settings.addresses.postmaster, "an address"
            ) from error
    for sender in settings.submission.sent_copies:
        if sender == EVERYONE:
            continue
        try:
            Address.parse(sender)
        except (AddressMalformed, DomainMalformed) as error:
            raise unusable(
                source, "submission.sent_copies", sender, f'addresses, or "{EVERYONE}"'
            ) from error
    for text in settings.submission.limits:
        try:
            PaceRule.parse(text, PaceLimits())
        except BadInput as wrong:
            raise unusable(source, "submission.limits", text, str(wrong)) from wrong
    for server in settings.imap.submission_servers:
        try:
            Address.parse(server)
        except (AddressMalformed, DomainMalformed) as error:
            raise unusable(source, "imap.submission_servers", server, "addresses") from error
    separators = settings.addresses.detail_separators
    if set(separators) - _SEPARATORS:
        raise unusable(
            source,
            "addresses.detail_separators",
            separators,
            f"some of {''.join(sorted(_SEPARATORS))}",
        )


def _check_listeners(settings: Settings, source: str) -> None:
    taken: dict[object, str] = {}
    for service in SERVICES:
        for text in getattr(settings.listen, service):
            key = f"listen.{service}"
            address = listen_address(text)
            if address is None:
                raise unusable(
                    source, key, text, "HOST:PORT, [IPV6]:PORT, *:PORT or unix:/PATH, no names"
                )
            if isinstance(address, TcpAddress) and address.port == 0:
                continue
            if isinstance(address, UnixAddress) and not address.path.parent.is_dir():
                raise unusable(source, key, text, f"a folder at {address.path.parent}")
            for other, owner in taken.items():
                if _collide(address, other):
                    raise unusable(source, key, text, f"a free address; {owner} has it already")
            taken[address] = key


def _check_socket(listen: ListenSettings, source: str) -> None:
    if not _MODE.match(listen.lmtp_mode):
        raise unusable(
            source, "listen.lmtp_mode", listen.lmtp_mode, "0600 to 0777, the owner's rights whole"
        )
    if listen.lmtp_group:
        try:
            grp.getgrnam(listen.lmtp_group)
        except KeyError as error:
            raise unusable(
                source, "listen.lmtp_group", listen.lmtp_group, "a group of this machine"
            ) from error


def _collide(one: object, other: object) -> bool:
    if isinstance(one, TcpAddress) and isinstance(other, TcpAddress):
        return one.port == other.port and _hosts_collide(one.host, other.host)
    if isinstance(one, UnixAddress) and isinstance(other, UnixAddress):
        return one.path == other.path
    return False


def _hosts_collide(one: str, other: str) -> bool:
    """Whether one socket cannot have a port on each; "" is every address of both families.

    A socket for :: takes no IPv4 connections (net.listeners), so the families never meet.
    """
    if not one or not other:
        return True
    first, second = parse_ip(one), parse_ip(other)
    assert first is not None and second is not None, "listen_address has read them"
    if first.version != second.version:
        return False
    return first == second or first.is_unspecified or second.is_unspecified
