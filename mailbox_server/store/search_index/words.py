"""Find words, prefixes and phrases in normalized text, and say how well they match.

A word is a run of letters, digits and underscores, with the marks on them.  In scripts that
write no spaces the ends of words are not seen; there a word is found wherever its
characters are.

The score is that of Okapi BM25: a term that is found often weighs more, less and less so;
in a long text it weighs less.  Subject and names weigh more than text.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from mailbox_server.mime.normal_form import normalize
from mailbox_server.store.ports import WordMatch, WordScope, WordTerm

WORDS_MOST: Final = 32
"""Of one term; words beyond are not looked for."""
_COUNTED_MOST: Final = 50
_SATURATION: Final = 1.2
_LENGTH_PART: Final = 0.5
_USUAL_CHARACTERS: Final = 4_000
_WEIGHTS: Final[Mapping[WordScope, float]] = {WordScope.SUBJECT: 4.0, WordScope.FROM: 2.0}

_BLOCKS_WITH_MARKS: Final = (
    *(range(0x300, 0x1D00), range(0x1DC0, 0x2100), range(0x302A, 0x309B)),
    *(range(0xA66F, 0xAC00), range(0xFE00, 0xFE30)),
)
_MARKS: Final = "".join(
    chr(number)
    for number in chain(*_BLOCKS_WITH_MARKS)
    if unicodedata.category(chr(number)) in ("Mn", "Mc")
)
"""Vowels of Indic scripts among them: a word does not end there."""
_LETTER: Final = rf"[\w{_MARKS}]"
_GAP: Final = rf"[^\w{_MARKS}]{{1,20}}"
_WORD: Final = re.compile(_LETTER + "+")
_ONE_LETTER: Final = re.compile(_LETTER)
# Thai, Lao, Myanmar, Khmer; kana, Han and what stands with them; Hangul has spaces, and
# endings that are written to the word.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u318f\u31a0-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True)
class Texts:
    """Normalized texts of one message; values of a field are parted by line feeds."""

    body: str
    header: str
    fields: Mapping[WordScope, str]

    def among(self, scope: WordScope) -> list[tuple[float, str]]:
        """The texts that a scope means, each with its weight."""
        if scope is WordScope.BODY:
            return [(1.0, self.body)]
        if scope is not WordScope.ANYWHERE:
            return [(_WEIGHTS.get(scope, 1.0), self.fields.get(scope, ""))]
        # The header holds the fields as well: each counts once more than its weight says.
        weighted = [(weight, self.fields.get(each, "")) for each, weight in _WEIGHTS.items()]
        return [(1.0, self.body), (1.0, self.header), *weighted]


def words_of(term: WordTerm) -> tuple[str, ...]:
    """The normalized words of a term."""
    return tuple(_WORD.findall(normalize(term.text))[:WORDS_MOST])


class Term:
    """A term made ready."""

    def __init__(self, term: WordTerm) -> None:
        self.scope = term.scope
        self.words = words_of(term)
        runs = [self.words] if term.match is WordMatch.PHRASE else [(each,) for each in self.words]
        is_prefix = term.match is WordMatch.PREFIX
        self._runs = [_Run(words, is_prefix=is_prefix) for words in runs if words]

    def frequency(self, texts: Texts) -> float | None:
        """How often it is found, weighted; None where it is not."""
        together = 0.0
        chosen = texts.among(self.scope)
        for run in self._runs:
            found = sum(weight * run.count(text) for weight, text in chosen if text)
            if not found:
                return None
            together += found
        return together / max(1, len(self._runs))


class _Run:
    """Words that stand one after the other."""

    def __init__(self, words: tuple[str, ...], *, is_prefix: bool) -> None:
        self._words = words
        self._is_open = _UNSPACED.match(words[0][0]) is not None
        after = "" if is_prefix or _UNSPACED.match(words[-1][-1]) else f"(?!{_LETTER})"
        self._pattern = re.compile(_GAP.join(map(re.escape, words)) + after)

    def count(self, text: str) -> int:
        """How often it is there, at most _COUNTED_MOST."""
        # Most texts lack one of the words, and this is found out much sooner.
        if not all(word in text for word in self._words):
            return 0
        count = 0
        for found in self._pattern.finditer(text):
            before = text[found.start() - 1 : found.start()] if found.start() else ""
            if self._is_open or not _ONE_LETTER.match(before):
                count += 1
                if count == _COUNTED_MOST:
                    break
        return count


def score(terms: Sequence[Term], weights: Sequence[float], texts: Texts) -> float | None:
    """How well the texts match all terms; None where one is missing."""
    length = 1 - _LENGTH_PART + _LENGTH_PART * len(texts.body) / _USUAL_CHARACTERS
    together = 0.0
    for term, weight in zip(terms, weights, strict=True):
        frequency = term.frequency(texts)
        if frequency is None:
            return None
        if term.words:
            together += weight * frequency * (1 + _SATURATION) / (frequency + _SATURATION * length)
    return together
