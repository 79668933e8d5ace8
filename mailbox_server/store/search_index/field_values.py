"""What is kept of the values of one field of an account, made of its blocks.

The same people write in every block: of what is asked again, all values are put together,
each once with its number, and beside them the messages of each number.  That takes longer than
a question, so the blocks serve at first.  Where the values have few words between them, those
are gone through instead.
"""

import itertools
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
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
QUESTIONS: Final = 2
"""After so many that blocks answered the values are put together; where they are many, of which
that takes long, after one more for each OCTETS_A_QUESTION."""
OCTETS_A_QUESTION: Final = 128 * 1024
FOUND_COST: Final = 50
"""Making an answer of an id that was found takes as long as going through so many octets."""
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

    def __init__(
        self, first: int, lines: bytes, messages: Sequence[bytes], words: ValueWords | None
    ) -> None:
        """lines: as in a block, of one number each: where its messages are among messages,
        which holds what their ids are above the first, in four octets each.
        words: of the values; None where they are too many."""
        self._first = first
        self._lines = lines
        self._messages = messages
        self._words = words
        self._cost = len(lines) + sum(map(len, messages)) + _VALUE_OCTETS * len(messages)
        self.octets = self._cost + (0 if words is None else words.octets)

    def found(
        self, seeker: ValueSeeker, goes_through: Callable[[int], None]
    ) -> Iterator[Sequence[int]]:
        """Ids of the messages, each once, in no order; some at a time.

        goes_through: told what comes next, in octets of blocks that take as long.
        """
        first, above = self._first, self._of_words(seeker, goes_through)
        if above is None:
            goes_through(self._cost)
            above = self._above(seeker.of_values(self._lines))
        yield [first + each for each in above] if first else above

    def _of_words(
        self, seeker: ValueSeeker, goes_through: Callable[[int], None]
    ) -> Sequence[int] | None:
        """The same by words, as they stand above the first; None where those do not do."""
        if self._words is None or not seeker.is_within_a_word:
            return None
        goes_through(self._words.gone_through)
        found = self._words.having(seeker)
        if found is None:
            return None
        goes_through(sum(map(len, found)) * FOUND_COST)
        return found[0] if len(found) == 1 else [*set().union(*found)]

    def _above(self, numbers: Sequence[int]) -> Sequence[int]:
        """Of values, their messages."""
        # Takes all at once, where there are two of them at least.
        found = itemgetter(*numbers)(self._messages) if len(numbers) > 1 else ()
        above = array("I")
        above.frombytes(b"".join(found or [self._messages[each] for each in numbers]))
        return above


class FieldBlocks:
    """The blocks, as they were read.

    octets: how much memory they take.
    """

    def __init__(self, blocks: Sequence[Columns]) -> None:
        self.octets = sum(len(block.lines) for block in blocks)
        self._blocks = blocks
        self._questions = itertools.count(1)
        self._most = QUESTIONS + self.octets // OCTETS_A_QUESTION

    def found(
        self, seeker: ValueSeeker, goes_through: Callable[[int], None]
    ) -> Iterator[Sequence[int]]:
        """As of a table.  Raises BlockDamaged."""
        goes_through(self.octets)
        return map(seeker.messages, self._blocks)

    def is_asked_again(self) -> bool:
        """Call after each question, in any thread: True once, when a table is to be made."""
        return next(self._questions) == self._most

    def table(self, most: int) -> ValueTable | None:
        """All values together; None where that cannot be, or takes more octets than most.

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
        octets = _octets_of(messages)
        if octets > most:
            return None
        lines = b"".join(
            octets
            for number, value in enumerate(with_pauses(messages))
            for octets in (value, b"\n", digits_of(number))
        )
        ids = [each.tobytes() for each in messages.values()]
        words = words_of(messages)
        if words is not None and octets + words.octets > most:
            words = None
        return ValueTable(first, lines, ids, words)


def _octets_of(messages: "Mapping[bytes, array[int]]") -> int:
    """How much memory a table of values takes, of each of which the messages are given."""
    ids = sum(map(len, messages.values()))
    return (
        sum(map(len, messages)) + _ID_OCTETS * ids + (_LINE_OCTETS + _VALUE_OCTETS) * len(messages)
    )
