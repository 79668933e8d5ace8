"""Ascending numbers as runs, so that one range statement serves many rows.

Sequence sets are mostly ranges; a run costs one statement of the driver (about 4 µs),
whatever its length, and needs no array or JSON type that databases spell differently.
"""

from collections.abc import Iterable
from typing import TypeVar

from mailbox_server.model.uid_set import runs

T = TypeVar("T")


def range_values(numbers: Iterable[int], **same: T) -> list[dict[str, T | int]]:
    """Parameters `first` and `last` for each run, with those that are the same for all."""
    return [{**same, "first": first, "last": last} for first, last in runs(numbers)]
