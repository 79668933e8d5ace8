"""Values of one header field, each once, and the messages that have it.

    lines      values in UTF-8, in the order in which they came; after each a line feed and the
               messages that have it
    base       what their ids stand above; a multiple of what one can be above it
    checksum   CRC-32 of that, and of where the block stands

Each message is written in four octets of six bits, as no character of UTF-8 begins: no needle
is found among them, they end where the next value begins, and a pattern takes them with the
value.  Of a message with the field more than once the values are one, with an octet between
that is nowhere in UTF-8.

People write often, and answer with the same subject: a value is looked at once a block.
"""

import re
import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from sys import byteorder
from typing import Final, NamedTuple

from zlib_ng.zlib_ng import crc32

OCTETS_MOST: Final = 32 * 1024
"""Of values."""
MESSAGES_MOST: Final = 4 * 1024
"""A block that has reached one of these is full."""
_BETWEEN: Final = b"\xff"
_BITS: Final = 6
_DIGITS: Final = 4
_APART_MOST: Final = 1 << _BITS * _DIGITS
_NUMBERS: Final = re.compile(rb"(?<=\n)([\x80-\xbf]+)")
_LINE: Final = re.compile(rb"([^\n]*)\n" + _NUMBERS.pattern)
_FEW_LINES: Final = 40
"""With the needle are looked for one by one: making a pattern of it would take longer."""
_SAMPLE_LINES: Final = 5
"""After so many it is seen whether more than _FEW_LINES are to be expected."""


class BlockDamaged(sqlite3.DatabaseError):
    """What is stored of a block does not fit together."""


class Columns(NamedTuple):
    """A block as it is stored."""

    base: int
    lines: bytes


def checksum(key: Sequence[int], columns: Columns) -> int:
    """What is stored with a block, to know it for what was written.

    key: where it stands; one that got to another place is damaged too.
    """
    return crc32(columns.lines, crc32(array("q", (*key, columns.base)).tobytes()))


def check(stored: int, key: Sequence[int], columns: Columns) -> None:
    """Raises BlockDamaged where a block is not what was written."""
    if checksum(key, columns) != stored:
        raise BlockDamaged("a block is not what was written")


class FieldBlock:
    """A block that grows.  Raises BlockDamaged where what is stored is none."""

    def __init__(self, stored: Columns | None = None) -> None:
        self._messages: dict[bytes, bytearray] = {}
        self._octets = self._digits = self._base = 0
        if stored is not None:
            self._base = stored.base
            for value, digits in _LINE.findall(stored.lines):
                self._messages[value] = bytearray(digits)
                self._octets += len(value) + 1
                self._digits += len(digits)
            if self._octets + self._digits != len(stored.lines) or self._digits % _DIGITS:
                raise BlockDamaged("a block holds what is no line")

    def has_room(self, message: int) -> bool:
        """Whether the message can be added; if not, another block is to be begun."""
        if self._octets >= OCTETS_MOST or self._digits >= MESSAGES_MOST * _DIGITS:
            return False
        return not self._digits or 0 <= message - self._base < _APART_MOST

    def add(self, message: int, values: Sequence[str]) -> None:
        """The message, which is not here yet, has these values, without a line feed in any.

        There must be room.
        """
        if not self._digits:
            self._base = message - message % _APART_MOST
        value = _BETWEEN.join(each.encode("utf-8") for each in values)
        messages = self._messages.get(value)
        if messages is None:
            messages = self._messages[value] = bytearray()
            self._octets += len(value) + 1
        messages += digits_of(message - self._base)
        self._digits += _DIGITS

    def columns(self) -> Columns:
        """What is to be stored of a block that is not empty."""
        lines = (part for each in self._messages.items() for part in (each[0], b"\n", each[1]))
        return Columns(self._base, b"".join(lines))


