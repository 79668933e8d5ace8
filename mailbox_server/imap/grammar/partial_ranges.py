"""A window of results: `1:500` from the oldest, `-1:-100` from the newest (RFC 9394 §3.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import NUMBER_MOST, Lexer

T = TypeVar("T")

_RANGE: Final = re.compile(
    rb"([1-9][0-9]{0,9}):([1-9][0-9]{0,9})|-([1-9][0-9]{0,9}):-([1-9][0-9]{0,9})"
)


@dataclass(frozen=True, slots=True)
class PartialRange:
    """Results low to high, counted from 1, from the last one where from_end.

    written: as the client wrote it; the answer repeats it.
    """

    low: int
    high: int
    from_end: bool
    written: bytes

    def of(self, results: Sequence[T]) -> Sequence[T]:
        """Those of the results that lie inside, in their order."""
        if self.from_end:
            count = len(results)
            return results[max(0, count - self.high) : max(0, count - self.low + 1)]
        return results[self.low - 1 : self.high]


def parse_partial_range(lexer: Lexer) -> PartialRange:
    """Read a range; the two ends may stand in either order."""
    found = lexer.match(_RANGE)
    if found is None:
        raise ArgumentsMalformed("Expected a range of results")
    from_end = found.group(3) is not None
    ends = sorted(int(found.group(n)) for n in ((3, 4) if from_end else (1, 2)))
    if ends[1] > NUMBER_MOST:
        raise ArgumentsMalformed("The range is out of range")
    return PartialRange(ends[0], ends[1], from_end, found.group())
