"""Lines that differ in numbers only, written for all messages of a block at once.

Where a number has as many digits in each line, all lines are of one length: the block is one
line repeated, into which each place of a digit is put for all lines in one step.  So a line
costs no step of its own.  What is not even is formatted line by line.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

_WRITER: Final = msgspec.json.Encoder()
_CYCLES: Final = tuple(
    b"".join(b"%d" % digit * unit for digit in range(10)) for unit in (1, 10, 100)
)
"""The last digits of consecutive numbers, until they come again: ones, tens, hundreds."""

Column = Sequence[int] | Sequence[bytes]
"""A value a line: numbers, octets of any length, or (where it is bytes) one octet each."""


def even_lines(texts: Sequence[bytes], columns: Sequence[Column]) -> bytes:
    """The lines `text value text value ... text`; there are as many of each column."""
    for column in columns:
        even = _even_part(column) if isinstance(column, range) else len(column)
        if even < len(column):
            first, rest = [each[:even] for each in columns], [each[even:] for each in columns]
            return even_lines(texts, first) + even_lines(texts, rest)
    places: list[tuple[int, bytes]] = []
    line = bytearray(texts[0])
    for column, text in zip(columns, texts[1:], strict=True):
        octets = [column] if isinstance(column, bytes) else _digits(column)
        if octets is None:
            return _formatted(texts, columns)
        for each in octets:
            if len(each) > 1:
                places.append((len(line), each))
            line += each[:1]
        line += text
    block = line * len(columns[0])
    for place, octets_there in places:
        block[place :: len(line)] = octets_there
    return bytes(block)


def consecutive(ascending: Sequence[int]) -> Sequence[int]:
    """The same numbers as a range, where none between is missing: that is written fastest."""
    if not ascending or ascending[-1] - ascending[0] >= len(ascending):
        return ascending
    return range(ascending[0], ascending[-1] + 1)


def _digits(column: Column) -> Sequence[bytes] | None:
    """By place, the digits of each number, or a single one where all have the same.

    None where some have more digits than others, and of what are no numbers.
    """
    if isinstance(column, range):
        return [_digit_of_range(column, place) for place in reversed(range(_width(column[0])))]
    count = len(column)
    if isinstance(column[0], bytes):
        return None
    written = _WRITER.encode(list(column))
    width = _width(column[0])
    if len(written) != (width + 1) * count + 1:
        return None
    if written[:: width + 1] != b"[" + b"," * (count - 1) + b"]":
        return None
    return [written[place :: width + 1] for place in range(1, width + 1)]


def _even_part(numbers: range) -> int:
    """How many of them have as many digits as the first."""
    beyond: int = 10 ** _width(numbers[0])
    return min(len(numbers), beyond - numbers[0])


def _width(number: int) -> int:
    return len(b"%d" % number)


def _digit_of_range(numbers: range, place: int) -> bytes:
    """place: 0 for the ones."""
    unit = 10**place
    first, last = numbers[0] // unit, numbers[-1] // unit
    if first == last:
        return b"%d" % (first % 10)
    if place < len(_CYCLES):
        cycle = _CYCLES[place]
        start = numbers[0] % len(cycle)
        return (cycle * (len(numbers) // len(cycle) + 2))[start : start + len(numbers)]
    bounds = [numbers[0], *(unit * each for each in range(first + 1, last + 1)), numbers[-1] + 1]
    return b"".join(b"%d" % (at // unit % 10) * (beyond - at) for at, beyond in pairwise(bounds))


def _formatted(texts: Sequence[bytes], columns: Sequence[Column]) -> bytes:
    count, step = len(columns[0]), len(columns)
    values: list[object] = [None] * (step * count)
    line = texts[0].replace(b"%", b"%%")
    for place, (column, text) in enumerate(zip(columns, texts[1:], strict=True)):
        values[place::step] = column
        line += _conversion(column) + text.replace(b"%", b"%%")
    return line * count % tuple(values)


def _conversion(column: Column) -> bytes:
    if isinstance(column, bytes):
        return b"%c"
    return b"%b" if isinstance(column[0], bytes) else b"%d"
