"""Work that nobody waits for gives way to what somebody does."""

import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

_STEP: Final = 500
_PAUSE_SECONDS: Final = 0.001
"""Some time has to pass: who only gives the interpreter away has it back before another wakes."""


def with_pauses(items: Iterable[T]) -> Iterator[T]:
    """The items; the thread pauses after some hundred each time."""
    for number, item in enumerate(items, 1):
        yield item
        if number % _STEP == 0:
            time.sleep(_PAUSE_SECONDS)
