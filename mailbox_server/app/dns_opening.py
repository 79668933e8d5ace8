"""What the settings say about the DNS: who answers, and what is to be published."""

from collections.abc import Callable
from datetime import timedelta

from mailbox_server.app.consistency import listen_addresses, name_server
from mailbox_server.app.reporting import hostname_of
from mailbox_server.app.settings import Settings
from mailbox_server.checks.dkim.rotation import RotationRules
from mailbox_server.dns.resolver import Resolver, ResolverPlan
from mailbox_server.model.ports import Clock
from mailbox_server.net.listeners import TcpAddress
from mailbox_server.net.own_addresses import public_addresses
from mailbox_server.ops.domain_records import SERVICES, Publishing
from mailbox_server.ops.domain_verbs import Publication


def rotation_rules(settings: Settings) -> RotationRules:
    """When signing keys change."""
    chosen = settings.dkim
    return RotationRules(
        every=timedelta(days=chosen.rotate_days) if chosen.rotate_days else None,
        lead=timedelta(days=chosen.publish_days),
        keep=timedelta(days=chosen.keep_days),
    )


def publication(settings: Settings, resolver: Resolver) -> Publication:
    """What verbs of domains need."""
    return Publication(resolver, _shared(settings), rotation_rules(settings))


def _shared(settings: Settings) -> Callable[[], Publishing]:
    def find() -> Publishing:
        return Publishing(hostname_of(settings), _services(settings), public_addresses())

    return find


def _services(settings: Settings) -> dict[str, int]:
    """The first port of each service that mail programs look for."""
    ports: dict[str, int] = {}
    for service in SERVICES:
        for address in listen_addresses(settings.listen, service):
            if isinstance(address, TcpAddress) and address.port:
                ports.setdefault(service, address.port)
    return ports


def open_resolver(settings: Settings, clock: Clock) -> Resolver:
    """Who answers our questions."""
    servers = tuple(s for text in settings.dns.servers if (s := name_server(text)) is not None)
    plan = ResolverPlan(
        servers or None,
        trusted=settings.dns.trusted,
        deadline_seconds=float(settings.dns.seconds),
    )
    return Resolver(plan, clock)
