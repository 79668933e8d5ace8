"""What this process remembers of each destination: how it has been, how much it may get.

A destination is what shares connections (NextHop.key).  The first one shows whether it takes
mail at all; with the first message that it takes it may have FIRST, with each that follows
one more, and trouble halves them.  One that cannot be reached
is shut for a while: mail for it is put off without being tried, and after that time one
message probes it, not all.  One that says 421 is left alone for a shorter while.

All of this is forgotten at a restart, and of destinations beyond MOST: it saves others
trouble, no mail depends on it.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.outbound import Attempt
from mailbox_server.model.ports import Clock

MOST: Final = 10_000
FIRST: Final = 5
"""Connections of a destination that has just shown that it takes mail."""
_DEAD_SECONDS: Final = (300.0, 3_600.0)
"""Shut for so long after the first failure, twice as long after each that follows, at most."""
_BUSY_SECONDS: Final = (60.0, 1_800.0)
"""The same after 421."""
_RESTS: Final = 3


@dataclass(slots=True)
class Destination:
    """One destination.

    limit: how many connections it may have.  connections: how many it has or is getting.
    is_proven: whether it was reached since it failed last, or ever.
    has_taken: whether it took a message in that time.
    failures: in a row.  shut_until: of the monotonic clock.
    trouble: why mail is put off without being tried while it is shut; None where it only
        wanted to be left alone.
    """

    key: str
    limit: int = 1
    connections: int = 0
    is_proven: bool = False
    has_taken: bool = False
    failures: int = 0
    shut_until: float = 0.0
    trouble: Attempt | None = None


class Destinations:
    """Destinations by key, the ones used last."""

    def __init__(self, clock: Clock, most_connections: int) -> None:
        self._clock = clock
        self._known: OrderedDict[str, Destination] = OrderedDict()
        self.most_connections = most_connections

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    def of(self, key: str) -> Destination:
        """The destination of that key, new where it is not remembered."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Destination(key)
            self._forget_some()
        self._known.move_to_end(key)
        return found

    def is_shut(self, destination: Destination) -> bool:
        """Whether nothing may be tried there now."""
        return self._clock.monotonic() < destination.shut_until

    def shut_seconds(self, destination: Destination) -> float:
        """For how long that stays so."""
        return max(0.0, destination.shut_until - self._clock.monotonic())

    def room(self, destination: Destination) -> int:
        """How many more connections it may get now; one that failed gets one, to probe it."""
        if self.is_shut(destination):
            return 0
        most = 1 if destination.failures else min(destination.limit, self.most_connections)
        return most - destination.connections

    def reached(self, destination: Destination) -> None:
        """A connection stands; what it takes over that is still to be seen."""
        destination.is_proven = True
        destination.shut_until = 0.0

    def spoke(self, destination: Destination) -> bool:
        """It has answered for a message, whatever it said.  Whether it was given up before."""
        came_back = destination.trouble is not None
        destination.failures, destination.trouble = 0, None
        return came_back

    def took(self, destination: Destination) -> None:
        """It took a message."""
        more = destination.limit + 1
        if not destination.has_taken:
            destination.has_taken, more = True, max(more, FIRST)
        destination.limit = min(more, self.most_connections)

    def stumbled(self, destination: Destination) -> None:
        """A connection broke in the middle, or a message was put off for load."""
        destination.limit = max(1, destination.limit // 2)

    def failed(self, destination: Destination, trouble: Attempt) -> None:
        """It could not be reached."""
        destination.trouble = trouble
        destination.is_proven = destination.has_taken = False
        self._shut(destination, *_DEAD_SECONDS)

    def wants_rest(self, destination: Destination, said: Attempt) -> None:
        """It said 421; when it says that each time, it counts as out of reach."""
        self._shut(destination, *_BUSY_SECONDS)
        if destination.failures >= _RESTS:
            destination.trouble = said

    def open_all(self) -> None:
        """An operator wants mail to be tried now: whatever is shut may be probed."""
        for destination in self._known.values():
            destination.shut_until = 0.0

    def _shut(self, destination: Destination, first: float, longest: float) -> None:
        self.stumbled(destination)
        if not self.is_shut(destination):
            destination.failures += 1
        seconds = min(longest, first * 2 ** min(destination.failures - 1, 20))
        until = self._clock.monotonic() + seconds
        destination.shut_until = max(destination.shut_until, until)

    def _forget_some(self) -> None:
        """Drop those not used for the longest time; never one with a connection."""
        for _ in range(len(self._known) - MOST):
            key, oldest = next(iter(self._known.items()))
            self._known.move_to_end(key)
            if not oldest.connections:
                del self._known[key]
