"""TlsLevels: remembers how well mail to each domain was protected, and tells of a fall.

Without a policy TLS is a matter of what the other side offers, and somebody in between can
take the offer away (RFC 3207 §6).  The mail goes all the same; the owner hears of it, once a
day for a domain at most.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mailbox_server.model.ports import Clock, Events
from mailbox_server.model.tls_demand import TlsDemand, TlsLevel, TlsPolicy, TlsResult
from mailbox_server.store.ports import Store, WriteTx

FORGOTTEN_AFTER: Final = timedelta(days=365)
_A_DAY: Final = timedelta(days=1)
_ORDER: Final = (TlsLevel.NONE, TlsLevel.ENCRYPTED, TlsLevel.VERIFIED, TlsLevel.DANE)
_DOMAINS: Final = 20_000
"""Noted between two writes at most."""


@dataclass(frozen=True, slots=True)
class _Fall:
    domain: str
    host: str
    was: TlsLevel
    now: TlsLevel


class TlsLevels:
    """Notes sessions in memory, and compares them with the store when it is settled."""

    def __init__(self, clock: Clock, events: Events) -> None:
        self._clock = clock
        self._events = events
        self._noted: dict[str, tuple[TlsLevel, str]] = {}

    def session(self, domain: str, host: str, demand: TlsDemand, result: TlsResult | None) -> None:
        """Note a session over which mail goes; the worst of a minute is what counts.

        One that an operator's rule or the message itself made better or worse is no measure.
        """
        if demand.policy not in (TlsPolicy.NO_POLICY, TlsPolicy.STS, TlsPolicy.TLSA):
            return
        level = level_of(demand, result)
        noted = self._noted.get(domain)
        if noted is None and len(self._noted) >= _DOMAINS:
            return
        if noted is None or _ORDER.index(level) < _ORDER.index(noted[0]):
            self._noted[domain] = (level, host)

    async def settle(self, store: Store) -> None:
        """Write down what was noted, and tell of falls.  Raises StoreUnavailable."""
        if not self._noted:
            return
        taken, self._noted = self._noted, {}
        try:
            falls = await store.write(lambda tx: self._compare(tx, taken))
        except BaseException:  # whatever it was, the levels are for the next time
            self._noted = taken | self._noted
            raise
        for fall in falls:
            self._events.warning(
                "relay.tls_downgraded",
                domain=fall.domain,
                host=fall.host,
                was=fall.was.value,
                now=fall.now.value,
            )

    async def forget(self, store: Store) -> None:
        """Forget domains that no mail went to for a year.  Raises StoreUnavailable."""
        before = self._clock.now() - FORGOTTEN_AFTER
        await store.write(lambda tx: tx.peer_levels.forget(before))

    def _compare(self, tx: WriteTx, noted: dict[str, tuple[TlsLevel, str]]) -> list[_Fall]:
        now = self._clock.now()
        falls = []
        for domain, (level, host) in noted.items():
            known = tx.peer_levels.level(domain)
            if known is None:
                tx.peer_levels.note(domain, level, now, None)
                continue
            before, seen, told = known
            if _ORDER.index(level) < _ORDER.index(before) and (
                told is None or now - told >= _A_DAY
            ):
                falls.append(_Fall(domain, host, before, level))
                told = now
            if level is not before or now - seen >= _A_DAY or told is now:
                tx.peer_levels.note(domain, level, now, told)
        return falls


def level_of(demand: TlsDemand, result: TlsResult | None) -> TlsLevel:
    """How well a session was protected."""
    if result is None or result.tls is None:
        return TlsLevel.NONE
    is_met = result.fault is None and not demand.is_testing
    if is_met and demand.level in (TlsLevel.VERIFIED, TlsLevel.DANE):
        return demand.level
    return TlsLevel.ENCRYPTED
