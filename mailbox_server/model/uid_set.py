"""Sets of UIDs or sequence numbers as sorted, disjoint, closed ranges."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UidSet:
    """An immutable set of whole numbers from 1.

    ranges: (first, last) pairs, ascending, neither touching nor overlapping.
    """

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of_ranges(cls, ranges: Iterable[tuple[int, int]]) -> "UidSet":
        """Collect ranges in any order, overlapping or not; (5, 3) means (3, 5)."""
        merged: list[list[int]] = []
        for first, last in sorted((min(r), max(r)) for r in ranges):
            if merged and first <= merged[-1][1] + 1:
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        return cls(tuple((first, last) for first, last in merged))

    @classmethod
    def of(cls, numbers: Iterable[int]) -> "UidSet":
        """Collect single numbers in any order."""
        merged: list[list[int]] = []
        for number in sorted(numbers):
            if merged and number <= merged[-1][1] + 1:
                merged[-1][1] = number
            else:
                merged.append([number, number])
        return cls(tuple((first, last) for first, last in merged))

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

    def text(self) -> str:
        """As IMAP writes it (RFC 9051 §9 sequence-set): `1:3,7`."""
        return ",".join(
            str(first) if first == last else f"{first}:{last}" for first, last in self.ranges
        )
