"""Words of the values of one field, each once, and which values hold it.

A needle without a space stands within a word.  People write about the same things, so there
is less to go through than in the values; where that is not so, there are no words of them.
"""

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable
from itertools import chain
from typing import Final

from mailbox_server.store.search_index.field_block import ValueSeeker, digits_of

WORDS_MOST: Final = 20_000
"""Made of more they take megabytes while they are made."""
_LINE_OCTETS: Final = 5
"""Of a word, beside its own."""


class ValueWords:
    """The words, and for each the numbers of its values.

    octets: how much memory they take.
    """

    def __init__(self, holders: "Iterable[tuple[bytes, array[int]]]") -> None:
        """holders: each word, and the numbers of the values that hold it."""
        starts, values, lines = array("I", (0,)), array("I"), list[bytes]()
        for number, (word, of_word) in enumerate(holders):
            lines += (word, b"\n", digits_of(number))
            values += of_word
            starts.append(len(values))
        self._lines = b"".join(lines)
        self._starts = starts
        self._values = values
        self.octets = len(self._lines) + 4 * (len(starts) + len(values))

    def holding(self, seeker: ValueSeeker) -> Collection[int]:
        """Numbers of the values with a needle that is within a word, each once."""
        starts, values = self._starts, self._values
        found = [values[starts[at] : starts[at + 1]] for at in seeker.of_values(self._lines)]
        return found[0] if len(found) == 1 else set(chain.from_iterable(found))


def words_of(values: Collection[bytes]) -> ValueWords | None:
    """Those of values, numbered as they come; None unless they are half as long, or shorter."""
    room = sum(map(len, values)) // 2
    holders: defaultdict[bytes, array[int]] = defaultdict(lambda: array("I"))
    for number, value in enumerate(values):
        for word in set(value.split(b" ")):
            of_word = holders[word]
            if not of_word:
                room -= len(word) + _LINE_OCTETS
                if room < 0 or len(holders) > WORDS_MOST:
                    return None
            of_word.append(number)
    return ValueWords(holders.items())
