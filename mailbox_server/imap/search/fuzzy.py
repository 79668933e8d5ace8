"""What FUZZY asks for, in keys that are matched exactly, and how relevant what matches is.

RFC 6203 leaves both to the server.  Here a text is taken as its words: each of them must be
there, in any order, and of longer ones the beginning is enough, so that `meetings` finds
`meeting`.  Days are taken with two on either side, sizes and ages with a tenth.  What is asked
of flags, numbers, UIDs, modseqs, ids and whatever NOT negates is asked exactly.  So all that
matches exactly matches fuzzily.

A message gets points for what of a key it matches more closely, 100 if all of it; of AND the
mean counts, of OR the best.  Points mean the same in every mailbox and every search, and the
index answers most of what they ask; the scores of store.word_search compare within one search
only, and take reading the text of each message.
"""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from mailbox_server.imap.grammar.search_keys import (
    Age,
    AgeKey,
    AllKey,
    AndKey,
    DateKey,
    FuzzyKey,
    NotKey,
    OrKey,
    Relation,
    SearchKey,
    Size,
    SizeKey,
    TextKey,
)
from mailbox_server.mime.normal_form import normalize
from mailbox_server.store.ports import TextCriterion, TextScope

WORDS_MOST: Final = 8
"""Of one text; those after them are not asked for."""
GRADED_MOST: Final = 20
"""Keys of a search that make a message more or less relevant; the first ones count."""
LEAST: Final = 1
FULL: Final = 100

_DAYS: Final = 2
_STEM_CHARACTERS: Final = 4
_ENDING_CHARACTERS: Final = 2
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Mark:
    """Points for a message that matches key."""

    key: SearchKey
    points: float


@dataclass(frozen=True, slots=True)
class Graded:
    """A key within FUZZY; wide: what was made of it.  The points of all marks are FULL."""

    wide: SearchKey
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Mean:
    """All of its parts count."""

    parts: tuple["Grade", ...]


@dataclass(frozen=True, slots=True)
class Best:
    """The part counts that matches best."""

    parts: tuple["Grade", ...]


Grade = Graded | Mean | Best
Hits = Mapping[SearchKey, Container[int]]
"""By key, which messages match it."""


def is_fuzzy(key: SearchKey) -> bool:
    """Whether FUZZY stands somewhere."""
    match key:
        case FuzzyKey():
            return True
        case AndKey(keys):
            return any(map(is_fuzzy, keys))
        case OrKey(one, other):
            return is_fuzzy(one) or is_fuzzy(other)
        case NotKey(inner):
            return is_fuzzy(inner)
        case _:
            return False


def widened(key: SearchKey, *, within: bool = False) -> SearchKey:
    """The key without FUZZY; what stood below it is wider.  within: key stands below one."""
    match key:
        case FuzzyKey(inner):
            return widened(inner, within=True)
        case AndKey(keys):
            return AndKey(tuple(widened(each, within=within) for each in keys))
        case OrKey(one, other):
            return OrKey(widened(one, within=within), widened(other, within=within))
        case NotKey(inner):
            return NotKey(widened(inner))
        case _:
            return _wide(key) if within else key


def grade_of(key: SearchKey) -> Grade:
    """What makes messages more or less relevant."""
    return _graded(key, False, iter(range(GRADED_MOST))) or Mean(())


def _graded(key: SearchKey, within: bool, places: Iterator[int]) -> Grade | None:
    match key:
        case FuzzyKey(inner):
            return _graded(inner, True, places)
        case AndKey(keys):
            parts = [_graded(each, within, places) for each in keys]
            return Mean(tuple(part for part in parts if part is not None))
        case OrKey(one, other):
            either = (_graded(one, within, places), _graded(other, within, places))
            return Best(tuple(part for part in either if part is not None))
        case NotKey():
            return None
        case _ if not within or next(places, None) is None:
            return None
        case TextKey(criterion):
            return Graded(_wide(key), _text_marks(criterion))
        case _:
            return Graded(_wide(key), (Mark(key, FULL),))


