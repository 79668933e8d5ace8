"""Try mode's own world: a folder with settings, certificates, a domain, two accounts, a welcome.

Everything lies in one folder that the user may delete at any time; made once, it is found
again at the next start.  Passwords are random, printed at every start, and kept in the
folder's `try.json` (mode 0600), because these accounts exist to be tried.
"""

import importlib.resources
import os
import secrets
import socket
import string
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from mailbox_server.mime.composing import compose_text
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address, Domain, parse_ip
from mailbox_server.model.errors import SettingsMalformed, StoreUnavailable
from mailbox_server.model.ports import Clock
from mailbox_server.net.certificates import IssuedCertificate, ensure_server_certificate
from mailbox_server.ops import requests
from mailbox_server.ops.administration import Administration
from mailbox_server.ops.answers import Failure
from mailbox_server.ops.request_roots import Request
from mailbox_server.store.ports import ReadTx

DOMAIN: Final = "example.test"
NAMES: Final = ("ann", "bob")
STATE_FILE: Final = "try.json"
CONFIG_FILE: Final = "config.toml"

PORTS: Final = MappingProxyType(
    {
        "smtp": 2525,
        "submission": 5870,
        "submissions": 4650,
        "pop3": 1100,
        "pop3s": 9950,
        "imap": 1430,
        "imaps": 9930,
    }
)
_PORT_TRIES: Final = 50
_PASSWORD_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"


class TryAccount(msgspec.Struct, frozen=True):
    """One of the two accounts, with its password in the clear."""

    address: str
    password: str


class TryWorld(msgspec.Struct, frozen=True):
    """What try mode remembers between starts; ports are by service name."""

    domain: str
    accounts: list[TryAccount]
    ports: dict[str, int]


def default_home(environ: "os._Environ[str]") -> Path:
    """Where try mode lives unless told otherwise (the XDG state folder)."""
    state = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "mailbox-server-try"


