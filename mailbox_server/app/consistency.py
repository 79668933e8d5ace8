"""Combinations of settings that cannot work, found before anything is opened or bound."""

import os
import re
from pathlib import Path
from typing import Final

from mailbox_server.app.settings import Settings
from mailbox_server.model.address import AddressLiteral, Domain, parse_ip
from mailbox_server.model.errors import AddressMalformed, DomainMalformed, SettingsMalformed
from mailbox_server.net.listeners import ListenAddress, TcpAddress, UnixAddress

SERVICES: Final = ("smtp", "smtp_tls", "lmtp", "pop3", "pop3s", "imap", "imaps")
TLS_SERVICES: Final = ("smtp_tls", "pop3s", "imaps")

_LISTEN: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+)|\*):(?P<port>\d{1,5})\Z"
)


def listen_address(text: str) -> ListenAddress | None:
    """Read `HOST:PORT`, `[IPV6]:PORT`, `*:PORT` or `unix:/PATH`; None where it is none."""
    if text.startswith("unix:/"):
        return UnixAddress(Path(text.removeprefix("unix:")))
    match = _LISTEN.match(text)
    if match is None or not 0 <= int(match["port"]) <= 65535:
        return None
    host = match["six"] or match["four"] or ""
    if host and parse_ip(host) is None:
        return None
    return TcpAddress(host, int(match["port"]))


def check(settings: Settings, source: str) -> None:
    """Raise SettingsMalformed for the first combination that cannot work.

    source names the file in the sentence.
    """
    _check_server(settings, source)
    _check_certificate(settings, source)
    _check_listeners(settings, source)


def _refuse(source: str, key: str, found: object, expected: str) -> SettingsMalformed:
    return SettingsMalformed(f"{source}: {key}: found {found!r}; expected {expected}")


def _check_server(settings: Settings, source: str) -> None:
    hostname = settings.server.hostname
    if hostname:
        try:
            if hostname.startswith("["):
                AddressLiteral.parse(hostname)
            else:
                Domain.parse(hostname)
        except (AddressMalformed, DomainMalformed) as error:
            raise _refuse(source, "server.hostname", hostname, "a host name") from error
    data = Path(settings.server.data)
    if not data.is_absolute():
        raise _refuse(source, "server.data", str(data), "an absolute path")
    standing = data
    while not standing.exists() and standing != standing.parent:
        standing = standing.parent
    if not standing.is_dir():
        raise _refuse(source, "server.data", str(data), f"a folder, but {standing} is a file")
    if not os.access(standing, os.W_OK | os.X_OK):
        raise _refuse(source, "server.data", str(data), f"a folder we may write; {standing} is not")


def _check_certificate(settings: Settings, source: str) -> None:
    tls = settings.tls
    if bool(tls.certificate) != bool(tls.key):
        present, missing = ("certificate", "key") if tls.certificate else ("key", "certificate")
        raise _refuse(source, f"tls.{missing}", "", f"a file, because tls.{present} is set")
    for name, path in (("certificate", tls.certificate), ("key", tls.key)):
        if path and not os.access(path, os.R_OK):
            raise _refuse(source, f"tls.{name}", path, "a PEM file that can be read")
    if not tls.certificate:
        for service in TLS_SERVICES:
            if getattr(settings.listen, service):
                raise _refuse(
                    source,
                    f"listen.{service}",
                    getattr(settings.listen, service),
                    "an empty list, because tls.certificate is not set",
                )


def _check_listeners(settings: Settings, source: str) -> None:
    taken: dict[object, str] = {}
    for service in SERVICES:
        for text in getattr(settings.listen, service):
            key = f"listen.{service}"
            address = listen_address(text)
            if address is None:
                raise _refuse(
                    source, key, text, "HOST:PORT, [IPV6]:PORT, *:PORT or unix:/PATH, no names"
                )
            if isinstance(address, TcpAddress) and address.port == 0:
                continue
            for other, owner in taken.items():
                if _collide(address, other):
                    raise _refuse(source, key, text, f"a free address; {owner} has it already")
            taken[address] = key


def _collide(one: object, other: object) -> bool:
    if isinstance(one, TcpAddress) and isinstance(other, TcpAddress):
        same_host = one.host == other.host or not one.host or not other.host
        return one.port == other.port and same_host
    if isinstance(one, UnixAddress) and isinstance(other, UnixAddress):
        return one.path == other.path
    return False
