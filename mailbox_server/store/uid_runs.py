"""Ascending numbers as runs, so that one range statement serves many rows.

Sequence sets are mostly ranges; a run costs one statement of the driver (about 4 µs),
whatever its length, and needs no array or JSON type that databases spell differently.
"""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """(first, last) of each run of consecutive numbers; numbers ascend without repeats."""
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


def range_values(numbers: Iterable[int], **same: T) -> list[dict[str, T | int]]:
    """Parameters `first` and `last` for each run, with those that are the same for all."""
    return [{**same, "first": first, "last": last} for first, last in runs(numbers)]
