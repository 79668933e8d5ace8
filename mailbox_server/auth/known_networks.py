"""From where each account was logged in to lately, kept over restarts.

All of it is in memory: at most `entries` of them, the longest unused forgotten first.  The
store hears of a network when it is new, and of one that is used again once a day, so that
clients that log in every minute cost it nothing; a crash loses what was new since the last
settle, about a minute.
"""

import contextlib
import ipaddress
from collections import OrderedDict
from datetime import timedelta
from typing import Final

from mailbox_server.model.account import KnownNetwork
from mailbox_server.model.ports import Clock
from mailbox_server.store.ports import Store, WriteTx

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

WRITTEN_EVERY: Final = timedelta(days=1)


class KnownNetworks:
    """The networks of one process."""

    def __init__(self, clock: Clock, known_for: timedelta, entries: int) -> None:
        self._clock = clock
        self._known_for = known_for
        self._entries = entries
        # By login and network: when it was last seen, and when the store was last told.
        self._seen: OrderedDict[tuple[str, IpNetwork], tuple[float, float | None]] = OrderedDict()
        self._forgotten_at = clock.monotonic()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._seen)

    def has(self, login: str, network: IpNetwork) -> bool:
        """Whether somebody logged in so from there within the time."""
        seen = self._seen.get((login, network))
        return seen is not None and self._age(seen[0]) < self._known_for.total_seconds()

    def saw(self, login: str, network: IpNetwork) -> None:
        """Somebody logged in so from there just now."""
        _, told = self._seen.pop((login, network), (0.0, None))
        self._put(login, network, self._clock.monotonic(), told)

    async def load(self, store: Store) -> None:
        """Remember what an earlier process settled.  Raises StoreUnavailable."""
        now, since = self._clock.monotonic(), self._clock.now() - self._known_for
        for known in await store.read(lambda tx: tx.known_networks.since(since, self._entries)):
            # What cannot be read was not written by us; the owner just becomes known again.
            with contextlib.suppress(ValueError):
                network = ipaddress.ip_network(known.network)
                age = max(0.0, (self._clock.now() - known.seen).total_seconds())
                self._put(known.login, network, now - age, now - age)

    async def settle(self, store: Store) -> None:
        """Write down what is new, and forget what is too old.  Raises StoreUnavailable."""
        at, now = self._clock.monotonic(), self._clock.now()
        fresh = {
            key: seen
            for key, (seen, told) in self._seen.items()
            if told is None or seen - told >= WRITTEN_EVERY.total_seconds()
        }
        is_forgetting = at - self._forgotten_at >= WRITTEN_EVERY.total_seconds()
        rows = [
            KnownNetwork(login, str(network), now - timedelta(seconds=at - seen))
            for (login, network), seen in fresh.items()
        ]

        def work(tx: WriteTx) -> None:
            for row in rows:
                tx.known_networks.saw(row)
            if is_forgetting:
                tx.known_networks.forget(now - self._known_for)

        if not rows and not is_forgetting:
            return
        await store.write(work)
        for key, seen in fresh.items():
            if key in self._seen:
                self._seen[key] = (self._seen[key][0], seen)
        if is_forgetting:
            self._forgotten_at = at

    def _age(self, seen: float) -> float:
        return self._clock.monotonic() - seen

    def _put(self, login: str, network: IpNetwork, seen: float, told: float | None) -> None:
        self._seen[login, network] = (seen, told)
        if len(self._seen) > self._entries:
            self._seen.popitem(last=False)
