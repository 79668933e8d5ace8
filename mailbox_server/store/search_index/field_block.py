"""Values of one header field, each once, and the messages that have it.

    lines      the values, one a line, in the order in which they came
    messages   ids of eight octets: those of the first value, those of the second, and so on
    counts     of four octets: how many messages each value has

People write often, and answer with the same subject: a value is looked at once a block.
"""

from array import array
from collections.abc import Iterator
from itertools import accumulate
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


def holding(stored: Columns, needle: str) -> Iterator["array[int]"]:
    """Ids of the messages with the needle in a value."""
    lines = stored.lines
    place = lines.find(needle)
    if place < 0 or "\n" in needle:
        return
    messages, ends = _numbers("q", stored.messages), _ends(stored.counts)
    line = behind = 0
    while place >= 0:
        line += lines.count("\n", behind, place)
        yield messages[ends[line] : ends[line + 1]]
        behind = lines.find("\n", place)
        if behind < 0:
            return
        behind, line = behind + 1, line + 1
        place = lines.find(needle, behind)


def _ends(counts: bytes) -> list[int]:
    """Where the messages of each value begin, and behind the last."""
    return list(accumulate(_numbers("I", counts), initial=0))


def _numbers(kind: str, octets: bytes) -> "array[int]":
    numbers: array[int] = array(kind)
    numbers.frombytes(octets)
    return numbers