def keys_of(grade: Grade) -> list[SearchKey]:
    """The keys to ask of all messages that are to be graded, each once."""
    found: dict[SearchKey, None] = {}
    stack: list[Grade] = [grade]
    while stack:
        match stack.pop():
            case Graded(wide, marks):
                found[wide] = None
                found.update((mark.key, None) for mark in marks)
            case Mean(parts) | Best(parts):
                stack.extend(parts)
    return list(found)


def relevancy(grade: Grade, hits: Hits, uid: int) -> int:
    """1 to 100 of a message that matches; hits: of keys_of(grade)."""
    return min(FULL, max(LEAST, round(_points(grade, hits, uid))))


def _points(grade: Grade, hits: Hits, uid: int) -> float:
    match grade:
        case Graded(wide, marks):
            if uid not in hits[wide]:
                return 0
            return max(LEAST, sum(mark.points for mark in marks if uid in hits[mark.key]))
        case Mean(parts):
            return sum(_points(part, hits, uid) for part in parts) / len(parts) if parts else FULL
        case Best(parts):
            return max((_points(part, hits, uid) for part in parts), default=FULL)


def _wide(key: SearchKey) -> SearchKey:
    match key:
        case TextKey(criterion):
            words = _words(criterion.needle)
            return _all([_holding(criterion, _stem(word)) for word in words]) if words else key
        case DateKey(_, Relation.BEFORE, day):
            return DateKey(key.field, Relation.BEFORE, _moved(day, _DAYS))
        case DateKey(_, Relation.SINCE, day):
            return DateKey(key.field, Relation.SINCE, _moved(day, -_DAYS))
        case DateKey(_, Relation.ON, day):
            since = DateKey(key.field, Relation.SINCE, _moved(day, -_DAYS))
            return AndKey((since, DateKey(key.field, Relation.BEFORE, _moved(day, _DAYS + 1))))
        case SizeKey(Size.LARGER, octets):
            return SizeKey(Size.LARGER, octets - octets // 10)
        case SizeKey(Size.SMALLER, octets):
            return SizeKey(Size.SMALLER, octets + octets // 10)
        case AgeKey(Age.OLDER, seconds):
            return AgeKey(Age.OLDER, seconds - seconds // 10)
        case AgeKey(Age.YOUNGER, seconds):
            return AgeKey(Age.YOUNGER, seconds + seconds // 10)
        case _:
            return key


def _text_marks(criterion: TextCriterion) -> tuple[Mark, ...]:
    """The text as it was written, its whole words, and all of that in the subject too."""
    words = _words(criterion.needle)
    if not words:
        return (Mark(TextKey(criterion), FULL),)
    marks = [Mark(AllKey(), 10), Mark(TextKey(criterion), 40)]
    subjects = criterion.scope is TextScope.TEXT
    share = (20 if subjects else 50) / len(words)
    marks += [Mark(_holding(criterion, word), share) for word in words]
    if subjects:
        subject = TextCriterion(TextScope.SUBJECT, criterion.needle)
        marks += [Mark(_holding(subject, word), 30 / len(words)) for word in words]
    return tuple(marks)


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(_WORD.findall(normalize(text))))[:WORDS_MOST]


def _stem(word: str) -> str:
    """Without the ending, in which words of most languages differ by case and number."""
    if not word.isalpha():
        return word
    return word[: max(_STEM_CHARACTERS, len(word) - _ENDING_CHARACTERS)]


def _holding(criterion: TextCriterion, word: str) -> TextKey:
    return TextKey(TextCriterion(criterion.scope, word, criterion.field))


def _all(keys: list[TextKey]) -> SearchKey:
    return keys[0] if len(keys) == 1 else AndKey(tuple(keys))


def _moved(day: date, days: int) -> date:
    ordinal = min(max(day.toordinal() + days, date.min.toordinal()), date.max.toordinal())
    return date.fromordinal(ordinal)
