"""Answers kept for as long as the DNS allows, the least recently used thrown away first."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailbox_server.model.ports import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[V]):
    value: V
    expires: float
    weight: int


class ExpiringCache(Generic[K, V]):
    """A map whose entries expire, bounded by the weight of all entries together.

    capacity: the most weight that is held; what the weight counts is the caller's choice
        (octets, here).  An entry heavier than a sixteenth of it is not kept at all.
    """

    def __init__(self, capacity: int, clock: Clock) -> None:
        self._capacity = capacity
        self._clock = clock
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        """How many entries are held, expired ones that nobody asked for included."""
        return len(self._entries)

    @property
    def weight(self) -> int:
        """The weight of all entries."""
        return self._weight

    def get(self, key: K) -> V | None:
        """The value under key, or None when there is none or it has expired."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires <= self._clock.monotonic():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: K, value: V, seconds: float, weight: int) -> None:
        """Keep value for seconds; not at all when that is 0 or less."""
        self._drop(key)
        if seconds <= 0 or weight > self._capacity // 16:
            return
        self._entries[key] = _Entry(value, self._clock.monotonic() + seconds, weight)
        self._weight += weight
        while self._weight > self._capacity:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._weight = 0

    def _drop(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._weight -= entry.weight
