"""Sequence sets: `2,4:7,9:*` of message numbers or UIDs (RFC 9051 §9 sequence-set), and `$`."""

import enum
import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import NUMBER_MOST, Lexer
from mailbox_server.model.uid_set import UidSet

STAR: Final = 0
"""Stands for `*`, the largest number or UID in use, in SequenceSet.ranges."""

_SET = re.compile(
    rb"(?:[0-9]{1,10}|\*)(?::(?:[0-9]{1,10}|\*))?"
    rb"(?:,(?:[0-9]{1,10}|\*)(?::(?:[0-9]{1,10}|\*))?)*"
)

_NUMBER = re.compile(rb"[0-9]{1,10}|\*")


class By(enum.Enum):
    """What the numbers of a command mean."""

    NUMBER = "message number"
    UID = "uid"


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """As the client wrote it.

    ranges: (first, last) pairs in the order given, each 1 to 2**32 - 1 or STAR; a single
    number is (n, n), and first may be above last, which means the same range.
    is_saved: it is `$`, the saved result of a search (RFC 5182 §2.1), and has no ranges.
    """

    ranges: tuple[tuple[int, int], ...]
    is_saved: bool = False

    def resolved(self, largest: int) -> UidSet:
        """The numbers meant when `*` is largest; 0 stands for an empty mailbox.

        `9:*` with largest 4 means 4 to 9: the largest is always included (RFC 9051 §9).
        In an empty mailbox a range with `*` means nothing.
        """
        return UidSet.of_ranges(
            (first or largest, last or largest)
            for first, last in self.ranges
            if largest or (first and last)
        )


SAVED: Final = SequenceSet((), is_saved=True)


def parse_sequence_set(lexer: Lexer) -> SequenceSet:
    """Read a sequence set, or `$`."""
    if lexer.take(b"$"):
        return SAVED
    found = lexer.match(_SET)
    if found is None:
        raise ArgumentsMalformed("Expected a sequence set")
    lexer.over("The sequence set is malformed")
    ranges = []
    for part in found.group().split(b","):
        first, _, last = part.partition(b":")
        low = _bound(first)
        ranges.append((low, _bound(last) if last else low))
    return SequenceSet(tuple(ranges))


def parse_sequence_number(lexer: Lexer) -> SequenceSet:
    """Read one number or `*` (RFC 9051 §9 seq-number)."""
    found = lexer.match(_NUMBER)
    if found is None:
        raise ArgumentsMalformed("Expected a number")
    lexer.over("Expected one number, not a set")
    number = _bound(found.group())
    return SequenceSet(((number, number),))


def _bound(digits: bytes) -> int:
    if digits == b"*":
        return STAR
    number = int(digits)
    if not 1 <= number <= NUMBER_MOST:
        raise ArgumentsMalformed("A sequence number is out of range")
    return number
