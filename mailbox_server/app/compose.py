"""The composition root: every object of the appliance is built once, here, in reading order."""

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from mailbox_server import __version__
from mailbox_server.app.configuration import load
from mailbox_server.app.settings import Settings
from mailbox_server.auth.authenticator import Authenticator, AuthenticatorSettings
from mailbox_server.auth.crunch import Crunch, CrunchLimits
from mailbox_server.auth.passwords import HashCost, Passwords
from mailbox_server.auth.throttle import Throttle, ThrottleSettings
from mailbox_server.delivery.receiving import Receiver, ReceivingRules
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.dns.resolver import NameServer, Resolver, ResolverPlan
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.server import ImapFactory
from mailbox_server.imap.session import Services as ImapServices
from mailbox_server.imap.views import SharedViews
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import (
    AddressMalformed,
    DomainMalformed,
    SettingsMalformed,
    StoreUnavailable,
)
from mailbox_server.model.ports import Events, Silence, SystemClock, SystemEntropy
from mailbox_server.net.admission import AdmissionLimits, Admissions, NetworkLimit
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.tls import CertificateFiles, CertificateUnusable, ServerTls
from mailbox_server.ops.administration import Administration
from mailbox_server.ops.control import ControlSocket
from mailbox_server.ops.housekeeping import Housekeeping
from mailbox_server.ops.quickstart import TryWorld, settle
from mailbox_server.pop3.locks import MaildropLocks
from mailbox_server.pop3.server import Pop3Factory
from mailbox_server.pop3.session import Pop3Services
from mailbox_server.pop3.settings import (
    Pop3Limits,
    Pop3Settings,
    Removal,
    Retrieved,
    SecondSession,
)
from mailbox_server.smtp import dialects
from mailbox_server.smtp.limits import SmtpLimits, SmtpTimeouts
from mailbox_server.smtp.server import SmtpService
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.settings import MIB, StoreSettings

_SECRET_FILE: Final = "secret"
_SECRET_OCTETS: Final = 32


@dataclass(slots=True)
class Built:
    """The parts that run and stop need to hold."""

    store: SqliteStore
    tls: ServerTls | None
    crunch: Crunch
    tasks: TaskKeeper
    admissions: Admissions
    smtp: SmtpService
    lmtp: SmtpService
    pop3: Pop3Factory
    imap: ImapFactory
    receiver: Receiver
    control: ControlSocket
    housekeeping: Housekeeping


def hostname_of(settings: Settings) -> Domain:
    """Our own name, from the settings or the machine.  Raises SettingsMalformed."""
    name = settings.server.hostname or socket.getfqdn()
    try:
        return Domain.parse(name)
    except DomainMalformed as error:
        raise SettingsMalformed(
            f"server.hostname: found {name!r} (the machine's own name); expected a host name"
        ) from error


def certificate_files(settings: Settings) -> list[CertificateFiles]:
    """The certificates to serve; none without TLS."""
    if not settings.tls.certificate:
        return []
    return [CertificateFiles(Path(settings.tls.certificate), Path(settings.tls.key))]


async def build(
    settings: Settings, events: Events, on_fatal: Callable[[BaseException], None]
) -> Built:
    """Open the store and build everything over it; nothing listens yet.

    on_fatal: called in the loop when the process must end.
    Raises SettingsMalformed, StoreLocked, SchemaTooNew, StoreUnavailable.
    """
    clock, entropy = SystemClock(), SystemEntropy()
    hostname = await asyncio.to_thread(hostname_of, settings)
    rules = _receiving_rules(settings, hostname)
    plan = _resolver_plan(settings)
    tls = _tls(settings)
    context: ssl.SSLContext | None = None if tls is None else tls.context

    store = await _open_store(settings, events, on_fatal)
    tasks = TaskKeeper(lambda name, error: events.fault("task.failed", error, task=name))
    net = settings.net
    admissions = Admissions(
        AdmissionLimits(
            net.connections,
            (
                NetworkLimit(32, 64, net.connections_per_address),
                NetworkLimit(24, 48, net.connections_per_network),
            ),
        ),
        clock,
    )

    passwords = _passwords(settings)
    crunch = Crunch(CrunchLimits())
    authenticator = Authenticator(
        store,
        passwords,
        crunch,
        Throttle(clock, ThrottleSettings()),
        clock,
        entropy,
        events,
        AuthenticatorSettings(
            secret=_secret(Path(settings.server.data)),
            cache_for=timedelta(seconds=settings.login.remembered_seconds),
        ),
    )

    resolver = Resolver(plan, clock) if settings.dns.verify_peer_name else None
    receiver = Receiver(
        store=store, rules=rules, names=resolver, clock=clock, events=events, tasks=tasks
    )
    smtp, lmtp = (
        SmtpService(
            dialect=dialect,
            hostname=hostname,
            limits=SmtpLimits(
                message_octets=settings.smtp.message_octets, recipients=settings.smtp.recipients
            ),
            timeouts=SmtpTimeouts(command=float(settings.smtp.command_seconds)),
            tls=lambda: context,
            policy=receiver,
            clock=clock,
            entropy=entropy,
            events=events,
            tasks=tasks,
        )
        for dialect in (dialects.SMTP, dialects.LMTP)
    )

    pop3 = Pop3Factory(
        Pop3Services(store, authenticator, MaildropLocks(), clock, events),
        _pop3_settings(settings, hostname),
        tasks,
        entropy,
        context,
    )
    imap = ImapFactory(
        ImapServices(
            store,
            SharedViews(store, tasks, events),
            authenticator,
            clock,
            events,
            ImapLimits(
                message_octets=settings.imap.message_octets,
                idle_seconds=float(settings.imap.idle_seconds),
            ),
            offers_tls=context is not None,
            loopback_logins=settings.login.plaintext_on_loopback,
        ),
        tasks,
        entropy,
        context,
    )

    administration = Administration(store, passwords, clock, entropy)
    control = ControlSocket(Path(settings.server.data), administration, __version__, events)
    housekeeping = Housekeeping(
        store, receiver, clock, events, timedelta(days=settings.store.tombstone_days)
    )
    return Built(
        store,
        tls,
        crunch,
        tasks,
        admissions,
        smtp,
        lmtp,
        pop3,
        imap,
        receiver,
        control,
        housekeeping,
    )


