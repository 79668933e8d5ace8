"""Bits for the trigrams of words: a text may hold what all the bits of are set for it.

A block holds the sketches of many texts of an account, all of the same width, as columns:
those of one bit stand together, so that a needle is looked for in as many columns as it has
trigrams, whatever the texts hold.

    messages   four octets each, what their ids are above that of the first
    slices     of the bits, about a page each: of each column as many octets as the messages
               need, the first message the lowest bit

Ids and each slice have a CRC-32 beside them: bits that were lost would hide a text.

Blocks grow to BLOCK_OCTETS; several of them are then merged into one, in which a column
lies together.

What is not of ASCII has bits for one and two characters as well, as needles are of CJK.

Headers are full of random letters: signatures.  Trigrams with a vowel and a consonant, of
which words are made, and of digits have three each and all others one, so that random ones
take little and are seldom taken for a word.
"""

import sqlite3
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import product
from string import ascii_lowercase, digits
from typing import Final, NamedTuple

from zlib_ng.zlib_ng import crc32

from mailbox_server.store.search_index.briefs import Part
from mailbox_server.store.search_index.needles import GRAM

BLOCK_OCTETS: Final = 32 * 1024
MESSAGES_MOST: Final = 2048
"""Of a block; of wide sketches as many as BLOCK_OCTETS holds."""
SLICE_OCTETS: Final = 4_000
WIDTHS: Final = tuple(each << power for power in range(5, 18) for each in (2, 3))
"""Of sketches, in bits."""
_HASH_BITS: Final = 32
_GRAMS_AT_ONCE: Final = 4 * 1024
_NEEDLE_MOST: Final = 64
_FEW_MARKS: Final = 50
"""So many bits are taken one by one: each takes a step over all of them."""
_ALONE: Final = "\n"
_APART_MOST: Final = 1 << 32
_ALL_BITS: Final = (1 << 32) - 1
_MORE: Final = (0x9E3779B1, 0x85EBCA77)
"""Odd numbers, with each of which another bit follows from the first."""
_VOWELS: Final = frozenset("aeiouy")
_OF_WORDS: Final = frozenset(
    gram
    for letters in (ascii_lowercase, digits)
    for gram in map("".join, product(letters, repeat=GRAM))
    if gram.isdigit() or not (_VOWELS.isdisjoint(gram) or _VOWELS.issuperset(gram))
)


class SketchDamaged(sqlite3.DatabaseError):
    """What is stored of a block does not fit together."""


def checksum(key: Sequence[int], octets: bytes) -> int:
    """What is stored with octets of a block, to know them for what was written.

    key: numbers of a fixed count that say where they stand.
    """
    return crc32(octets, crc32(array("q", key).tobytes()))


def check(stored: int, key: Sequence[int], octets: bytes) -> None:
    """Raises SketchDamaged where octets are not what was written."""
    if checksum(key, octets) != stored:
        raise SketchDamaged("a block is not what was written")


class SketchColumns(NamedTuple):
    """A block as it is stored: the first id, all ids above that, and the slices of its bits."""

    first: int
    messages: bytes
    slices: list[bytes]


def gram_sets(words: Iterable[str]) -> Iterator[set[str]]:
    """What has bits: that of a part of a word is among that of the word.  In sets that take
    little memory; what is in one may be in another."""
    grams: set[str] = set()
    for word in words:
        if len(word) < GRAM:
            grams.add(_alone(word))
        for at in range(0, len(word), _GRAMS_AT_ONCE):
            grams |= _grams(word[at : at + _GRAMS_AT_ONCE + GRAM - 1])
            if len(grams) >= _GRAMS_AT_ONCE:
                yield grams
                grams = set()
    yield grams


def grams_of_part(part: Part) -> set[str]:
    """Those that any word has that the part may be of."""
    text = part.text[:_NEEDLE_MOST]
    grams = _grams(text)
    if part.begins and part.ends and len(text) < GRAM:
        grams.add(_alone(text))
    return grams


def _grams(part: str) -> set[str]:
    grams = {part[at : at + GRAM] for at in range(len(part) - GRAM + 1)}
    if not part.isascii():
        pairs = (part[at : at + 2] for at in range(len(part) - 1))
        grams.update(pair for pair in pairs if not pair.isascii())
        grams.update(each for each in part if not each.isascii())
    return grams


def _alone(word: str) -> str:
    """Of a word that has no trigram: one that no word holds."""
    return word.ljust(GRAM, _ALONE)


def hashes_of(words: Iterable[str]) -> tuple[set[int], int]:
    """The hashes of the words, and how many trigrams they have."""
    found: set[int] = set()
    trigrams = 0
    for grams in gram_sets(words):
        trigrams += len(_hashes(gram for gram in grams if len(gram) == GRAM) - found)
        found |= hashes(grams)
    return found, trigrams


def hashes(grams: Set[str]) -> set[int]:
    """Numbers of 32 bits, of each of which a column of any sketch follows."""
    found = _hashes(grams)
    often = _hashes(grams & _OF_WORDS | {gram for gram in grams if gram[-1] == _ALONE})
    return found | {first * each & _ALL_BITS for each in _MORE for first in often}


def _hashes(grams: Iterable[str]) -> set[int]:
    return set(map(crc32, map(str.encode, grams)))


def columns_of(hashes: Set[int], bits: int) -> "array[int]":
    """The columns of a sketch of so many bits that are set for these, some of them perhaps
    twice."""
    return array("I", (each * bits >> _HASH_BITS for each in hashes))