def ensure_world(home: Path) -> TryWorld:
    """The world in home, made when it is new.

    A port that somebody else has taken since is replaced by another; so nobody may serve
    the folder now.  Raises SettingsMalformed when the folder cannot be used, holds
    something else, or no port is free.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = home / STATE_FILE
        world = _remembered(home, state)
    except OSError as error:
        raise SettingsMalformed(f"{home}: cannot be used ({error.strerror})") from error
    if world is None:
        accounts = [TryAccount(f"{name}@{DOMAIN}", _password()) for name in NAMES]
        world = TryWorld(DOMAIN, accounts, dict(PORTS))
    ports = {service: _free_port(world.ports.get(service, PORTS[service])) for service in PORTS}
    world = msgspec.structs.replace(world, ports=ports)
    _write_private(state, msgspec.json.format(msgspec.json.encode(world), indent=2))
    return world


def _remembered(home: Path, state: Path) -> TryWorld | None:
    if not state.exists():
        strangers = sorted(entry.name for entry in home.iterdir() if not _is_ours(entry.name))
        if strangers:
            raise SettingsMalformed(
                f"{home}: holds {strangers[0]!r} and no {STATE_FILE}; name an empty folder"
            )
        return None
    try:
        return msgspec.json.decode(state.read_bytes(), type=TryWorld)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsMalformed(
            f"{state}: cannot be read ({error}); delete {home} to start afresh"
        ) from error


def _is_ours(name: str) -> bool:
    """Also what a first start that was killed has left."""
    return name.removesuffix(".new") in (STATE_FILE, CONFIG_FILE, "data", "tls")


def ensure_certificate(home: Path, world: TryWorld, clock: Clock) -> IssuedCertificate:
    """The folder's own certificate authority and a certificate for this machine's loopback."""
    ips = [ip for text in ("127.0.0.1", "::1") if (ip := parse_ip(text)) is not None]
    names = [Domain("localhost"), Domain.parse(f"mail.{world.domain}")]
    return ensure_server_certificate(home / "tls", names, ips, clock)


def write_config(home: Path, world: TryWorld, certificate: IssuedCertificate) -> Path:
    """Write the configuration file that serves this world; returns its path.

    Lines that the user adds elsewhere are lost: the file is written at every start.
    """
    files = certificate.files
    lines = [
        "# Written by `mailbox-server try` at every start.",
        "[server]",
        f'hostname = "mail.{world.domain}"',
        f"data = {_toml_text(str(home / 'data'))}",
        "[tls]",
        f"certificate = {_toml_text(str(files.chain))}",
        f"key = {_toml_text(str(files.key))}",
        "[listen]",
        *(f'{service} = ["127.0.0.1:{port}"]' for service, port in world.ports.items()),
        "[log]",
        'format = "human"',
        "[dns]",
        "verify_peer_name = false",
    ]
    path = home / CONFIG_FILE
    _write_private(path, ("\n".join(lines) + "\n").encode())
    return path


def welcome(
    world: TryWorld, account: TryAccount, program: str, authority: Path, clock: Clock
) -> bytes:
    """The welcome message for one account, whole, with CRLF.

    program: how a shell calls us with this world's configuration.
    """
    others = [other.address for other in world.accounts if other.address != account.address]
    text = string.Template(
        importlib.resources.files("mailbox_server.ops")
        .joinpath("templates/welcome.txt")
        .read_text(encoding="utf-8")
    ).substitute(
        name=account.address.partition("@")[0].capitalize(),
        domain=world.domain,
        address=account.address,
        other=others[0],
        authority=authority,
        program=program,
        **{f"{service}_port": port for service, port in world.ports.items()},
    )
    return compose_text(
        sender=Address.parse(f"postmaster@{world.domain}"),
        recipient=Address.parse(account.address),
        subject="Welcome to your mail server",
        text=text,
        date=clock.now(),
        message_id=f"{secrets.token_hex(16)}@mail.{world.domain}",
    )


async def settle(
    administration: Administration, world: TryWorld, program: str, authority: Path
) -> None:
    """Give the store the world's domain, accounts and welcome mails where they are missing.

    program: as in welcome.  Raises what the store raises.
    """
    store, clock = administration.store, administration.clock
    domain = Domain.parse(world.domain)
    if await store.read(lambda tx: tx.domains.find(domain)) is None:
        await _done(administration, requests.DomainAdd(world.domain))
    for account in world.accounts:
        address = Address.parse(account.address)
        if await store.read(_finder(address)) is not None:
            continue
        await _done(administration, requests.AccountAdd(account.address, account.password))
        await _done(
            administration,
            requests.MessageImport(account.address, source="welcome"),
            welcome(world, account, program, authority, clock),
        )


def _finder(address: Address) -> Callable[[ReadTx], Account | None]:
    return lambda tx: tx.accounts.find(address)


async def _done(administration: Administration, request: Request, upload: bytes = b"") -> None:
    async def blocks() -> AsyncIterator[bytes]:
        yield upload

    async def nowhere(_: bytes) -> None:
        """Nothing comes down."""

    answer = await administration.perform(request, blocks(), nowhere)
    if isinstance(answer, Failure):
        raise StoreUnavailable(f"try mode could not be set up: {answer.sentence}")


def _password() -> str:
    letters = [secrets.choice(_PASSWORD_LETTERS) for _ in range(12)]
    return "-".join("".join(letters[start : start + 4]) for start in (0, 4, 8))


def _free_port(first: int) -> int:
    for port in range(first, min(first + _PORT_TRIES, 65536)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
            # As the listener will have it, or our own connections of a minute ago count.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            return port
    raise SettingsMalformed(f"no free port from {first} to {first + _PORT_TRIES - 1} on loopback")


def _toml_text(text: str) -> str:
    return msgspec.json.encode(text).decode("utf-8")


def _write_private(path: Path, octets: bytes) -> None:
    """Replace path in one step by a file that only its owner may read."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(octets)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
