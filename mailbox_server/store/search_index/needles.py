"""What to ask the index for a needle: trigrams that must all be there, or a range of them.

Texts are indexed by each run of three characters.  A needle of three or more is where all
its own trigrams are; of one or two, where any trigram begins with it.  Texts end with
PADDING, so that one begins at each of their characters.

Three characters of Unicode's private use stand before each text: one trigram that names
the account, so that other people's messages are never gone through, and marks for texts
that hold more than is indexed.  A text that holds such characters by itself is looked at
in vain, no more.
"""

from collections.abc import Iterator
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
_WORD_MOST: Final = 100
_BEYOND_ALL: Final = GRAM * "\U0010ffff"
"""Behind the beginning of a trigram: no trigram that begins so comes after it."""
_NO_CHARACTERS: Final = str.maketrans("\ufffe\uffff", "\ufffd\ufffd")
"""What SQLite makes of them where it takes texts apart."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """A full-text expression."""

    expression: str


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
    return _quoted(account_mark(account))


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
    ASCII, which are everywhere.  Texts with MARK_MORE are answered by AllOf only.
    """
    try:
        "".join(needles).encode("utf-8")
    except UnicodeEncodeError:
        return None
    grams = [gram for needle in needles for gram in _grams(needle)]
    if grams:
        mark, wanted = quoted_mark(account), " AND ".join(map(_quoted, grams))
        return AllOf(f"{mark} AND (({wanted}) OR {_quoted(MARK_MORE)})")
    longest = max(needles, key=len, default="")
    if not longest or longest.isascii():
        return None
    longest = longest.translate(_NO_CHARACTERS)
    return Between(longest, longest + _BEYOND_ALL)


def word(account: AccountId, needle: str) -> AllOf | None:
    """What to ask of words for texts that hold the normalized needle, for sure, as a beginning.

    None where a needle begins no word: words are runs of ASCII letters and digits, and of all
    that is not ASCII.  Nor does one with private characters: these may be a mark.
    """
    if not 0 < len(needle) <= _WORD_MOST or not all(map(_is_of_words, needle)):
        return None
    return AllOf(f"{quoted_mark(account)} AND {_quoted(needle)} *")


def _is_of_words(character: str) -> bool:
    if character.isascii():
        return character.isalnum()
    return not _PRIVATE <= ord(character) <= _PRIVATE_LAST


def more(account: AccountId) -> AllOf:
    """What to ask for texts of the account that may hold what is not indexed."""
    return AllOf(f"{quoted_mark(account)} AND {_quoted(MARK_MORE)}")


def _grams(needle: str) -> list[str]:
    """Trigrams of the needle, each once; of a long one some, from all over it."""
    last = len(needle) - GRAM
    step = max(1, last // _GRAMS_MOST)
    places = [*range(0, last, step), last] if last >= 0 else []
    return list(dict.fromkeys(needle[at : at + GRAM] for at in places))


def _quoted(gram: str) -> str:
    return '"' + gram.replace('"', '""') + '"'
