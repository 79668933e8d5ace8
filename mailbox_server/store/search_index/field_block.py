"""Values of one header field, each once, and the messages that have it.

    lines      the values, one a line, in the order in which they came
    messages   an id of eight octets; then of four, what the ids are above that: those of the
               first value, those of the second, and so on
    places     of four octets, two for each value: where its line ends in UTF-8, and where its
               messages end, in octets
    checksum   CRC-32 of all that, and of where the block stands

People write often, and answer with the same subject: a value is looked at once a block.
"""

import sqlite3
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

CHARACTERS_MOST: Final = 32 * 1024
MESSAGES_MOST: Final = 4 * 1024
"""A block that has reached one of these is full."""
_BASE_OCTETS: Final = 8
_ID_OCTETS: Final = 4
_APART_MOST: Final = 1 << 32


class BlockDamaged(sqlite3.DatabaseError):
    """What is stored of a block does not fit together."""


def checksum(key: Sequence[int], places: bytes, messages: bytes, lines: bytes) -> int:
    """What is stored with a block, to know it for what was written.

    key: where it stands; one that got to another place is damaged too.
    """
    # Numbers of a fixed length, lengths among them: no octet can pass an edge.
    numbers = (*key, len(places), len(messages))
    sum_ = zlib.crc32(array("q", numbers).tobytes())
    for octets in (places, messages, lines):
        sum_ = zlib.crc32(octets, sum_)
    return sum_


def check(stored: int, key: Sequence[int], places: bytes, messages: bytes, lines: bytes) -> None:
    """Raises BlockDamaged where a block is not what was written."""
    if checksum(key, places, messages, lines) != stored:
        raise BlockDamaged("a block is not what was written")


class Columns(NamedTuple):
    """A block as it is stored."""

    places: bytes
    messages: bytes
    lines: str


class FieldBlock:
    """A block that grows.  Raises BlockDamaged where what is stored is none."""

    def __init__(self, stored: Columns | None = None) -> None:
        self._messages: dict[str, array[int]] = {}
        self._characters = self._count = self._base = 0
        if stored is not None:
            values, begin = stored.lines.split("\n"), _BASE_OCTETS
            _, ends = _places(stored.places, stored.messages, stored.lines.encode("utf-8"))
            if len(ends) != len(values):
                raise BlockDamaged("a block has not a place for each of its lines")
            for value, end in zip(values, ends, strict=True):
                self._messages[value] = _numbers("I", stored.messages[begin:end])
                begin = end
            self._base = _base(stored.messages)
            self._characters = len(stored.lines)
            self._count = (len(stored.messages) - _BASE_OCTETS) // _ID_OCTETS

    def has_room(self, message: int) -> bool:
        """Whether the message can be added; if not, another block is to be begun."""
        if self._characters >= CHARACTERS_MOST or self._count >= MESSAGES_MOST:
            return False
        return not self._count or 0 <= message - self._base < _APART_MOST

    def add(self, message: int, value: str) -> None:
        """The message has the value, which holds no line feed; there must be room."""
        if not self._count:
            self._base = message
        messages = self._messages.get(value)
        if messages is None:
            messages = self._messages[value] = array("I")
            self._characters += len(value) + 1
        messages.append(message - self._base)
        self._count += 1

    def columns(self) -> Columns:
        """What is to be stored of a block that is not empty."""
        base = array("q", (self._base,)).tobytes()
        messages = [base, *(each.tobytes() for each in self._messages.values())]
        lengths = (len(value.encode("utf-8")) + 1 for value in self._messages)
        line_ends = array("I", (length - 1 for length in accumulate(lengths)))
        ends = array("I", accumulate(map(len, messages)))[1:]
        return Columns((line_ends + ends).tobytes(), b"".join(messages), "\n".join(self._messages))


def holding(places: bytes, messages: bytes, lines: bytes, needle: bytes) -> Iterable[int]:
    """Ids of the messages with the needle in a value, some of them perhaps twice.

    lines, needle: in UTF-8, where an octet never stands for a part of two characters.
    Raises BlockDamaged.
    """
    if b"\n" in needle:
        return ()
    base = _base(messages)
    if not needle:
        return _above(base, messages[_BASE_OCTETS:])
    found: list[bytes] = []
    seek, take = lines.find, found.append
    place, line = seek(needle), 0
    if place >= 0:
        line_ends, ends = _places(places, messages, lines)
        begins = array("I", (_BASE_OCTETS,)) + ends
        while place >= 0:
            # Ends behind the place, whatever is stored: the search gets on.
            line = bisect_right(line_ends, place, line)
            take(messages[begins[line] : ends[line]])
            place = seek(needle, line_ends[line])
    return _above(base, b"".join(found))


def _places(octets: bytes, messages: bytes, lines: bytes) -> tuple["array[int]", "array[int]"]:
    """Where each line ends, and where its messages end."""
    numbers = _numbers("I", octets)
    count = len(numbers) // 2
    line_ends, ends = numbers[:count], numbers[count:]
    if [*line_ends[-1:], *ends[-1:]] != [len(lines), len(messages)]:
        raise BlockDamaged("a block does not end where it says")
    return line_ends, ends


def _base(messages: bytes) -> int:
    if len(messages) < _BASE_OCTETS:
        raise BlockDamaged("a block has no first id")
    return _numbers("q", messages[:_BASE_OCTETS])[0]


def _above(base: int, octets: bytes) -> Iterable[int]:
    return map(base.__add__, _numbers("I", octets))


def _numbers(kind: str, octets: bytes) -> "array[int]":
    numbers: array[int] = array(kind)
    try:
        numbers.frombytes(octets)
    except ValueError as error:
        raise BlockDamaged("a block holds part of a number") from error
    return numbers
