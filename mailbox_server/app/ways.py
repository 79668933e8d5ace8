"""Ways composed: where mail goes, by which policies of others, and what they hear of it."""

from dataclasses import dataclass
from typing import Final

from mailbox_server.app.consistency import listen_addresses
from mailbox_server.app.relaying import hop_rules
from mailbox_server.app.settings import Settings
from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.dns.resolver import Resolver
from mailbox_server.model.address import Address, Domain, IpAddress
from mailbox_server.model.ids import AccountId
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.net.https_client import HttpsClient, HttpsPlan
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.mta_sts.fetching import fetch_policy
from mailbox_server.relay.mta_sts.keeper import PolicyKeeper
from mailbox_server.relay.next_hops import HopRules, NextHops
from mailbox_server.relay.session_news import SessionNews
from mailbox_server.relay.tls_levels import TlsLevels
from mailbox_server.relay.tls_reports.reporting import TlsReporter
from mailbox_server.relay.tls_reports.tally import TlsTally
from mailbox_server.relay.tls_upkeep import TlsUpkeep
from mailbox_server.store.door import SqliteStore

_SOURCE: Final = "the configuration"


@dataclass(slots=True)
class Ways:
    """The parts that run, stop and a change of settings need to hold."""

    hostname: Domain
    hops: NextHops
    policies: PolicyKeeper
    news: SessionNews
    reporter: TlsReporter
    upkeep: TlsUpkeep
    https: HttpsClient
    lookups: "_Lookups"

    def change_rules(self, settings: Settings, names: Resolver) -> None:
        """Put live settings in force.  Raises SettingsMalformed, and changes nothing then."""
        rules = _rules(settings, self.hostname)
        self.hops.change_rules(names, rules)
        self.policies.change_names(names)
        self.reporter.change_names(names)
        self.upkeep.sends_reports = settings.relay.tls_reports
        self.https.change_plan(HttpsPlan(opened=rules.opened))
        self.lookups.names = names


def build_ways(
    *,
    store: SqliteStore,
    settings: Settings,
    hostname: Domain,
    names: Resolver,
    signer: Signer,
    tasks: TaskKeeper,
    clock: Clock,
    entropy: Entropy,
    events: Events,
) -> Ways:
    """Build everything; nothing runs yet.  Raises SettingsMalformed."""
    rules = _rules(settings, hostname)
    lookups = _Lookups(names)
    https = HttpsClient(lookups.addresses_of, HttpsPlan(opened=rules.opened))
    tally, levels = TlsTally(clock), TlsLevels(clock, events)
    policies = PolicyKeeper(
        store,
        names,
        lambda domain: fetch_policy(domain, https),
        tally,
        clock,
        events,
        tasks,
    )

    async def sender_of(account: AccountId) -> Address | None:
        found = await store.read(lambda tx: tx.accounts.get(account))
        return None if found is None else found.address

    hops = NextHops(names, policies, tally, sender_of, rules, clock, entropy)
    news = SessionNews(hops.families, tally, levels)
    reporter = TlsReporter(store, names, https, signer, hostname, clock, events)
    upkeep = TlsUpkeep(
        store=store,
        policies=policies,
        news=news,
        levels=levels,
        reporter=reporter,
        sends_reports=settings.relay.tls_reports,
        tasks=tasks,
        events=events,
    )
    return Ways(hostname, hops, policies, news, reporter, upkeep, https, lookups)


def _rules(settings: Settings, hostname: Domain) -> HopRules:
    listening = listen_addresses(settings.listen, "smtp")
    return hop_rules(settings.relay, hostname, _SOURCE, listening)


class _Lookups:
    """The resolver of the moment, for who only wants addresses."""

    def __init__(self, names: Resolver) -> None:
        self.names = names

    async def addresses_of(self, host: str) -> tuple[IpAddress, ...]:
        """None where there are none or they cannot be had."""
        return (await self.names.addresses(host)).records
