"""Who tells senders what became of their mail, as the settings say."""

import asyncio
import socket
from datetime import timedelta

from mailbox_server.app.settings import Settings
from mailbox_server.checks.dkim.key_ring import KeyRing
from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.bounces.report import ReportRules
from mailbox_server.delivery.bounces.reporting import Reporter
from mailbox_server.delivery.bounces.scoring import ScoreRules
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.delivery.submitting.bounced_before import Answer, BouncedRules
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import DomainMalformed, SettingsMalformed
from mailbox_server.model.ports import Clock, Entropy, Events, SystemClock, SystemEntropy
from mailbox_server.store.ports import Store


def hostname_of(settings: Settings) -> Domain:
    """Our own name, from the settings or the machine.  Raises SettingsMalformed."""
    name = settings.server.hostname or socket.getfqdn()
    try:
        return Domain.parse(name)
    except DomainMalformed as error:
        raise SettingsMalformed(
            f"server.hostname: found {name!r} (the machine's own name); expected a host name"
        ) from error


def routing_rules(settings: Settings, hostname: Domain) -> RoutingRules:
    """What addresses mean."""
    addresses = settings.addresses
    postmaster = Address.parse(addresses.postmaster) if addresses.postmaster else None
    return RoutingRules(hostname, postmaster, addresses.detail_separators)


async def make_reporter(settings: Settings, store: Store, events: Events) -> Reporter:
    """One for a verb, which asks for it only when it needs one: our name may take a while.

    Raises SettingsMalformed.
    """
    hostname = await asyncio.to_thread(hostname_of, settings)
    return reporter_of(settings, hostname, store, SystemClock(), SystemEntropy(), events)


def reporter_of(
    settings: Settings,
    hostname: Domain,
    store: Store,
    clock: Clock,
    entropy: Entropy,
    events: Events,
) -> Reporter:
    """One for all who owe reports."""
    return Reporter(
        store=store,
        rules=report_rules(settings, hostname),
        routing=routing_rules(settings, hostname),
        scores=ScoreRules(),
        signer=Signer(KeyRing(store, events), clock),
        clock=clock,
        entropy=entropy,
        events=events,
    )


def report_rules(settings: Settings, hostname: Domain) -> ReportRules:
    """How much of a message comes back, and from whom."""
    chosen = settings.bounces
    return ReportRules(hostname, chosen.returned_octets, chosen.returned_octets_full)


def bounced_rules(settings: Settings) -> BouncedRules:
    """What is done about addresses from which mail came back."""
    chosen = settings.bounces
    return BouncedRules(Answer(chosen.answer), timedelta(days=chosen.remembered_days))
