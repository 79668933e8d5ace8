"""What is kept of a short text: the words of it that many share, and trigrams of the others.

In short texts trigrams hardly repeat, so a list of the texts that have each takes more than
the texts do.  Here a word of a vocabulary (VOCABULARY) takes an octet where it is; the
trigrams of all other words are folded into a few bits each (sketches).

A word is a run of letters and digits, so a needle without anything else is in a text where
a word of the text holds it.  Of other needles each of the words is (parts), and the text
decides.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Final

from mailbox_server.store.search_index.needles import GRAM

CHARACTERS_MOST: Final = 32 * 1024
"""Of a text that is kept so; in longer ones trigrams repeat, whatever is written."""
RICH: Final = 5
"""A text is kept so if in what is looked at of it the words, each once, are at least one in so
many of the characters."""
VOCABULARY: Final = 16 * 1024
"""Words that a segment knows at most."""
LEARNED_FROM: Final = 3
"""Texts that come together and hold a word make it known."""
LEARNED_AT_ONCE: Final = 1024
"""Words that become known by texts that come together, at most: three mails full of random
words shall not take the room of all that is written later."""
EVERYWHERE_FROM: Final = 50
"""Of so many texts that come together, those that nearly all hold are not told."""
_EVERYWHERE_PART: Final = 0.9

_LOOKED_AT: Final = 4_096
_WORD_MOST: Final = 24
_PARTS_MOST: Final = 4
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a word; begins, ends: whether the word begins or ends with it."""

    text: str
    begins: bool
    ends: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """What to ask of short texts.

    words: of each there is a word in every text that is meant; none where that says nothing.
    is_needle: whether a text with such a word holds the needle.
    """

    words: tuple[Part, ...]
    is_needle: bool


def is_brief(text: str) -> bool:
    """Whether a text is kept as words and a sketch."""
    if len(text) > CHARACTERS_MOST:
        return False
    beginning = text[:_LOOKED_AT]
    return sum(map(len, set(beginning.split()))) * RICH >= len(beginning)


def words_of(text: str) -> set[str]:
    """All words of a normalized text."""
    return set(_WORD.findall(text))


def learned(texts: Iterable[Set[str]], known: Set[str]) -> list[str]:
    """Words that become known by texts that come together, the most frequent first."""
    counts = Counter(word for words in texts for word in words)
    return [
        word
        for word, count in counts.most_common(VOCABULARY)
        if count >= LEARNED_FROM and word not in known and _is_knowable(word)
    ][: max(0, min(LEARNED_AT_ONCE, VOCABULARY - len(known)))]


def learned_everywhere(texts: Sequence[Set[str]], known: Set[str]) -> list[str]:
    """Words that nearly all of many texts hold: it is not worth telling which."""
    if len(texts) < EVERYWHERE_FROM:
        return []
    counts = Counter(word for words in texts for word in words)
    least = len(texts) * _EVERYWHERE_PART
    return [word for word, count in counts.items() if count >= least and word not in known]


def _is_knowable(word: str) -> bool:
    # SQLite takes capitals of ASCII for small letters.
    return len(word) <= _WORD_MOST and word == word.lower()


def parts(needles: Sequence[str]) -> Parts:
    """What to ask for texts that hold all of the normalized needles.

    One or two characters of ASCII that may stand in any word are everywhere, and not asked for.
    """
    if len(needles) == 1 and _WORD.fullmatch(needles[0]) and len(needles[0]) >= GRAM:
        return Parts((Part(needles[0], False, False),), is_needle=True)
    words = [
        Part(found[0], found.start() > 0, found.end() < len(needle))
        for needle in needles
        for found in _WORD.finditer(needle)
    ]
    asked = [
        each
        for each in words
        if len(each.text) >= GRAM or not each.text.isascii() or (each.begins and each.ends)
    ]
    longest = sorted(dict.fromkeys(asked), key=lambda each: len(each.text), reverse=True)
    is_needle = len(needles) == 1 and longest == [Part(needles[0], False, False)]
    return Parts(tuple(longest[:_PARTS_MOST]), is_needle)


def holding(lines: bytes, part: Part) -> list[str]:
    """Those of a vocabulary's words, each after a line feed in UTF-8, that the part may be of."""
    before, after = b"\n" if part.begins else b"", b"\n" if part.ends else b""
    octets, found = before + part.text.encode("utf-8") + after, []
    lines += b"\n"
    place = lines.find(octets)
    while place >= 0:
        begin = lines.rfind(b"\n", 0, place + 1) + 1
        end = lines.find(b"\n", begin)
        found.append(lines[begin:end].decode("utf-8"))
        place = lines.find(octets, end)
    return found
