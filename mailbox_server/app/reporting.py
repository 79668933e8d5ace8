"""Who tells senders what became of their mail, as the settings say."""

import asyncio
import socket

from mailbox_server.app.settings import Settings
from mailbox_server.checks.dkim.key_ring import KeyRing
from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.bounces.report import ReportRules
from mailbox_server.delivery.bounces.reporting import Reporter
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import DomainMalformed, SettingsMalformed
from mailbox_server.model.ports import Events, SystemClock, SystemEntropy
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
    clock = SystemClock()
    return Reporter(
        store=store,
        rules=ReportRules(hostname),
        routing=routing_rules(settings, hostname),
        signer=Signer(KeyRing(store, events), clock),
        depart=lambda tx, departure, recipients: tx.outbound.add(departure, recipients),
        clock=clock,
        entropy=SystemEntropy(),
        events=events,
    )
