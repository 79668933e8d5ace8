"""Words of the values of one field, each once, and which messages have it there.

A needle without a space stands within a word.  People write about the same things, so there
is less to go through than in the values; where that is not so, there are no words of them.
"""

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from mailbox_server.store.search_index.field_block import ValueSeeker, digits_of
from mailbox_server.store.search_index.pausing import with_pauses

WORDS_MOST: Final = 20_000
"""Made of more they take megabytes while they are made."""
HELD_MOST: Final = 384 * 1024
"""Messages of all words together; with more the values would take too much room to be kept."""
_HOLDING_MOST: Final = 8
"""Words, whose messages are put together; of more, going through the values is as good."""
_LINE_OCTETS: Final = 5
"""Of a word, beside its own."""


class ValueWords:
    """The words, and for each the ids of its messages, as they stand above the first.

    octets: how much memory they take.  gone_through: what a question costs, in octets of blocks.
    """

    def __init__(self, messages: "Mapping[bytes, array[int]]") -> None:
        """messages: of each word, its messages, each once."""
        starts, together, lines = array("I", (0,)), array("I"), list[bytes]()
        for number, (word, of_word) in enumerate(with_pauses(messages.items())):
            lines += (word, b"\n", digits_of(number))
            together.extend(sorted(of_word))
            starts.append(len(together))
        self._lines = b"".join(lines)
        self._starts = starts
        self._messages = together
        self.gone_through = len(self._lines)
        self.octets = len(self._lines) + 4 * (len(starts) + len(together))

    def having(self, seeker: ValueSeeker) -> Sequence[Sequence[int]] | None:
        """Messages of each word with a needle that is within one; None where it is in many."""
        words = seeker.of_few_values(self._lines, _HOLDING_MOST)
        if words is None:
            return None
        starts, messages = self._starts, self._messages
        return [messages[starts[at] : starts[at + 1]] for at in words]


def words_of(messages: "Mapping[bytes, array[int]]") -> ValueWords | None:
    """Those of values, of each of which the messages are given, no message twice.

    None unless the words are half as long as the values, or shorter; and where they, or their
    messages, are too many.
    """
    room, held = sum(map(len, messages)) // 2, 0
    of_words: defaultdict[bytes, array[int]] = defaultdict(lambda: array("I"))
    for value, of_value in with_pauses(messages.items()):
        words = set(value.split(b" "))
        held += len(words) * len(of_value)
        if held > HELD_MOST:
            return None
        for word in words:
            of_word = of_words[word]
            if not of_word:
                room -= len(word) + _LINE_OCTETS
                if room < 0 or len(of_words) > WORDS_MOST:
                    return None
            of_word += of_value
    return ValueWords(of_words)