@asynccontextmanager
async def open_administration(settings: Settings) -> AsyncIterator[Administration]:
    """The operator's hands on a store that no server runs on; holds the data folder's lock.

    Raises StoreLocked, SchemaTooNew, StoreUnavailable.
    """
    store = await _open_store(settings, Silence(), _ignore)
    try:
        yield Administration(store, _passwords(settings), SystemClock(), SystemEntropy())
    finally:
        await store.close()


async def migrate_store(settings: Settings) -> str:
    """Open the store, which migrates it where it is older; a sentence says what was done."""
    told: list[str] = []

    class Told(Silence):
        """Remembers that a migration ran."""

        def info(self, event: str, /, **fields: object) -> None:
            if event == "store.migration.done":
                told.append(str(fields.get("version")))

    store = await _open_store(settings, Told(), _ignore)
    await store.close()
    if told:
        return f"the store is now at schema {told[-1]}; the copy from before is in backups/"
    return "the store is up to date"


def settle_world(config: Path, world: TryWorld, authority: Path) -> None:
    """Give try mode its domain, accounts and welcome mails where they are missing."""

    async def work() -> None:
        settings = load(config)
        async with open_administration(settings) as administration:
            await settle(administration, world, config, authority)

    asyncio.run(work())


def _ignore(_: BaseException) -> None:
    """A verb ends by itself: its write has raised already."""


async def _open_store(
    settings: Settings, events: Events, on_fatal: Callable[[BaseException], None]
) -> SqliteStore:
    chosen = settings.store
    return await SqliteStore.open(
        Path(settings.server.data),
        StoreSettings(
            log_octets=chosen.log_mebibytes * MIB,
            row_content_octets=chosen.row_content_octets,
            low_room_octets=chosen.low_mebibytes * MIB,
            reserve_octets=chosen.reserve_mebibytes * MIB,
            readers=chosen.readers,
        ),
        SystemClock(),
        SystemEntropy(),
        events,
        on_fatal,
    )


def _passwords(settings: Settings) -> Passwords:
    cost = HashCost(memory_kib=settings.login.hash_memory_kib, passes=settings.login.hash_passes)
    return Passwords(cost, SystemEntropy())


def _tls(settings: Settings) -> ServerTls | None:
    files = certificate_files(settings)
    if not files:
        return None
    opened = ServerTls.open(files)
    if isinstance(opened, CertificateUnusable):
        raise SettingsMalformed(f"tls: {opened}")
    return opened


def _receiving_rules(settings: Settings, hostname: Domain) -> ReceivingRules:
    postmaster = None
    if settings.addresses.postmaster:
        try:
            postmaster = Address.parse(settings.addresses.postmaster)
        except (AddressMalformed, DomainMalformed) as error:
            raise SettingsMalformed(
                f"addresses.postmaster: found {settings.addresses.postmaster!r}; "
                "expected an address"
            ) from error
    routing = RoutingRules(hostname, postmaster, settings.addresses.detail_separators)
    return ReceivingRules(routing, hops=settings.smtp.hops)


def _resolver_plan(settings: Settings) -> ResolverPlan:
    servers = tuple(_name_server(text) for text in settings.dns.servers)
    return ResolverPlan(servers or None, deadline_seconds=float(settings.dns.seconds))


def _name_server(text: str) -> NameServer:
    host, port = text, "53"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        return NameServer(str(ipaddress.ip_address(host)), int(port))
    except ValueError as error:
        raise SettingsMalformed(
            f"dns.servers: found {text!r}; expected ADDRESS, ADDRESS:PORT or [IPV6]:PORT"
        ) from error


def _pop3_settings(settings: Settings, hostname: Domain) -> Pop3Settings:
    chosen = settings.pop3
    return Pop3Settings(
        hostname=hostname.ascii,
        plaintext_on_loopback=settings.login.plaintext_on_loopback,
        second_session=SecondSession(chosen.second_session),
        removal=Removal(chosen.deleted),
        retrieved=Retrieved.MARK_SEEN if chosen.mark_seen else Retrieved.LEAVE,
        limits=Pop3Limits(idle_seconds=float(chosen.idle_seconds)),
    )


def _secret(data: Path) -> bytes:
    """The installation's own secret, made at the first start, mode 0600."""
    path = data / _SECRET_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        octets = path.read_bytes()
        if len(octets) < _SECRET_OCTETS:
            raise StoreUnavailable(f"{path} is damaged; delete it to have it made anew") from None
        return octets
    octets = SystemEntropy().octets(_SECRET_OCTETS)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(octets)
        stream.flush()
        os.fsync(stream.fileno())
    return octets