def lines_of(lines: bytes) -> Iterator[tuple[bytes, "array[int]"]]:
    """Each value, and what the ids of its messages are above the base.  Raises BlockDamaged."""
    found = _LINE.findall(lines)
    numbers, at = numbers_of(b"".join([digits for _, digits in found])), 0
    for value, digits in found:
        end, rest = divmod(len(digits), _DIGITS)
        if rest:
            raise BlockDamaged("a block holds part of a number")
        yield value, numbers[at : (at := at + end)]


class ValueSeeker:
    """Finds messages with the needle in a value.

    within_a_word: the needle in UTF-8 where it is within one wherever it stands; words are what
        spaces part.
    """

    def __init__(self, needle: str) -> None:
        # What cannot be written in UTF-8 is in no line.
        self._needle = needle.encode("utf-8", "surrogatepass")
        self._pattern: re.Pattern[bytes] | None = None
        is_within_a_word = bool(needle) and not {" ", "\n"}.intersection(needle)
        self.within_a_word = self._needle if is_within_a_word else None

    def messages(self, columns: Columns) -> Sequence[int]:
        """Ids of the messages, each once, in no order.  Raises BlockDamaged."""
        base, lines = columns
        ends, digits = self._found(lines)
        digits += [_digits_at(lines, end) for end in ends]
        above = numbers_of(b"".join(digits))
        return [base + each for each in above] if base else above

    def of_values(self, lines: bytes) -> "array[int]":
        """Of lines of one number each, the numbers of those with the needle."""
        ends, digits = self._found(lines)
        digits += [lines[end : end + _DIGITS] for end in ends]
        found = array("I")
        for at in range(0, len(digits), MESSAGES_MOST):
            found += numbers_of(b"".join(digits[at : at + MESSAGES_MOST]))
        return found

    def _found(self, lines: bytes) -> tuple[list[int], list[bytes]]:
        """Where the numbers of lines with the needle begin, and those of the others."""
        needle, ends = self._needle, list[int]()
        if not needle or b"\n" in needle:
            return ends, [] if needle else _NUMBERS.findall(lines)
        find = lines.find
        place = find(needle)
        most = _FEW_LINES if self._pattern is None else 0
        while place >= 0 and len(ends) < most:
            end = find(b"\n", place) + 1
            if not end:
                raise BlockDamaged("a block holds what is no line")
            ends.append(end)
            place = find(needle, end)
            if len(ends) == _SAMPLE_LINES and end * most < len(lines) * _SAMPLE_LINES:
                break
        if place < 0:
            return ends, []
        if self._pattern is None:
            # To the end of the line it is found once, however often it is there.
            self._pattern = re.compile(re.escape(needle) + rb"[^\n]*\n" + _NUMBERS.pattern)
        return ends, self._pattern.findall(lines, place)


def _digits_at(lines: bytes, at: int) -> bytes:
    found = _NUMBERS.match(lines, at)
    if found is None:
        raise BlockDamaged("a value has no numbers")
    return found[0]


def digits_of(number: int) -> bytes:
    """A number below 1 << 24."""
    return bytes(0x80 | number >> shift & 0x3F for shift in (18, 12, 6, 0))


_EACH: Final = MESSAGES_MOST * 2
_SIXES: Final = tuple(int.from_bytes(each * _EACH, "big") for each in (b"\x3f\0", b"\0\x3f"))
_TWELVES: Final = tuple(
    int.from_bytes(each * MESSAGES_MOST, "big") for each in (b"\x0f\xff\0\0", b"\0\0\x0f\xff")
)


def numbers_of(digits: bytes) -> "array[int]":
    """The numbers written in these digits, all at once: as one long integer."""
    if len(digits) % _DIGITS or len(digits) > MESSAGES_MOST * _DIGITS:
        raise BlockDamaged("a block holds part of a number")
    high, low = _SIXES
    all_ = int.from_bytes(digits, "big")
    all_ = (all_ & high) >> 2 | all_ & low
    high, low = _TWELVES
    all_ = (all_ & high) >> 4 | all_ & low
    numbers = array("I", all_.to_bytes(len(digits), "big"))
    if byteorder == "little":
        numbers.byteswap()
    return numbers
