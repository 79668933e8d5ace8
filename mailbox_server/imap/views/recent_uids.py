"""Which UIDs are \\Recent in one session: ranges, the end behind the last UID of each."""

from bisect import bisect_left
from collections.abc import Sequence


class RecentUids:
    """Ascending ranges; those that meet are one, so that few are kept however many came."""

    def __init__(self, first: int, beyond: int) -> None:
        self.ranges = [(first, beyond)] if first < beyond else []

    def add(self, first: int, beyond: int) -> None:
        """These came, behind all that were here."""
        if self.ranges and self.ranges[-1][1] == first:
            first = self.ranges.pop()[0]
        self.ranges.append((first, beyond))

    def touch(self, first: int, last: int) -> bool:
        """Whether any UID from first to last is one."""
        return any(low <= last and first < beyond for low, beyond in self.ranges)

    def places(self, uids: Sequence[int]) -> list[tuple[int, int]]:
        """Where among the ascending UIDs they are: the first place, and the one behind."""
        places = [(bisect_left(uids, low), bisect_left(uids, end)) for low, end in self.ranges]
        return [(first, behind) for first, behind in places if first < behind]
