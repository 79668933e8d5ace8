"""Bring texts and queries into the form in which search compares them.

NFKC, case folded, runs of white space as one space (store.md §7).  Work is linear, also for
the combining marks in a row that take the standard library quadratic time.
"""

import unicodedata
from dataclasses import dataclass
from itertools import chain

TEXT_CHARACTERS = 1024 * 1024
"""Of text that grows beyond this the rest is cut."""

_NORMALIZED_AT_ONCE = 250
_PARTED_WITHIN = 100
_SHORT_CHARACTERS = 100
_NO_LINE_ENDS = "\t\x1f\u1680\0"
"""White space, and NUL, that str.splitlines leaves and NFKC makes no plain space of."""
_JOINING = frozenset(
    map(
        chr,
        chain(
            (0x9BE, 0x9D7, 0xB3E, 0xB56, 0xB57, 0xBBE, 0xBD7, 0xCC2, 0xCD5, 0xCD6, 0xD3E, 0xD57),
            (0xDCF, 0xDDF, 0x102E, *range(0x1161, 0x1176), *range(0x11A8, 0x11C3), 0x1B35),
            (0x11127, 0x1133E, 0x11357, 0x114B0, 0x114BA, 0x114BD, 0x115AF, 0x11930),
        ),
    )
)
"""Characters, besides combining ones, that compose with what stands before them."""


def normalize(text: str) -> str:
    """Text as search compares it: NFKC, case folded, runs of white space as one space.

    Texts and queries both go through this.  One space is left at an end where there was
    white space.  Holds no NUL.  Of text that grows beyond TEXT_CHARACTERS the rest is cut.
    """
    return normalize_most(text)[0]


def normalize_most(text: str) -> tuple[str, bool]:
    """The same, and whether any of it may have been cut."""
    folded, spaced, is_cut = _folded_and_spaced(text)
    if not spaced:
        return " " if folded else "", is_cut
    before = " " if folded[0].isspace() or folded[0] == "\0" else ""
    after = " " if folded[-1].isspace() or folded[-1] == "\0" else ""
    return before + spaced + after if before or after else spaced, is_cut


def normalize_stripped(text: str) -> str:
    """The same without space at the ends."""
    return _folded_and_spaced(text)[1]


def parting(text: str, most: int) -> int:
    """Where to part a longer text: at most, or before, where nothing composes across it.

    If there is no such place near, as among combining marks, then at most all the same.
    """
    for at in range(most, most - _PARTED_WITHIN, -1):
        if _stands_alone(text[at]):
            return at
    return most


def _stands_alone(character: str) -> bool:
    """Whether a character composes with nothing that stands before it."""
    if character < "\u0300":
        return True
    first = unicodedata.normalize("NFKD", character)[0]
    return not unicodedata.combining(first) and first not in _JOINING


def _folded_and_spaced(text: str) -> tuple[str, str, bool]:
    """The text folded, where space at its ends is to be seen; single spaced without it;
    whether any of it may have been cut.
    """
    if text.isascii():
        return text, _single_spaced(text.lower()), False
    spaced = _western(text)
    if spaced is not None:
        return text, spaced, False
    folded, is_cut = _folded(text)
    return folded, _single_spaced(folded), is_cut


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


def _folded(text: str) -> tuple[str, bool]:
    composed, is_cut = _compose(text)
    folded, is_cut_again = _compose(composed.casefold())
    return folded.lower() if folded.isascii() else folded, is_cut or is_cut_again


def _compose(text: str) -> tuple[str, bool]:
    """NFKC, in pieces: marks in a row take the standard library quadratic time.

    And whether it grew beyond TEXT_CHARACTERS, where it ends.
    """
    if len(text) <= _NORMALIZED_AT_ONCE:
        return unicodedata.normalize("NFKC", text), False
    pieces: list[str] = []
    start = grown = 0
    while start < len(text) and grown <= TEXT_CHARACTERS:
        piece = text[start : start + _NORMALIZED_AT_ONCE + 1]
        if len(piece) > _NORMALIZED_AT_ONCE:
            piece = piece[: parting(piece, _NORMALIZED_AT_ONCE)]
        pieces.append(unicodedata.normalize("NFKC", piece))
        grown += len(pieces[-1])
        start += len(piece)
    return "".join(pieces), grown > TEXT_CHARACTERS


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
            letters = _folded(octet.decode(charset))[0].encode(charset)
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
