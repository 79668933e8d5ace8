"""How many reports have come back by each return address today.

Who has once seen such an address could have us send to its sender for as long as it is
valid.  A real one brings few reports; those beyond are put off, not refused, so that a real
one that has a bad day loses nothing.

Kept in memory, for a day of UTC; a restart counts anew.  Of very many addresses those that
came first are forgotten.
"""

from typing import Final

from mailbox_server.model.ports import Clock

MOST_ADDRESSES: Final = 20_000


class ReportCounts:
    """Counts by address, whatever its case and the mark after its prefix."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._day = 0
        self._counts: dict[str, int] = {}

    def of(self, name: str) -> int:
        """How many were taken today."""
        self._turn()
        return self._counts.get(name, 0)

    def take(self, name: str, most: int) -> bool:
        """Count one more, unless it would be more than most; whether it was counted."""
        self._turn()
        count = self._counts.pop(name, 0)
        may = count < most
        self._counts[name] = count + may
        while len(self._counts) > MOST_ADDRESSES:
            del self._counts[next(iter(self._counts))]
        return may

    def give_back(self, name: str) -> None:
        """One that was counted has not been kept."""
        count = self._counts.get(name, 0)
        if count:
            self._counts[name] = count - 1

    def _turn(self) -> None:
        day = self._clock.now().toordinal()
        if day != self._day:
            self._day = day
            self._counts.clear()