def width(trigrams: int, least: int, most: int, octets: int) -> int:
    """Bits of a sketch of so many trigrams that shall take so many octets: one of WIDTHS.

    least, most: quarters of a bit for each trigram, whatever the octets.
    """
    wanted = max(trigrams * least // 4, min(octets * 8, trigrams * most // 4))
    return WIDTHS[max(0, bisect_right(WIDTHS, wanted) - 1)]


def room(bits: int) -> int:
    """Messages in a full block of sketches of so many bits; a multiple of eight."""
    return max(8, min(MESSAGES_MOST, BLOCK_OCTETS * 8 // bits // 8 * 8))


class SketchBlock:
    """A block that grows.  Raises SketchDamaged where what is stored is none."""

    def __init__(self, bits: int, stored: SketchColumns | None = None) -> None:
        self._bits = bits
        self._octets = room(bits) // 8
        self._columns = bytearray(bits * self._octets)
        self._messages: list[int] = []
        if stored is not None:
            self._messages = messages_of(stored.first, stored.messages)
            octets, source = octets_of(len(self._messages)), b"".join(stored.slices)
            if octets * bits != len(source) or octets > self._octets:
                raise SketchDamaged("a block has not the bits of its messages")
            _spread(self._columns, self._octets, source, octets)

    @property
    def is_full(self) -> bool:
        """Whether it has as many messages as it may."""
        return len(self._messages) == self._octets * 8

    def has_room(self, message: int) -> bool:
        """Whether the message can be added."""
        if self.is_full:
            return False
        return not self._messages or 0 <= message - self._messages[0] < _APART_MOST

    def add(self, message: int, columns: Iterable[int]) -> None:
        """Add the sketch of a message's text, by its columns_of; there must be room."""
        place, bit = divmod(len(self._messages), 8)
        mark, octets, bits = 1 << bit, self._octets, self._columns
        for column in columns:
            bits[column * octets + place] |= mark
        self._messages.append(message)

    def columns(self) -> SketchColumns:
        """What is to be stored of a block that is not empty."""
        octets = octets_of(len(self._messages))
        bits = bytearray(self._bits * octets)
        _spread(bits, octets, self._columns, self._octets)
        return _stored(self._messages, bits, octets)


def merged(bits: int, blocks: Sequence[SketchColumns]) -> SketchColumns | None:
    """One block of several full ones; None where their ids are too far apart.

    Raises SketchDamaged.
    """
    messages = [id_ for each in blocks for id_ in messages_of(each.first, each.messages)]
    if messages[-1] - messages[0] >= _APART_MOST:
        return None
    octets = room(bits) // 8
    step = octets * len(blocks)
    whole = bytearray(bits * step)
    for number, each in enumerate(blocks):
        source = b"".join(each.slices)
        if len(source) != octets * bits:
            raise SketchDamaged("a full block has not all bits")
        _spread(whole, step, source, octets, number * octets)
    return _stored(messages, whole, step)


def places_with(
    bits: int, texts: int, hashes: Iterable[int], slice_of: Callable[[int], bytes]
) -> list[int]:
    """Places in a block of so many texts that may hold what has these hashes, one at least.

    bits: of a sketch.  slice_of: a slice by its place.  Raises SketchDamaged.
    """
    octets, left = octets_of(texts), -1
    a_slice = _columns_a_slice(octets)
    slices: dict[int, bytes] = {}
    for each in hashes:
        place, at = divmod(each * bits >> _HASH_BITS, a_slice)
        if place not in slices:
            slices[place] = slice_of(place)
            if len(slices[place]) != octets * min(a_slice, bits - place * a_slice):
                raise SketchDamaged("a block has not the bits of its messages")
        found = slices[place][at * octets : (at + 1) * octets]
        left &= int.from_bytes(found, "little")
        if not left:
            return []
    return _places(left)


def places_in(bits: int, texts: int, hashes: Iterable[int], whole: bytes) -> list[int]:
    """The same of a whole block, all slices together."""
    octets, left = octets_of(texts), -1
    for each in hashes:
        at = (each * bits >> _HASH_BITS) * octets
        left &= int.from_bytes(whole[at : at + octets], "little")
        if not left:
            return []
    return _places(left)


def _places(marks: int) -> list[int]:
    """Of the bits that are set."""
    if marks.bit_count() > _FEW_MARKS:
        digits = f"{marks:b}"[::-1]
        return [place for place, digit in enumerate(digits) if digit == "1"]
    found: list[int] = []
    while marks:
        lowest = marks & -marks
        found.append(lowest.bit_length() - 1)
        marks ^= lowest
    return found


def messages_of(first: int, messages: bytes) -> list[int]:
    """The ids of a block's messages, in their places.  Raises SketchDamaged."""
    apart = array("I")
    try:
        apart.frombytes(messages)
    except ValueError as error:
        raise SketchDamaged("a block holds part of a number") from error
    return [first + each for each in apart]


def _spread(
    into: bytearray, step: int, source: bytes | bytearray, source_step: int, after: int = 0
) -> None:
    """Copy the columns of a source, as much of each as fits, to where those of another are.

    after: octets of a column that are left as they are.
    """
    # Octet by octet of all columns at once: an object for each column takes many times the bits.
    for at in range(min(step - after, source_step)):
        into[after + at :: step] = source[at::source_step]


def _stored(messages: Sequence[int], bits: bytearray, octets: int) -> SketchColumns:
    apart = array("I", (message - messages[0] for message in messages))
    step = octets * _columns_a_slice(octets)
    slices = [bytes(bits[at : at + step]) for at in range(0, len(bits), step)]
    return SketchColumns(messages[0], apart.tobytes(), slices)


def octets_of(messages: int) -> int:
    """Of a column."""
    return -(-messages // 8)


def _columns_a_slice(octets: int) -> int:
    return max(1, SLICE_OCTETS // octets)
