"""PolicyKeeper: which MTA-STS policy counts for a domain now (RFC 8461 §5.1).

A policy that was fetched counts until its time is over, whatever the DNS says meanwhile: who
can suppress an answer must not be able to take the protection away.  It is fetched anew when
the id of the TXT record has changed, and once a day lest it run out (§3.3).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from mailbox_server.dns.answers import Answer
from mailbox_server.dns.cache import ExpiringCache
from mailbox_server.model.address import Domain
from mailbox_server.model.ports import Clock, Events
from mailbox_server.model.sts_policy import KeptPolicy, StsPolicy
from mailbox_server.model.tls_demand import TlsFault, TlsPolicy
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.mta_sts.fetching import FetchFailed
from mailbox_server.relay.mta_sts.policy import KnownPolicy, read_policy_id
from mailbox_server.relay.tls_witness import Witness
from mailbox_server.store.ports import Store

FetchPolicy = Callable[[Domain], Awaitable[StsPolicy | FetchFailed]]

REFRESHED_AFTER: Final = timedelta(days=1)
UNUSED_AFTER: Final = timedelta(days=90)
FAILURE_SECONDS: Final = 300.0
"""How long a failed fetch is not tried again for the same id (RFC 8461 §3.3)."""
DNS_FAILURE_SECONDS: Final = 60.0
_DNS: Final = "*"
"""In place of an id: no id has that character."""
_FAILURES_KEPT: Final = 10_000
_AT_ONCE: Final = 20
_REFRESHED_AT_ONCE: Final = 2_000


class RecordNames(Protocol):
    """The question this module asks (dns.resolver.Resolver)."""

    async def txt(self, name: str) -> Answer[bytes]:
        """TXT records."""


class PolicyKeeper:
    """Knows policies, from the store, the DNS and the policy hosts."""

    def __init__(
        self,
        store: Store,
        names: RecordNames,
        fetch: FetchPolicy,
        witness: Witness,
        clock: Clock,
        events: Events,
        tasks: TaskKeeper,
    ) -> None:
        self._store = store
        self._names = names
        self._fetch = fetch
        self._witness = witness
        self._clock = clock
        self._events = events
        self._tasks = tasks
        self._flights: dict[tuple[Domain, str], asyncio.Task[KeptPolicy | None]] = {}
        self._failed: ExpiringCache[tuple[Domain, str], bool] = ExpiringCache(_FAILURES_KEPT, clock)
        self._places = asyncio.Semaphore(_AT_ONCE)

    def change_names(self, names: RecordNames) -> None:
        """Ask these from the next question on."""
        self._names = names

    async def policy_of(self, domain: Domain) -> KnownPolicy:
        """The policy that counts now.

        Waits for a fetch where none is known of the present id.  Raises StoreUnavailable.
        """
        kept = await self._kept(domain)
        known = None if kept is None else kept.policy
        if self._failed.get((domain, _DNS)) is not None:
            return KnownPolicy(known, is_certain=False)
        answer = await self._names.txt(f"_mta-sts.{domain.ascii}")
        identity = read_policy_id(answer.records)
        if answer.is_trouble:
            # Name servers that fail at such questions must not cost every message its time.
            self._failed.put((domain, _DNS), True, DNS_FAILURE_SECONDS, 1)
        if identity is None:
            if known is not None and known.is_active:
                self._tell(domain, "the _mta-sts record is missing", known)
            return KnownPolicy(known, is_certain=not answer.is_trouble)
        if kept is not None and kept.identity == identity:
            return KnownPolicy(kept.policy, is_certain=True)
        fresh = await self._fetched(domain, identity, known, self._clock.now())
        if fresh is None:
            return KnownPolicy(known, is_certain=False)
        return KnownPolicy(fresh.policy, is_certain=True)

    async def refresh(self) -> None:
        """Fetch anew what is older than a day, and forget what has run out or is not used.

        Raises StoreUnavailable.
        """
        now = self._clock.now()
        await self._store.write(lambda tx: tx.sts_policies.forget(now, now - UNUSED_AFTER))
        before = now - REFRESHED_AFTER
        old = await self._store.read(
            lambda tx: tx.sts_policies.fetched_before(before, _REFRESHED_AT_ONCE)
        )
        for start in range(0, len(old), _AT_ONCE):
            await asyncio.gather(*map(self._refresh, old[start : start + _AT_ONCE]))

    async def _refresh(self, kept: KeptPolicy) -> None:
        answer = await self._names.txt(f"_mta-sts.{kept.domain.ascii}")
        identity = read_policy_id(answer.records) or kept.identity
        fresh = await self._fetched(kept.domain, identity, kept.policy, kept.used)
        if fresh is None and kept.policy.is_active:
            self._events.warning(
                "relay.mta_sts_not_refreshed",
                domain=kept.domain.ascii,
                mode=kept.policy.mode.value,
                expires=kept.expires.isoformat(),
            )

    async def _kept(self, domain: Domain) -> KeptPolicy | None:
        """What is kept and still counts; notes once a day that it is used."""
        now = self._clock.now()
        kept = await self._store.read(lambda tx: tx.sts_policies.find(domain))
        if kept is None or kept.expires <= now:
            return None
        if now - kept.used >= REFRESHED_AFTER:
            await self._store.write(lambda tx: tx.sts_policies.used(domain, now))
        return kept

    async def _fetched(
        self, domain: Domain, identity: str, known: StsPolicy | None, used: datetime
    ) -> KeptPolicy | None:
        """Fetch once for all who ask; None where that failed, just now or a moment ago."""
        key = (domain, identity)
        if self._failed.get(key) is not None:
            return None
        flight = self._flights.get(key)
        if flight is None:
            work = self._fly(domain, identity, known, used)
            flight = self._tasks.spawn(f"mta-sts policy of {domain}", work)
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        # Shielded: who is cancelled must not take the others with it.
        return await asyncio.shield(flight)

    async def _fly(
        self, domain: Domain, identity: str, known: StsPolicy | None, used: datetime
    ) -> KeptPolicy | None:
        async with self._places:
            policy = await self._fetch(domain)
        if isinstance(policy, FetchFailed):
            self._failed.put((domain, identity), True, FAILURE_SECONDS, 1)
            self._events.info(
                "relay.mta_sts_failed",
                domain=domain.ascii,
                fault=policy.fault.value,
                reason=policy.detail,
            )
            self._witness.failed(
                domain.ascii, TlsPolicy.STS, _wording(known), policy.fault, "", policy.detail
            )
            return None
        kept = KeptPolicy(domain, identity, policy, fetched=self._clock.now(), used=used)
        await self._store.write(lambda tx: tx.sts_policies.keep(kept))
        self._events.info(
            "relay.mta_sts_fetched",
            domain=domain.ascii,
            mode=policy.mode.value,
            id=identity,
            seconds=policy.max_age,
        )
        return kept

    def _tell(self, domain: Domain, detail: str, known: StsPolicy) -> None:
        """Count once in a while that a policy can no longer be checked."""
        key = (domain, "")
        if self._failed.get(key) is None:
            self._failed.put(key, True, FAILURE_SECONDS, 1)
            fault = TlsFault.STS_POLICY_FETCH_ERROR
            self._witness.failed(domain.ascii, TlsPolicy.STS, known.lines(), fault, "", detail)


def _wording(policy: StsPolicy | None) -> tuple[str, ...]:
    return () if policy is None else policy.lines()
