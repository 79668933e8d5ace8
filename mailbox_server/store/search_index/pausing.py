"""Work that nobody waits for gives way to what somebody does."""

import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

_WORK_SECONDS: Final = 0.000_1
_PAUSE_SECONDS: Final = 0.000_1
"""Some time has to pass: who only gives the interpreter away has it back before another wakes."""


def with_pauses(items: Iterable[T]) -> Iterator[T]:
    """The items; the thread pauses behind the one that ends a tenth of a millisecond."""
    until = time.monotonic() + _WORK_SECONDS
    for item in items:
        yield item
        if time.monotonic() >= until:
            time.sleep(_PAUSE_SECONDS)
            until = time.monotonic() + _WORK_SECONDS
