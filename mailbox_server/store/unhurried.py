"""Work that nobody waits for rests between its steps: who waits hardly notices it.

Several threads of one interpreter take turns in milliseconds, so work that goes on and on makes
that of a client several times as long.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from mailbox_server.model.ports import Clock

Rest = Callable[[], Awaitable[None]]
"""To be called between two steps."""

_WORK_SECONDS: Final = 0.002
_REST_TIMES: Final = 3
_REST_MOST_SECONDS: Final = 1.0


async def at_once() -> None:
    """No rest: somebody waits."""


class Unhurried:
    """Rests three times as long as was worked."""

    def __init__(self, clock: Clock) -> None:
        """The work begins now."""
        self._clock = clock
        self._begun = clock.monotonic()

    async def rest(self) -> None:
        """Rest, where there was enough work since the last time; a second at most."""
        worked = self._clock.monotonic() - self._begun
        if worked >= _WORK_SECONDS:
            await asyncio.sleep(min(worked * _REST_TIMES, _REST_MOST_SECONDS))
            self._begun = self._clock.monotonic()
