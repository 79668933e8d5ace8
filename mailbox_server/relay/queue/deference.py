"""When mail that just came waits a moment, because more keeps coming.

Accepting and carrying want the same processor.  While submissions come in fast, who submits
waits for us, and nobody waits for the carrying yet; and what has gathered is carried at less
cost than one message after the other: leased and recorded in fewer writes, and over fewer
connections.  So mail may wait until no more has come for PAUSE_SECONDS, but never above
MOST_SECONDS since the first of it came; then nothing waits until all that was left is taken.

A message that comes alone never waits: only _MANY commits with mail in half a second begin this.
All of it is a pure function of the moments that it is told, in seconds of one clock.
"""

from collections import deque
from typing import Final

MOST_SECONDS: Final = 3.0
PAUSE_SECONDS: Final = 0.15
_MANY: Final = 10
_SPAN_SECONDS: Final = 0.5
_OVERDUE: Final = float("-inf")


class Deference:
    """One queue's; told of each commit that brought mail, and of each look at what is due."""

    def __init__(self) -> None:
        self._came: deque[float] = deque(maxlen=_MANY)
        self._since: float | None = None

    def came(self, now: float) -> None:
        """A commit has brought mail."""
        self._came.append(now)
        if self._since is None:
            self._since = now

    def wait(self, now: float) -> float:
        """For how many seconds what is due may wait; 0 where it may not."""
        if self._since is None or not self._is_busy(now):
            return 0.0
        until = min(self._since + MOST_SECONDS, self._came[-1] + PAUSE_SECONDS)
        return max(0.0, until - now)

    def looking(self) -> None:
        """All that has come until now is about to be looked at."""
        self._since = None

    def left_some(self) -> None:
        """Not all that was found could be taken: the rest waits for no more mail."""
        self._since = _OVERDUE

    def _is_busy(self, now: float) -> bool:
        return len(self._came) == _MANY and 0.0 <= now - self._came[0] <= _SPAN_SECONDS
