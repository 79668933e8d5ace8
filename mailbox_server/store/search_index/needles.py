"""What to ask the index for a needle: trigrams that must all be there, or a range of them.

Texts are indexed by each run of three characters.  A needle of three or more is where all
its own trigrams are; of one or two, where any trigram begins with it.  Texts end with
PADDING, so that one begins at each of their characters.

Three characters of Unicode's private use stand before each text: one trigram that names
the account, so that other people's messages are never gone through, and marks for texts
that hold more than is indexed.  A text that holds such characters by itself is looked at
in vain, no more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.ids import AccountId

GRAM: Final = 3
PADDING: Final = "\n\n"
PIECE_CHARACTERS: Final = 32 * 1024
"""Of a text that is added at once: 150 octets of memory each, if all trigrams differ."""
MARK_MORE: Final = "\uf8fd\uf8fe\uf8ff"
"""Before the text of a message that may hold what is not indexed."""

_PRIVATE: Final = 0xE000
_PRIVATE_LAST: Final = 0xF8FF
_DIGITS: Final = 6_000
_GRAMS_MOST: Final = 24
_FEW_GRAMS: Final = 2
_FEW: Final = 20
"""Texts that take no longer to look at than to ask for their other trigrams."""
_SOME: Final = 500
"""Texts of whatever account that take less time than to go over all of one."""
_WORD_MOST: Final = 100
_BEYOND_ALL: Final = GRAM * "\U0010ffff"
"""Behind the beginning of a trigram: no trigram that begins so comes after it."""
_NO_CHARACTERS: Final = str.maketrans("\ufffe\uffff", "\ufffd\ufffd")
"""What SQLite makes of them where it takes texts apart."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Texts of an account that hold all of the needles' trigrams."""

    account: AccountId
    needles: tuple[str, ...]

    @property
    def own(self) -> str:
        """The full-text expression of its texts alone."""
        return f"{quoted_mark(self.account)} AND {self._all}"

    @property
    def shorter(self) -> Iterator[tuple[str, int]]:
        """What costs less, one after the other, and may be true of more texts and of other
        accounts'; good enough where it is of at most so many."""
        few = _together(_grams(self.needles, _FEW_GRAMS, GRAM))
        yield few, _FEW
        if (every := self._all) != few:
            yield every, _SOME

    @property
    def _all(self) -> str:
        return _together(_grams(self.needles, _GRAMS_MOST, 1))


@dataclass(frozen=True, slots=True)
class Between:
    """Any trigram from first to before beyond."""

    first: str
    beyond: str


Question = AllOf | Between


def account_mark(account: AccountId) -> str:
    """The trigram before each text of an account."""
    rest, low = divmod(account, _DIGITS)
    high, middle = divmod(rest, _DIGITS)
    return "".join(chr(_PRIVATE + digit) for digit in (high % _DIGITS, middle, low))


def quoted_mark(account: AccountId) -> str:
    """It, as it stands in a full-text expression."""
    return quoted(account_mark(account))


def marked(account: AccountId, text: str, *, is_more: bool) -> Iterator[str]:
    """A text as it is indexed, in pieces of one row; one piece if it is not long.

    They overlap, so that each trigram is whole in one of them.  is_more: whether it may hold
    what is not in text.
    """
    marks = f"{account_mark(account)}\n{MARK_MORE if is_more else ''}\n"
    padded = text + PADDING
    for at in range(0, max(1, len(text)), PIECE_CHARACTERS):
        piece = padded[at : at + PIECE_CHARACTERS + GRAM - 1]
        yield piece if at else marks + piece


def question(account: AccountId, needles: tuple[str, ...]) -> Question | None:
    """What to ask for texts of the account that hold all of the normalized needles.

    None where the index is of no use: for no needle, and for one or two characters of
    ASCII, which are everywhere.  Texts with MARK_MORE (more) are to be taken too.
    """
    try:
        "".join(needles).encode("utf-8")
    except UnicodeEncodeError:
        return None
    if any(len(each) >= GRAM for each in needles):
        return AllOf(account, needles)
    longest = max(needles, key=len, default="")
    if not longest or longest.isascii():
        return None
    longest = longest.translate(_NO_CHARACTERS)
    return Between(longest, longest + _BEYOND_ALL)


def word(account: AccountId, needle: str) -> str | None:
    """What to ask of words for texts that hold the normalized needle, for sure, as a beginning.

    None where a needle begins no word: words are runs of ASCII letters and digits, and of all
    that is not ASCII.  Nor does one with private characters: these may be a mark.
    """
    if not 0 < len(needle) <= _WORD_MOST or not all(map(_is_of_words, needle)):
        return None
    return f"{quoted_mark(account)} AND {quoted(needle)} *"


def _is_of_words(character: str) -> bool:
    if character.isascii():
        return character.isalnum()
    return not _PRIVATE <= ord(character) <= _PRIVATE_LAST


def more(account: AccountId) -> str:
    """What to ask for texts of the account that may hold what is not indexed."""
    return f"{quoted_mark(account)} AND {quoted(MARK_MORE)}"


def _grams(needles: Iterable[str], most: int, apart: int) -> list[str]:
    """Trigrams of the needles, each once, so many places apart at least; of long ones some,
    about so many from all over each."""
    found: list[str] = []
    for needle in needles:
        last = len(needle) - GRAM
        step = max(apart, last // most)
        places = [*range(0, max(1, last - apart + 1), step), last] if last >= 0 else []
        found += [needle[at : at + GRAM] for at in places]
    return list(dict.fromkeys(found))


def _together(grams: Iterable[str]) -> str:
    return " AND ".join(map(quoted, grams))


def quoted(gram: str) -> str:
    """A trigram or a word as it stands in a full-text expression."""
    return '"' + gram.replace('"', '""') + '"'
