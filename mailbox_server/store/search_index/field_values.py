"""What is kept of the values of one field of an account, made of its blocks.

The same people write in every block: of what is asked again, all values are put together,
each once with its number, and beside them the messages of each number.  Of values that seldom
come again that would take more room than the blocks, which stay.  Where the values have few
words between them, those are gone through instead of either.

That takes longer than a question, so the blocks serve at first.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Final

from mailbox_server.store.search_index.field_block import (
    Columns,
    ValueSeeker,
    digits_of,
    lines_of,
)
from mailbox_server.store.search_index.field_words import ValueWords, words_of
from mailbox_server.store.search_index.pausing import with_pauses

OCTETS_MOST: Final = 1536 * 1024
"""Of blocks that are kept; of more, the answers take longer than reading them."""
FOUND_COST: Final = 50
"""Making an answer of an id that was found takes as long as going through so many octets."""
_PUT_TOGETHER_PART: Final = 2
"""Values are put together where that leaves one octet in so many to be gone through."""
_VALUE_OCTETS: Final = 64
"""Of memory, that a value takes beside its line and its messages."""
_LINE_OCTETS: Final = 5
"""Of the line of a value, beside its own."""
_ID_OCTETS: Final = 4
_APART_MOST: Final = 1 << 32


class ValueTable:
    """All values of a field, each once.

    octets: how much memory it takes.
    """

    def __init__(self, first: int, messages: "Mapping[bytes, array[int]]") -> None:
        """messages: of each value, what the ids are above the first."""
        self._first = first
        self._lines = b"".join(
            octets
            for number, value in enumerate(with_pauses(messages))
            for octets in (value, b"\n", digits_of(number))
        )
        self._messages = [each.tobytes() for each in messages.values()]
        self.octets = _octets_of(messages)

    def found(self, seeker: ValueSeeker, goes_through: Callable[[int], None]) -> list[int]:
        """As of a FieldTable."""
        goes_through(self.octets)
        numbers, messages = seeker.of_values(self._lines), self._messages
        # Takes all at once, where there are two of them at least.
        of_values = itemgetter(*numbers)(messages) if len(numbers) > 1 else ()
        above = array("I")
        above.frombytes(b"".join(of_values or [messages[each] for each in numbers]))
        goes_through(len(above) * FOUND_COST)
        first = self._first
        return sorted([first + each for each in above] if first else above)


class FieldBlocks:
    """The blocks, as they were read.

    octets: how much memory they take.
    """

    def __init__(self, blocks: Sequence[Columns]) -> None:
        self.octets = sum(len(block.lines) for block in blocks)
        self._blocks = blocks

    def found(self, seeker: ValueSeeker, goes_through: Callable[[int], None]) -> list[int]:
        """As of a FieldTable.  Raises BlockDamaged."""
        goes_through(self.octets)
        found: list[int] = []
        for block in self._blocks:
            messages = seeker.messages(block)
            goes_through((len(found) + len(messages)) * FOUND_COST)
            found += messages
        found.sort()
        return found

    def table(self, most: int) -> "FieldTable | None":
        """What is to be asked instead; None where nothing is, or it takes more octets than most.

        Takes its time: nobody may wait for it.  Raises BlockDamaged.
        """
        bases = [base for base, _ in self._blocks]
        first = min(bases, default=0)
        if max(bases, default=0) + (1 << 24) - first > _APART_MOST:
            return None
        messages: defaultdict[bytes, array[int]] = defaultdict(lambda: array("I"))
        for base, lines in self._blocks:
            apart = base - first
            for value, numbers in with_pauses(lines_of(lines)):
                messages[value].extend([apart + each for each in numbers] if apart else numbers)
            if _VALUE_OCTETS * len(messages) > most:
                return None
        values: FieldBlocks | ValueTable = self
        lines_octets = sum(map(len, messages)) + _LINE_OCTETS * len(messages)
        if lines_octets * _PUT_TOGETHER_PART <= self.octets and _octets_of(messages) <= most:
            values = ValueTable(first, messages)
        words = words_of(messages, most - values.octets)
        if words is None and values is self:
            return None
        return FieldTable(first, values, words)


class FieldTable:
    """What was made of blocks.

    octets: how much memory it takes, with all that it was made of and holds.
    """

    def __init__(
        self, first: int, values: FieldBlocks | ValueTable, words: ValueWords | None
    ) -> None:
        """first: what the ids of the words' messages stand above."""
        self._first = first
        self._values = values
        self._words = words
        self.octets = values.octets + (0 if words is None else words.octets)

    def found(self, seeker: ValueSeeker, goes_through: Callable[[int], None]) -> Sequence[int]:
        """Ids of the messages, each once, ascending.  Raises BlockDamaged.

        goes_through: told what comes next, in octets of blocks that take as long.
        """
        found = self._of_words(seeker, goes_through)
        return self._values.found(seeker, goes_through) if found is None else found

    def _of_words(
        self, seeker: ValueSeeker, goes_through: Callable[[int], None]
    ) -> Sequence[int] | None:
        """None where words do not do."""
        words, needle = self._words, seeker.within_a_word
        if words is None or needle is None:
            return None
        goes_through(words.cost(needle))
        found = words.having(needle)
        if found is None:
            return None
        goes_through(sum(map(len, found)) * FOUND_COST)
        # Of one word it stays an array: numbers are made only of those that are wanted.
        above = found[0] if len(found) == 1 else sorted(set().union(*found))
        first = self._first
        return [first + each for each in above] if first else above


def _octets_of(messages: "Mapping[bytes, array[int]]") -> int:
    """How much memory a table of values takes, of each of which the messages are given."""
    ids = sum(map(len, messages.values()))
    return (
        sum(map(len, messages)) + _ID_OCTETS * ids + (_LINE_OCTETS + _VALUE_OCTETS) * len(messages)
    )
