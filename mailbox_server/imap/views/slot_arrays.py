"""Arrays with a number for each slot of a view; those of flag classes are as narrow as can be."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Final

_WIDTHS: Final = (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32))


def width(number: int) -> str:
    """The typecode of the narrowest array that number fits into."""
    return next(code for code, beyond in _WIDTHS if number < beyond)


def limit(numbers: "array[int]") -> int:
    """The first number that does not fit into the array."""
    return dict(_WIDTHS)[numbers.typecode]


def mapped(numbers: "array[int]", becomes: Mapping[int, int]) -> "array[int]":
    """What the numbers become, each of them named in becomes, in the same width."""
    if numbers.typecode != "B":
        return array(numbers.typecode, map(becomes.__getitem__, numbers))
    table = bytearray(range(1 << 8))
    for number, other in becomes.items():
        table[number] = other
    return array("B", numbers.tobytes().translate(table))


def without(values: "array[int]", dropped: Sequence[tuple[int, int]]) -> "array[int]":
    """The values but those at the places in dropped: the first and last of each, ascending."""
    kept = array(values.typecode)
    start = 0
    for first, last in dropped:
        kept.extend(values[start:first])
        start = last + 1
    kept.extend(values[start:])
    return kept
