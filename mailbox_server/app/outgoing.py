"""Outgoing mail composed: where it goes, who carries it, who is told, and the queue over it."""

from dataclasses import dataclass
from datetime import timedelta

from mailbox_server.app.consistency import descriptor_needs
from mailbox_server.app.reporting import report_rules, reporter_of
from mailbox_server.app.settings import Settings
from mailbox_server.app.ways import Ways, build_ways
from mailbox_server.checks.dkim.key_ring import KeyRing
from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.bounces.reporting import Reporter
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.dns.resolver import Resolver
from mailbox_server.model.address import Domain
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.net.descriptors import present_limit
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.client.opening import Client
from mailbox_server.relay.client.tls.handshake import open_client_tls
from mailbox_server.relay.destinations import Destinations
from mailbox_server.relay.queue.carrying import Carrying, CarryingRules, Outlook
from mailbox_server.relay.queue.scheduler import Scheduler
from mailbox_server.relay.queue.settling import Settling
from mailbox_server.relay.schedule import ScheduleRules
from mailbox_server.store.door import SqliteStore


@dataclass(slots=True)
class Outgoing:
    """The parts that run, stop and a change of settings need to hold."""

    hostname: Domain
    scheduler: Scheduler
    settling: Settling
    destinations: Destinations
    reporter: Reporter
    ways: Ways

    async def give_reporter(self) -> Reporter:
        """Who writes reports, for an operator's commands."""
        return self.reporter

    def change_rules(self, settings: Settings, names: Resolver, routing: RoutingRules) -> None:
        """Put live settings in force.  Raises SettingsMalformed, and changes nothing then."""
        self.ways.change_rules(settings, names)
        self.settling.rules = _schedule_rules(settings)
        self.scheduler.carrying.rules = _carrying_rules(settings)
        self.destinations.most_connections = settings.relay.connections_per_destination
        self.reporter.change_rules(report_rules(settings, self.hostname), routing)


def build_outgoing(
    *,
    store: SqliteStore,
    settings: Settings,
    hostname: Domain,
    names: Resolver,
    tasks: TaskKeeper,
    clock: Clock,
    entropy: Entropy,
    events: Events,
) -> Outgoing:
    """Build everything; nothing runs yet.  Raises SettingsMalformed."""
    signer = Signer(KeyRing(store, events), clock)
    ways = build_ways(
        store=store,
        settings=settings,
        hostname=hostname,
        names=names,
        signer=signer,
        tasks=tasks,
        clock=clock,
        entropy=entropy,
        events=events,
    )
    reporter = reporter_of(settings, hostname, store, clock, entropy, events)
    settling = Settling(
        store=store,
        reports=reporter,
        rules=_schedule_rules(settings),
        clock=clock,
        entropy=entropy,
        events=events,
        tasks=tasks,
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
        hops=ways.hops,
        settling=settling,
        destinations=destinations,
        tasks=tasks,
        clock=clock,
        events=events,
        carrying=carrying,
        heard=ways.news.heard,
    )
    return Outgoing(
        hostname=hostname,
        scheduler=scheduler,
        settling=settling,
        destinations=destinations,
        reporter=reporter,
        ways=ways,
    )


def _schedule_rules(settings: Settings) -> ScheduleRules:
    return ScheduleRules(
        lifetime=timedelta(hours=settings.relay.give_up_hours),
        delay_after=timedelta(hours=settings.relay.delay_notice_hours),
    )


def _carrying_rules(settings: Settings) -> CarryingRules:
    return CarryingRules(connections=descriptor_needs(settings, present_limit()).sending)
