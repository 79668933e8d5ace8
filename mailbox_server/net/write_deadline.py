"""A peer that stops reading is found out by the octets that it fails to take."""

import asyncio
from collections.abc import Callable
from typing import Final

LEAST_OCTETS_A_SECOND: Final = 100


class WriteDeadline:
    """Watches one connection while its outgoing buffer is not empty enough.

    seconds: within each such span the peer must take at least 100 octets a second on
        average; if it does not, expired is called once.  So a long answer over a slow
        line may take its time, and one octet now and then does not keep a place.
    taken: octets that have left our buffer so far.
    """

    def __init__(
        self, seconds: float, taken: Callable[[], int], expired: Callable[[], None]
    ) -> None:
        self._seconds = seconds
        self._taken = taken
        self._expired = expired
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0

    def start(self) -> None:
        """Begin to watch; when watching already, do nothing."""
        if self._timer is None:
            self._arm()

    def stop(self) -> None:
        """The peer has caught up, or is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._seen = self._taken()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._taken() - self._seen < LEAST_OCTETS_A_SECOND * self._seconds:
            self._expired()
        else:
            self._arm()
