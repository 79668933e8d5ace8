"""Bring texts and queries into the form in which search compares them.

NFKC, case folded, runs of white space as one space (store.md §7).  Work is linear, also for
the combining marks in a row that take the standard library quadratic time.
"""

import unicodedata
from dataclasses import dataclass

TEXT_CHARACTERS = 1024 * 1024
"""Of text that grows beyond this the rest is cut."""

_NORMALIZED_AT_ONCE = 250
_SHORT_CHARACTERS = 100
_NO_LINE_ENDS = "\t\x1f\u1680\0"
"""White space, and NUL, that str.splitlines leaves and NFKC makes no plain space of."""


def normalize(text: str) -> str:
    """Text as search compares it: NFKC, case folded, runs of white space as one space.

    Texts and queries both go through this.  A query keeps one space at an end where it had
    white space.  Holds no NUL.  Of text that grows beyond TEXT_CHARACTERS the rest is cut.
    """
    folded, spaced = _folded_and_spaced(text)
    if not spaced:
        return " " if folded else ""
    before = " " if folded[0].isspace() or folded[0] == "\0" else ""
    after = " " if folded[-1].isspace() or folded[-1] == "\0" else ""
    return before + spaced + after if before or after else spaced


def normalize_stripped(text: str) -> str:
    """The same without space at the ends."""
    return _folded_and_spaced(text)[1]


def _folded_and_spaced(text: str) -> tuple[str, str]:
    """The text folded, where space at its ends is to be seen, and single spaced without it."""
    if text.isascii():
        return text, _single_spaced(text.lower())
    spaced = _western(text)
    if spaced is not None:
        return text, spaced
    folded = _folded(text)
    return folded, _single_spaced(folded)


def _single_spaced(text: str) -> str:
    """Folded text with runs of space and NUL as one space, and none at its ends."""
    if len(text) <= _SHORT_CHARACTERS:
        return " ".join(text.replace("\0", " ").split())
    # Taking a long text apart into words costs several times as much; most runs are short.
    text = " ".join(text.splitlines())
    for space in _NO_LINE_ENDS:
        if space in text:
            text = text.replace(space, " ")
    for _ in range(3):
        if "  " not in text:
            return text.strip(" ")
        text = text.replace("  ", " ")
    return " ".join(text.split())


def _folded(text: str) -> str:
    folded = _compose(_compose(text).casefold())
    return folded.lower() if folded.isascii() else folded


def _compose(text: str) -> str:
    """NFKC, in pieces: marks in a row take the standard library quadratic time."""
    if len(text) <= _NORMALIZED_AT_ONCE:
        return unicodedata.normalize("NFKC", text)
    pieces: list[str] = []
    start = grown = 0
    while start < len(text) and grown <= TEXT_CHARACTERS:
        end = start + _NORMALIZED_AT_ONCE
        # Cut before a character that nothing composes with, if one is near.
        for near in range(end, min(end + 100, len(text))):
            if text[near] < "\u0300":
                end = near
                break
        pieces.append(unicodedata.normalize("NFKC", text[start:end]))
        grown += len(pieces[-1])
        start = end
    return "".join(pieces)


@dataclass(frozen=True, slots=True)
class _Folding:
    """Folding of a charset of single octets, of which no characters compose.

    folded: octet by octet; white space is a space, NUL stands where nothing else can.
    longer: octets that fold to several.
    """

    charset: str
    folded: bytes
    longer: tuple[tuple[bytes, bytes], ...]


def _folding(charset: str) -> _Folding:
    folded = bytearray()
    longer: list[tuple[bytes, bytes]] = []
    for octet in [bytes((number,)) for number in range(256)]:
        try:
            letters = _folded(octet.decode(charset)).encode(charset)
        except UnicodeError:
            letters = b""
        if letters.decode(charset).isspace():
            letters = b" "
        folded += letters if len(letters) == 1 else b"\0"
        if len(letters) > 1:
            longer.append((octet, letters))
    return _Folding(charset, bytes(folded), tuple(longer))


_FOLDINGS = (_folding("latin-1"), _folding("cp1252"))


def _western(text: str) -> str | None:
    """What `_single_spaced` makes of `_folded`, for texts in Western languages.

    It takes a quarter of the time.  None for other texts, and where a character folds to
    one that its charset lacks.
    """
    if len(text) > TEXT_CHARACTERS // 4:
        return None
    for folding in _FOLDINGS:
        try:
            octets = text.encode(folding.charset)
        except UnicodeEncodeError:
            continue
        for octet, letters in folding.longer:
            octets = octets.replace(octet, letters)
        octets = b" ".join(octets.splitlines()).translate(folding.folded)
        if b"\0" in octets:
            return None
        for _ in range(3):
            if b"  " not in octets:
                return octets.decode(folding.charset).strip(" ")
            octets = octets.replace(b"  ", b" ")
        return " ".join(octets.decode(folding.charset).split())
    return None
