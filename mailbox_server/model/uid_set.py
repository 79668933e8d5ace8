"""Sets of UIDs or sequence numbers as sorted, disjoint, closed ranges."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """(first, last) of each run of consecutive numbers; numbers ascend without repeats.

    Of a sequence that is one run only the ends are looked at.
    """
    if isinstance(numbers, Sequence) and numbers:
        first, last = numbers[0], numbers[-1]
        if last - first == len(numbers) - 1:
            return [(first, last)]
    found: list[tuple[int, int]] = []
    first = last = -2
    for number in numbers:
        if number != last + 1:
            if last >= 0:
                found.append((first, last))
            first = number
        last = number
    if last >= 0:
        found.append((first, last))
    return found


@dataclass(frozen=True, slots=True)
class UidSet:
    """An immutable set of whole numbers from 1.

    ranges: (first, last) pairs, ascending, neither touching nor overlapping.
    """

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of_ranges(cls, ranges: Iterable[tuple[int, int]]) -> "UidSet":
        """Collect ranges in any order, overlapping or not; (5, 3) means (3, 5)."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted((min(r), max(r)) for r in ranges):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(merged[-1][1], last)
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    @classmethod
    def of(cls, numbers: Iterable[int]) -> "UidSet":
        """Collect single numbers in any order."""
        return cls(tuple(runs(sorted(set(numbers)))))

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        index = bisect_right(self.ranges, (number, 1 << 63)) - 1
        return index >= 0 and self.ranges[index][1] >= number

    def common(self, other: "UidSet") -> "UidSet":
        """The numbers that are in both."""
        found: list[tuple[int, int]] = []
        mine, theirs = iter(self.ranges), iter(other.ranges)
        one, two = next(mine, None), next(theirs, None)
        while one is not None and two is not None:
            first, last = max(one[0], two[0]), min(one[1], two[1])
            if first <= last:
                found.append((first, last))
            if one[1] < two[1]:
                one = next(mine, None)
            else:
                two = next(theirs, None)
        return UidSet(tuple(found))

    def without(self, other: "UidSet") -> "UidSet":
        """The numbers that are here and not in other."""
        gaps: list[tuple[int, int]] = []
        start = 1
        for first, last in other.ranges:
            if start < first:
                gaps.append((start, first - 1))
            start = last + 1
        gaps.append((start, 1 << 63))
        return self.common(UidSet(tuple(gaps)))

    def text(self) -> str:
        """As IMAP writes it (RFC 9051 §9 sequence-set): `1:3,7`."""
        return ",".join(
            str(first) if first == last else f"{first}:{last}" for first, last in self.ranges
        )
