"""Outgoing mail composed: where it goes, who carries it, who is told, and the queue over it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mailbox_server.app.relaying import hop_rules
from mailbox_server.app.settings import Settings
from mailbox_server.checks.dkim.key_ring import KeyRing
from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.bounces.report import ReportRules
from mailbox_server.delivery.bounces.reporting import Reporter
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.dns.resolver import Resolver
from mailbox_server.model.address import Address, Domain, IpAddress
from mailbox_server.model.ids import AccountId
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.model.tls_demand import TlsFault, TlsPolicy
from mailbox_server.net.https_client import HttpsClient, HttpsPlan
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.address_order import Families
from mailbox_server.relay.client.opening import Client, Opening
from mailbox_server.relay.client.tls.handshake import open_client_tls
from mailbox_server.relay.destinations import Destinations
from mailbox_server.relay.mta_sts.fetching import fetch_policy
from mailbox_server.relay.mta_sts.keeper import PolicyKeeper
from mailbox_server.relay.next_hops import NextHops
from mailbox_server.relay.queue.carrying import Carrying, CarryingRules, Outlook
from mailbox_server.relay.queue.scheduler import Scheduler
from mailbox_server.relay.queue.settling import Settling
from mailbox_server.relay.schedule import ScheduleRules
from mailbox_server.store.door import SqliteStore

_SOURCE: Final = "the configuration"


@dataclass(slots=True)
class Outgoing:
    """The parts that run, stop and a change of settings need to hold."""

    hostname: Domain
    scheduler: Scheduler
    settling: Settling
    destinations: Destinations
    hops: NextHops
    policies: PolicyKeeper
    reporter: Reporter
    lookups: "_Lookups"

    def change_rules(self, settings: Settings, names: Resolver, routing: RoutingRules) -> None:
        """Put live settings in force.  Raises SettingsMalformed, and changes nothing then."""
        rules = hop_rules(settings.relay, self.hostname, _SOURCE)
        self.hops.change_rules(names, rules)
        self.policies.change_names(names)
        self.lookups.names = names
        self.settling.rules = _schedule_rules(settings)
        self.scheduler.carrying.rules = _carrying_rules(settings)
        self.destinations.most_connections = settings.relay.connections_per_destination
        self.reporter.change_rules(ReportRules(self.hostname), routing)


class EventWitness:
    """Tells what went wrong with TLS before there was a session (relay.tls_witness.Witness)."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def failed(
        self,
        domain: str,
        policy: TlsPolicy,
        wording: tuple[str, ...],
        fault: TlsFault,
        host: str,
        detail: str,
    ) -> None:
        """A host was passed over, or a policy could not be had."""
        self._events.warning(
            "relay.tls_failed",
            domain=domain,
            host=host,
            policy=policy.value,
            fault=fault.value,
            detail=detail[:200],
        )


def build_outgoing(
    *,
    store: SqliteStore,
    settings: Settings,
    hostname: Domain,
    names: Resolver,
    routing: RoutingRules,
    tasks: TaskKeeper,
    clock: Clock,
    entropy: Entropy,
    events: Events,
) -> Outgoing:
    """Build everything; nothing runs yet.  Raises SettingsMalformed."""
    rules = hop_rules(settings.relay, hostname, _SOURCE)
    lookups = _Lookups(names)
    https = HttpsClient(lookups.addresses_of, HttpsPlan(opened=rules.opened))
    witness = EventWitness(events)
    policies = PolicyKeeper(
        store,
        names,
        lambda domain: fetch_policy(domain, https),
        witness,
        clock,
        events,
        tasks,
    )

    async def sender_of(account: AccountId) -> Address | None:
        found = await store.read(lambda tx: tx.accounts.get(account))
        return None if found is None else found.address

    hops = NextHops(names, policies, witness, sender_of, rules, clock, entropy)
    reporter = Reporter(
        store=store,
        rules=ReportRules(hostname),
        routing=routing,
        signer=Signer(KeyRing(store, events), clock),
        depart=lambda tx, departure, recipients: tx.outbound.add(departure, recipients),
        clock=clock,
        entropy=entropy,
        events=events,
    )
    settling = Settling(
        store=store,
        reports=reporter,
        rules=_schedule_rules(settings),
        clock=clock,
        entropy=entropy,
        events=events,
    )
    destinations = Destinations(clock, settings.relay.connections_per_destination)
    client = Client(hostname.ascii, open_client_tls(), clock, entropy)

    def carrying(outlook: Outlook) -> Carrying:
        return Carrying(
            store=store,
            client=client,
            settling=settling,
            destinations=destinations,
            outlook=outlook,
            rules=_carrying_rules(settings),
            tasks=tasks,
            clock=clock,
            events=events,
        )

    scheduler = Scheduler(
        store=store,
        hops=hops,
        settling=settling,
        destinations=destinations,
        tasks=tasks,
        clock=clock,
        events=events,
        carrying=carrying,
        heard=lambda hop, opening: _tell_families(hops.families, opening),
    )
    return Outgoing(
        hostname=hostname,
        scheduler=scheduler,
        settling=settling,
        destinations=destinations,
        hops=hops,
        policies=policies,
        reporter=reporter,
        lookups=lookups,
    )


class _Lookups:
    """The resolver of the moment, for who only wants addresses."""

    def __init__(self, names: Resolver) -> None:
        self.names = names

    async def addresses_of(self, host: str) -> tuple[IpAddress, ...]:
        """None where there are none or they cannot be had."""
        return (await self.names.addresses(host)).records


def _tell_families(families: Families, opening: Opening) -> None:
    for one in opening.tries:
        if one.source is None:
            families.missed(one.ip)
        else:
            families.reached(one.ip)


def _schedule_rules(settings: Settings) -> ScheduleRules:
    return ScheduleRules(
        lifetime=timedelta(hours=settings.relay.give_up_hours),
        delay_after=timedelta(hours=settings.relay.delay_notice_hours),
    )


def _carrying_rules(settings: Settings) -> CarryingRules:
    return CarryingRules(connections=settings.relay.connections)
