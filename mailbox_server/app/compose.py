"""The composition root: every object of the appliance is built once, here, in reading order."""

import asyncio
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from mailbox_server import __version__
from mailbox_server.app.consistency import (
    LEAST_PLACES,
    descriptor_needs,
    warnings,
)
from mailbox_server.app.data_folder import SECRET_FILE
from mailbox_server.app.dns_opening import open_resolver, publication, rotation_rules
from mailbox_server.app.outgoing import Outgoing, build_outgoing
from mailbox_server.app.reporting import (
    hostname_of,
    routing_rules,
)
from mailbox_server.app.returning import build_returns
from mailbox_server.app.settings import Settings
from mailbox_server.app.store_opening import attached_texts, open_store, passwords_of
from mailbox_server.app.submitting import submission_rules
from mailbox_server.app.switching import imap_switches, pop3_extents, pop3_switches
from mailbox_server.app.tls_opening import open_tls, take_registered
from mailbox_server.auth.authenticator import Authenticator, AuthenticatorSettings
from mailbox_server.auth.crunch import Crunch, CrunchLimits
from mailbox_server.auth.known_networks import KnownNetworks
from mailbox_server.auth.throttle import Throttle, ThrottleSettings
from mailbox_server.checks.dkim.key_keeper import KeyKeeper
from mailbox_server.checks.dkim.key_ring import KeyRing
from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.bounces.overdue_forwards import OverdueForwards
from mailbox_server.delivery.bounces.returns import Returns
from mailbox_server.delivery.receiving import Receiver, ReceivingRules
from mailbox_server.delivery.return_path_keys import ReturnPathKeys
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.delivery.sent_copies import SentCopies
from mailbox_server.delivery.srs import Rewriter
from mailbox_server.delivery.submitting.means import Means
from mailbox_server.delivery.submitting.submitter import Submitter
from mailbox_server.delivery.verp import PathSigner
from mailbox_server.dns.resolver import Resolver
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.server import ImapFactory
from mailbox_server.imap.session import Services as ImapServices
from mailbox_server.imap.views.shared_views import SharedViews
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import (
    SettingsMalformed,
    StoreUnavailable,
)
from mailbox_server.model.ports import Clock, Entropy, Events, SystemClock, SystemEntropy
from mailbox_server.net.admission import AdmissionLimits, Admissions, NetworkLimit
from mailbox_server.net.descriptors import Scarcity, leaving, present_limit
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.tls import ServerTls
from mailbox_server.ops.administration import Administration
from mailbox_server.ops.control import ControlSocket
from mailbox_server.ops.housekeeping import Housekeeping, HousekeepingRules, Keepers
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
from mailbox_server.smtp.dialects import Dialect
from mailbox_server.smtp.limits import SmtpLimits, SmtpTimeouts
from mailbox_server.smtp.places import Logins
from mailbox_server.smtp.policy import Policy
from mailbox_server.smtp.server import SmtpService
from mailbox_server.store.attached_text.catching_up import AttachedTexts
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.search_index.catching_up import SearchIndexer
from mailbox_server.store.settings import MIB
from mailbox_server.store.workers import Workers

_SECRET_OCTETS: Final = 32
_SERVER_LOCK_SECONDS: Final = 3.0


