"""Words of the values of one field, each once, and which messages have it there.

A needle without a space stands within a word.  People write about the same things, so there
is less to go through than in the values; where that is not so, there are no words of them.
Long words come first: a needle is in none that is shorter.
"""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from mailbox_server.store.search_index.pausing import with_pauses

WORDS_MOST: Final = 20_000
"""Made of more they take megabytes while they are made."""
HELD_MOST: Final = 384 * 1024
"""Messages of all words together; with more the values would take too much room to be kept."""
_HOLDING_MOST: Final = 8
"""Words, whose messages are put together; of more, going through the values is as good."""
_WORD_OCTETS: Final = 13
"""Of memory, that a word takes beside its own and its messages."""
_ID_OCTETS: Final = 4


class ValueWords:
    """The words, and for each the ids of its messages, as they stand above the first.

    octets: how much memory they take.  gone_through: what a question costs, in octets of blocks.
    """

    def __init__(self, messages: "Mapping[bytes, array[int]]") -> None:
        """messages: of each word, its messages, each once."""
        words = sorted(messages, key=len, reverse=True)
        begins, starts, together = array("I", (0,)), array("I", (0,)), array("I")
        for word in with_pauses(words):
            begins.append(begins[-1] + len(word) + 1)
            together.extend(sorted(messages[word]))
            starts.append(len(together))
        self._lines = b"\n".join([*words, b""])
        self._begins = begins
        # By how many octets a word falls short of the longest.
        self._short = array("I", (len(words[0]) - len(word) for word in words))
        self._longest = len(words[0])
        self._starts = starts
        self._messages = together
        self.gone_through = len(self._lines)
        self.octets = _octets_of(words, len(together))

    def having(self, needle: bytes) -> "Sequence[array[int]] | None":
        """Messages, ascending, of each word with a needle that is within one; None where it is
        in many.

        needle: in UTF-8, without a space and a line feed.
        """
        begins, lines, found = self._begins, self._lines, list[int]()
        end = begins[bisect_right(self._short, self._longest - len(needle))]
        place = lines.find(needle, 0, end)
        while place >= 0:
            if len(found) == _HOLDING_MOST:
                return None
            word = bisect_right(begins, place) - 1
            found.append(word)
            place = lines.find(needle, begins[word + 1], end)
        starts, messages = self._starts, self._messages
        return [messages[starts[word] : starts[word + 1]] for word in found]


def words_of(messages: "Mapping[bytes, array[int]]", most: int) -> ValueWords | None:
    """Those of values, of each of which the messages are given, no message twice.

    None unless the words are half as long as the values, or shorter; and where they, or their
    messages, are too many, or they would take more octets of memory than most.
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
                room -= len(word) + 1
                if room < 0 or len(of_words) > WORDS_MOST:
                    return None
            of_word += of_value
    if not of_words or _octets_of(of_words, held) > most:
        return None
    return ValueWords(of_words)


def _octets_of(words: Collection[bytes], messages: int) -> int:
    return sum(map(len, words)) + _WORD_OCTETS * len(words) + _ID_OCTETS * messages
