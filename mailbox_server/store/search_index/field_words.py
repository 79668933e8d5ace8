"""Words of the values of one field, each once, and which messages have it there.

A needle without a space stands within a word.  People write about the same things, so there
is less to go through than in the values; where that is not so, there are no words of them.
Subjects are full of numbers, which hardly come again: a needle without a digit is looked for
in the words as they are without theirs.
"""

import re
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mailbox_server.store.search_index.pausing import with_pauses

WORDS_MOST: Final = 20_000
"""Made of more they take megabytes while they are made."""
_VALUE_MOST: Final = 64 * 1024
"""Octets of a value: taking it apart lets nobody else run, and a header may be a MiB of words."""
HELD_MOST: Final = 384 * 1024
"""Messages of all words together; with more the values would take too much room to be kept."""
_WORDS_PART: Final = 2
"""There are words where they leave one octet in so many to be gone through."""
_HOLDING_MOST: Final = 8
"""Words, whose messages are put together; of more, going through the values is as good."""
_NUMBER: Final = re.compile(rb"[0-9]+")
_FOR_A_NUMBER: Final = b"0"
_WORD_OCTETS: Final = 32
"""Of memory, that a word takes at most beside its own twice, and its messages."""
_ID_OCTETS: Final = 4


class _Lines:
    """Words one after the other, long ones first: a needle is in none that is shorter.

    gone_through: octets of all of them.  octets: how much memory it takes.
    """

    def __init__(self, words: Sequence[bytes]) -> None:
        """words: one at least, by their length."""
        longest = len(words[0])
        self._octets = b"\n".join([*words, b""])
        self._begins = array("I", (0,))
        for word in with_pauses(words):
            self._begins.append(self._begins[-1] + len(word) + 1)
        self._longest = longest
        self._short = array("I", (longest - len(word) for word in words))
        """By how many octets each falls short of the longest."""
        self.gone_through = len(self._octets)
        self.octets = self.gone_through + _ID_OCTETS * (len(self._begins) + len(words))

    def holding(self, needle: bytes, most: int) -> list[int] | None:
        """Places of the words with the needle, which holds no line feed; None of more than most."""
        begins, octets, found = self._begins, self._octets, list[int]()
        end = begins[bisect_right(self._short, self._longest - len(needle))]
        at = octets.find(needle, 0, end)
        while at >= 0:
            if len(found) == most:
                return None
            place = bisect_right(begins, at) - 1
            found.append(place)
            at = octets.find(needle, begins[place + 1], end)
        return found


class _Lists:
    """Lists of numbers, one after the other.

    octets: how much memory it takes.
    """

    def __init__(self, lists: Iterable[Sequence[int]]) -> None:
        self._starts, self._numbers = array("I", (0,)), array("I")
        for each in with_pauses(lists):
            self._numbers.extend(sorted(each))
            self._starts.append(len(self._numbers))
        self.octets = _ID_OCTETS * (len(self._starts) + len(self._numbers))

    def count(self, place: int) -> int:
        """Numbers of the list in that place."""
        return self._starts[place + 1] - self._starts[place]

    def __getitem__(self, place: int) -> "array[int]":
        return self._numbers[self._starts[place] : self._starts[place + 1]]


class ValueWords:
    """The words, and for each the ids of its messages, as they stand above the first.

    octets: how much memory they take.
    """

    def __init__(self, messages: "Mapping[bytes, array[int]]") -> None:
        """messages: of each word, its messages, each once."""
        words = sorted(messages, key=len, reverse=True)
        self._lines = _Lines(words)
        self._messages = _Lists(messages[word] for word in words)
        alike: defaultdict[bytes, list[int]] = defaultdict(list)
        for place, word in enumerate(with_pauses(words)):
            alike[_NUMBER.sub(_FOR_A_NUMBER, word)].append(place)
        plain = sorted(alike, key=len, reverse=True)
        self._plain_lines = _Lines(plain)
        self._alike = _Lists(alike[each] for each in plain)
        parts = (self._lines, self._messages, self._plain_lines, self._alike)
        self.octets = sum(part.octets for part in parts)

    def cost(self, needle: bytes) -> int:
        """What a question costs, in octets of blocks."""
        return (self._lines if _NUMBER.search(needle) else self._plain_lines).gone_through

    def having(self, needle: bytes) -> "Sequence[array[int]] | None":
        """Messages, ascending, of each word with a needle that is within one; None where it is
        in many.

        needle: in UTF-8, without a space and a line feed.
        """
        words = self._words_with(needle)
        return None if words is None else [self._messages[word] for word in words]

    def _words_with(self, needle: bytes) -> list[int] | None:
        if _NUMBER.search(needle):
            return self._lines.holding(needle, _HOLDING_MOST)
        plain = self._plain_lines.holding(needle, _HOLDING_MOST)
        if plain is None or sum(map(self._alike.count, plain)) > _HOLDING_MOST:
            return None
        return [word for each in plain for word in self._alike[each]]


def words_of(messages: "Mapping[bytes, array[int]]", most: int) -> ValueWords | None:
    """Those of values, of each of which the messages are given, no message twice.

    None unless the words are half as long as the values, or shorter; and where they, or their
    messages, are too many, a value is too long, or they would take more octets of memory than most.
    """
    room, held = sum(map(len, messages)), 0
    of_words: defaultdict[bytes, array[int]] = defaultdict(lambda: array("I"))
    for value, of_value in with_pauses(messages.items()):
        if len(value) > _VALUE_MOST:
            return None
        words = set(value.split(b" "))
        held += len(words) * len(of_value)
        if held > HELD_MOST:
            return None
        for word in words:
            of_word = of_words[word]
            if not of_word:
                room -= (len(word) + 1) * _WORDS_PART
                if room < 0 or len(of_words) > WORDS_MOST:
                    return None
            of_word += of_value
    if not of_words:
        return None
    octets = 2 * sum(map(len, of_words)) + _WORD_OCTETS * len(of_words) + _ID_OCTETS * held
    return ValueWords(of_words) if octets <= most else None