@dataclass(slots=True)
class Built:
    """The parts that run and stop need to hold."""

    hostname: Domain
    clock: Clock
    store: SqliteStore
    tls: ServerTls | None
    crunch: Crunch
    authenticator: Authenticator
    known_networks: KnownNetworks
    tasks: TaskKeeper
    admissions: Admissions
    scarcity: Scarcity
    smtp: SmtpService
    lmtp: SmtpService
    submission: SmtpService
    pop3: Pop3Factory
    imap: ImapFactory
    views: SharedViews
    receiver: Receiver
    submitter: Submitter
    outgoing: Outgoing
    administration: Administration
    control: ControlSocket
    housekeeping: Housekeeping
    key_keeper: KeyKeeper
    indexer: SearchIndexer
    attached: AttachedTexts

    @property
    def transfers(self) -> Mapping[str, SmtpService]:
        """What talks SMTP or LMTP, by the name of its listeners."""
        return {
            "smtp": self.smtp,
            "smtp_tls": self.smtp,
            "lmtp": self.lmtp,
            "submission": self.submission,
            "submissions": self.submission,
        }


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What everything that talks SMTP, to clients or to other servers, is given."""

    settings: Settings
    hostname: Domain
    clock: Clock
    entropy: Entropy
    events: Events
    tasks: TaskKeeper

    def talking(
        self,
        dialect: Dialect,
        policy: Policy,
        tls: ssl.SSLContext | None,
        logins: Logins | None = None,
    ) -> SmtpService:
        """One that talks that dialect."""
        return SmtpService(
            dialect=dialect,
            hostname=self.hostname,
            limits=_smtp_limits(dialect, self.settings),
            timeouts=_smtp_timeouts(self.settings),
            tls=lambda: tls,
            policy=policy,
            clock=self.clock,
            entropy=self.entropy,
            events=self.events,
            tasks=self.tasks,
            logins=logins,
        )

    def submitting(
        self, store: SqliteStore, routing: RoutingRules, outgoing: Outgoing, paths: PathSigner
    ) -> Submitter:
        """Who takes mail from those who have logged in."""
        return Submitter(
            Means(
                store=store,
                rules=submission_rules(self.settings, routing),
                clock=self.clock,
                entropy=self.entropy,
                events=self.events,
                signer=Signer(KeyRing(store, self.events), self.clock, Workers("signing", 2)),
                sent_copies=SentCopies(store, self.clock),
                paths=paths,
                reporter=outgoing.reporter,
            )
        )

    def receiving(
        self,
        store: SqliteStore,
        rules: ReceivingRules,
        names: Resolver | None,
        rewriter: Rewriter,
        outgoing: Outgoing,
        returns: Returns,
    ) -> Receiver:
        """Who takes mail from elsewhere."""
        return Receiver(
            store=store,
            rules=rules,
            names=names,
            clock=self.clock,
            events=self.events,
            tasks=self.tasks,
            rewriter=rewriter,
            reporter=outgoing.reporter,
            returns=returns,
        )

    def sending(self, store: SqliteStore, names: Resolver) -> Outgoing:
        """All that mail needs on its way out."""
        return build_outgoing(
            store=store,
            settings=self.settings,
            hostname=self.hostname,
            names=names,
            tasks=self.tasks,
            clock=self.clock,
            entropy=self.entropy,
            events=self.events,
        )


async def build(
    settings: Settings, events: Events, on_fatal: Callable[[BaseException], None]
) -> Built:
    """Open the store and build everything over it; nothing listens yet.

    on_fatal: called in the loop when the process must end.
    Raises SettingsMalformed, StoreLocked, SchemaTooNew, StoreUnavailable.
    """
    hostname = await asyncio.to_thread(hostname_of, settings)
    tls = open_tls(settings)
    store = await open_store(
        settings, events, on_fatal, lock_seconds=_SERVER_LOCK_SECONDS, may_map=True
    )
    try:
        if tls is not None:
            await take_registered(tls, store, events)
        return _build_over(store, settings, hostname, tls, events)
    except BaseException:  # whatever failed, the folder must be free for the next try
        await store.close()
        raise


def _build_over(
    store: SqliteStore,
    settings: Settings,
    hostname: Domain,
    tls: ServerTls | None,
    events: Events,
) -> Built:
    clock, entropy, data = SystemClock(), SystemEntropy(), Path(settings.server.data)
    secret = _secret(data)
    context, login_context = (None, None) if tls is None else (tls.context, tls.login_context)
    tasks = TaskKeeper(lambda name, error: events.fault("task.failed", error, task=name))
    admissions = Admissions(_admission_limits(settings, events), clock)

    passwords = passwords_of(settings)
    crunch = Crunch(CrunchLimits())
    throttle = ThrottleSettings()
    known_networks = KnownNetworks(clock, throttle.known_for, throttle.entries)
    throttling = Throttle(clock, throttle, known_networks)
    knowing = AuthenticatorSettings(secret, _remembered(settings))
    authenticator = Authenticator(
        store, passwords, crunch, throttling, clock, entropy, events, knowing
    )

    rules, names = _receiving_rules(settings, hostname), open_resolver(settings, clock)
    heard = _peer_names(settings, names)
    rewriter = Rewriter(ReturnPathKeys(secret, "srs"))
    logins = Logins(authenticator, settings.login.plaintext_on_loopback)
    around = _Surroundings(settings, hostname, clock, entropy, events, tasks)
    outgoing = around.sending(store, names)
    paths, returns, prober = build_returns(store, secret, hostname, clock, entropy, events)
    submitter = around.submitting(store, rules.routing, outgoing, paths)
    receiver = around.receiving(store, rules, heard, rewriter, outgoing, returns)
    smtp = around.talking(dialects.SMTP, receiver, context)
    lmtp = around.talking(dialects.LMTP, receiver, context)
    submission = around.talking(dialects.SUBMISSION, submitter, login_context, logins)
    pop3 = Pop3Factory(
        Pop3Services(store, authenticator, MaildropLocks(), clock, events),
        _pop3_settings(settings, hostname),
        tasks,
        entropy,
        login_context,
    )
    views = SharedViews(store, tasks, events, settings.imap.view_mebibytes * MIB)
    services = _imap_services(store, views, authenticator, clock, events, hostname, entropy)
    services = replace(
        services, offers_tls=login_context is not None, sent_copies=submitter.means.sent_copies
    )
    imap = ImapFactory(_with_live_settings(services, settings), tasks, entropy, login_context)
    take = None if tls is None else tls.take_from_clients
    indexer = SearchIndexer(store, clock, events)
    attached = attached_texts(settings, store, events)
    keeping = _housekeeping_rules(settings)
    key_keeper = KeyKeeper(store, names, clock, events, rotation_rules(settings))
    keepers = Keepers(receiver, submitter, known_networks, key_keeper, outgoing.ways.upkeep)
    dns = publication(settings, names)
    administration = Administration(
        store, passwords, clock, entropy, indexer, attached, outgoing.give_reporter, dns, take
    )
    forwards = OverdueForwards(store, outgoing.reporter, clock, events)
    housekeeping = Housekeeping(
        store, keepers, indexer, attached, clock, events, keeping, prober, forwards
    )
    return Built(
        hostname=hostname,
        clock=clock,
        store=store,
        tls=tls,
        crunch=crunch,
        authenticator=authenticator,
        known_networks=known_networks,
        tasks=tasks,
        admissions=admissions,
        scarcity=Scarcity(events, clock),
        smtp=smtp,
        lmtp=lmtp,
        submission=submission,
        pop3=pop3,
        imap=imap,
        views=views,
        receiver=receiver,
        submitter=submitter,
        outgoing=outgoing,
        administration=administration,
        control=ControlSocket(data, administration, __version__, events, tasks),
        housekeeping=housekeeping,
        key_keeper=key_keeper,
        indexer=indexer,
        attached=attached,
    )


def change_live(built: Built, settings: Settings, events: Events) -> None:
    """Put the settings marked live in force; connections that stand keep what they began with.

    Raises SettingsMalformed, and changes nothing then.
    """
    limits = _admission_limits(settings, events)
    rules, names = _receiving_rules(settings, built.hostname), open_resolver(settings, built.clock)
    built.outgoing.change_rules(settings, names, rules.routing)
    built.admissions.change_limits(limits)
    built.authenticator.remember_for(_remembered(settings))
    built.receiver.change_rules(rules, _peer_names(settings, names))
    built.submitter.change_rules(submission_rules(settings, rules.routing))
    for service in (built.smtp, built.lmtp, built.submission):
        service.limits = _smtp_limits(service.dialect, settings)
        service.timeouts = _smtp_timeouts(settings)
    built.submission.logins = Logins(built.authenticator, settings.login.plaintext_on_loopback)
    built.pop3.settings = _pop3_settings(settings, built.hostname)
    built.imap.services = _with_live_settings(built.imap.services, settings)
    built.views.most_octets = settings.imap.view_mebibytes * MIB
    built.housekeeping.rules = _housekeeping_rules(settings)
    built.key_keeper.rules, built.key_keeper.records = rotation_rules(settings), names


def _admission_limits(settings: Settings, events: Events) -> AdmissionLimits:
    """As the settings say, as far as the descriptors go.  Raises SettingsMalformed."""
    net, limit = settings.net, present_limit()
    needs = descriptor_needs(settings, limit)
    places = min(net.connections, needs.places(limit))
    if places < LEAST_PLACES:
        raise SettingsMalformed(
            f"the limit of {limit} open files is too low for what is configured; at least "
            f"{needs.limit_for(LEAST_PLACES)} are needed (LimitNOFILE=, ulimit -n)"
        )
    events.info("net.descriptors", limit=limit, kept=needs.kept, connections=places)
    for warning in warnings(settings, limit):
        events.warning("net.fewer_connections", reason=warning)
    return AdmissionLimits(
        places,
        (
            NetworkLimit(32, 64, min(places, net.connections_per_address)),
            NetworkLimit(24, 48, min(places, net.connections_per_network)),
        ),
        leaving=leaving(places),
    )


def _remembered(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.login.remembered_seconds)


def _imap_services(
    store: SqliteStore,
    views: SharedViews,
    authenticator: Authenticator,
    clock: Clock,
    events: Events,
    hostname: Domain,
    entropy: Entropy,
) -> ImapServices:
    return ImapServices(
        store,
        views,
        authenticator,
        clock,
        events,
        ImapLimits(),
        offers_tls=False,
        loopback_logins=False,
        hostname=hostname.ascii,
        entropy=entropy,
    )


def _receiving_rules(settings: Settings, hostname: Domain) -> ReceivingRules:
    return ReceivingRules(
        routing_rules(settings, hostname),
        hops=settings.smtp.hops,
        reports_back=settings.bounces.reports_back_per_day,
    )


def _peer_names(settings: Settings, names: Resolver) -> Resolver | None:
    return names if settings.dns.verify_peer_name else None


def _smtp_limits(dialect: Dialect, settings: Settings) -> SmtpLimits:
    chosen = settings.smtp
    limits = SmtpLimits(message_octets=chosen.message_octets, recipients=chosen.recipients)
    return limits.for_submission() if dialect.is_submission else limits


def _smtp_timeouts(settings: Settings) -> SmtpTimeouts:
    return SmtpTimeouts(command=float(settings.smtp.command_seconds))


def _with_live_settings(services: ImapServices, settings: Settings) -> ImapServices:
    chosen = settings.imap
    return replace(
        services,
        limits=ImapLimits(
            message_octets=chosen.message_octets,
            copied_messages=chosen.copied_messages,
            idle_seconds=float(chosen.idle_seconds),
        ),
        loopback_logins=settings.login.plaintext_on_loopback,
        switches=imap_switches(settings),
        submission_servers=frozenset(Address.parse(each).key for each in chosen.submission_servers),
    )


def _pop3_settings(settings: Settings, hostname: Domain) -> Pop3Settings:
    chosen = settings.pop3
    return Pop3Settings(
        hostname=hostname.ascii,
        plaintext_on_loopback=settings.login.plaintext_on_loopback,
        second_session=SecondSession(chosen.second_session),
        removal=Removal(chosen.deleted),
        retrieved=Retrieved.MARK_SEEN if chosen.mark_seen else Retrieved.LEAVE,
        switches=pop3_switches(settings),
        extents=pop3_extents(settings),
        limits=Pop3Limits(idle_seconds=float(chosen.idle_seconds)),
    )


def _housekeeping_rules(settings: Settings) -> HousekeepingRules:
    days = settings.store.compress_after_days
    return HousekeepingRules(
        tombstones_for=timedelta(days=settings.store.tombstone_days),
        passports_for=timedelta(days=settings.store.passport_days),
        compress_after=timedelta(days=days) if days else None,
    )


def _secret(data: Path) -> bytes:
    """The installation's own secret, made at the first start, mode 0600."""
    path = data / SECRET_FILE
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
