"""Values of one header field, each once, and the messages that have it.

    lines      the values, one a line, in the order in which they came
    messages   ids of eight octets: those of the first value, those of the second, and so on
    counts     of four octets: how many messages each value has

People write often, and answer with the same subject: a value is looked at once a block.
"""

from array import array
from itertools import accumulate, repeat
from typing import Final, NamedTuple

CHARACTERS_MOST: Final = 32 * 1024
MESSAGES_MOST: Final = 4 * 1024
"""A block that has reached one of these is full."""


class Columns(NamedTuple):
    """A block as it is stored."""

    counts: bytes
    messages: bytes
    lines: str


class FieldBlock:
    """A block that grows."""

    def __init__(self, stored: Columns | None = None) -> None:
        self._messages: dict[str, array[int]] = {}
        self._characters = self._count = 0
        if stored is not None:
            messages = _numbers("q", stored.messages)
            ends = _ends(stored.counts)
            for line, value in enumerate(stored.lines.split("\n")):
                self._messages[value] = messages[ends[line] : ends[line + 1]]
            self._characters, self._count = len(stored.lines), len(messages)

    @property
    def is_full(self) -> bool:
        """Whether another block is to be begun."""
        return self._characters >= CHARACTERS_MOST or self._count >= MESSAGES_MOST

    def add(self, message: int, value: str) -> None:
        """The message has the value, which holds no line feed."""
        messages = self._messages.get(value)
        if messages is None:
            messages = self._messages[value] = array("q")
            self._characters += len(value) + 1
        messages.append(message)
        self._count += 1

    def columns(self) -> Columns:
        """What is to be stored of a block that is not empty."""
        each = self._messages.values()
        return Columns(
            array("I", map(len, each)).tobytes(),
            b"".join(messages.tobytes() for messages in each),
            "\n".join(self._messages),
        )


def holding(counts: bytes, messages: bytes, lines: bytes, needle: bytes) -> "array[int]":
    """Ids of the messages with the needle in a value, some of them perhaps twice.

    lines, needle: in UTF-8, where an octet never stands for a part of two characters.
    """
    found = array("q")
    if not needle:
        return _numbers("q", messages)
    before = lines.split(needle)
    before.pop()
    if before and b"\n" not in needle:
        of, ends = _numbers("q", messages), _ends(counts)
        # How many lines end before each place is the line of that place.
        for line in dict.fromkeys(accumulate(map(bytes.count, before, repeat(b"\n")))):
            found += of[ends[line] : ends[line + 1]]
    return found


def _ends(counts: bytes) -> list[int]:
    """Where the messages of each value begin, and behind the last."""
    return list(accumulate(_numbers("I", counts), initial=0))


def _numbers(kind: str, octets: bytes) -> "array[int]":
    numbers: array[int] = array(kind)
    numbers.frombytes(octets)
    return numbers
