"""Asks a segment which short texts of an account may hold what is looked for."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.store.derived_reading import Sight
from mailbox_server.store.search_index import full_text
from mailbox_server.store.search_index.briefs import Part, Parts, holding
from mailbox_server.store.search_index.layout import SLICES_MOST
from mailbox_server.store.search_index.needles import quoted, quoted_mark
from mailbox_server.store.search_index.sketches import (
    SketchDamaged,
    check,
    grams_of_part,
    hashes,
    messages_of,
    octets_of,
    places_in,
    places_with,
)
from mailbox_server.store.search_index.vocabulary import EVERYWHERE, known_lines

_WORDS_A_QUESTION: Final = 50
_FEW: Final = 50
"""Messages that are looked at sooner than more is asked about them."""
_WHOLE_MOST: Final = 1536 * 1024
"""Octets of an account's sketches in a segment that are read whole; of more, slices are."""
_QUESTIONS: Final = 2
"""With which question to an account's sketches they are: who asks once shall not wait for all."""
_BLOCK_OCTETS: Final = 400
"""Of memory, that a block takes beside what it holds."""


@dataclass(frozen=True, slots=True)
class Found:
    """Messages that hold the needle for sure, and those that may."""

    sure: set[int]
    maybe: set[int]


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of sketches; first, messages: as they are stored.  whole: all slices together,
    where they were read."""

    number: int
    bits: int
    texts: int
    first: int
    messages: bytes
    whole: bytes | None

    @property
    def octets(self) -> int:
        """How much memory it takes."""
        return _BLOCK_OCTETS + len(self.messages) + len(self.whole or b"")


class Briefs:
    """The short texts of an account in which all the parts may be; of one question."""

    def __init__(self, sight: Sight, account: AccountId, parts: Parts) -> None:
        self._sight = sight
        self._account = account
        self._parts = parts
        self._hashes: dict[Part, set[int]] = {}
        self._blocks: dict[tuple[int, str], Sequence[_Block]] = {}

    def found(self, segment: int, kind: str) -> Found:
        """The messages of whose texts of a kind it may be so.  Raises sqlite3.Error."""
        found: Found | None = None
        for part in self._parts.words:
            if kind == "head" and self._words_holding(segment, EVERYWHERE, part):
                continue
            words = self._words_holding(segment, kind, part)
            sure = self._with_words(segment, kind, words)
            maybe = self._with_sketch(segment, kind, part)
            if self._parts.is_needle:
                return Found(sure, maybe - sure)
            both = sure | maybe
            found = Found(set(), both if found is None else both & found.maybe)
            if len(found.maybe) <= _FEW:
                break
        return found or Found(set(), self._matching(segment, kind, quoted_mark(self._account)))

    def _words_holding(self, segment: int, kind: str, part: Part) -> list[str]:
        """Those that the segment knows of which the part may be."""
        key = "vocabulary", segment, kind
        lines: bytes | None = self._sight.kept(key)
        if lines is None:
            lines = known_lines(self._sight.execute, segment, kind)
            self._sight.keep(key, lines, len(lines))
        return holding(lines, part) if lines else []

    def _with_words(self, segment: int, kind: str, words: Sequence[str]) -> set[int]:
        found: set[int] = set()
        for at in range(0, len(words), _WORDS_A_QUESTION):
            any_of = " OR ".join(map(quoted, words[at : at + _WORDS_A_QUESTION]))
            found |= self._matching(segment, kind, f"{quoted_mark(self._account)} AND ({any_of})")
        return found

    def _matching(self, segment: int, kind: str, expression: str) -> set[int]:
        found = full_text.matches(self._sight, f"brief{kind}_{segment}", expression)
        return {row[0] for rows in found for row in rows}

    def _with_sketch(self, segment: int, kind: str, part: Part) -> set[int]:
        blocks = self._blocks.get((segment, kind))
        if blocks is None:
            blocks = _blocks(self._sight, segment, kind, self._account)
            self._blocks[segment, kind] = blocks
        wanted = self._hashes.get(part)
        if wanted is None:
            wanted = self._hashes[part] = hashes(grams_of_part(part))
        found: set[int] = set()
        for block in blocks:
            found.update(_messages(self._sight, block, wanted))
        return found


def _messages(sight: Sight, block: _Block, wanted: Set[int]) -> Iterable[int]:
    if block.whole is None:
        slice_of = partial(_slice, sight, block.number)
        places = places_with(block.bits, block.texts, wanted, slice_of)
    else:
        places = places_in(block.bits, block.texts, wanted, block.whole)
    if not places:
        return ()
    ids = messages_of(block.first, block.messages)
    if places[-1] >= len(ids):
        raise SketchDamaged("a block has not the messages of its bits")
    return map(ids.__getitem__, places)


class _Sketches:
    """The blocks of an account's short texts of a kind, and how often they were asked for."""

    def __init__(self, blocks: Sequence[_Block]) -> None:
        self.blocks = blocks
        self.questions = 0
        self._bits = sum(each.bits * octets_of(each.texts) for each in blocks)
        self._are_whole = all(each.whole is not None for each in blocks)

    @property
    def octets(self) -> int:
        """How much memory they take."""
        return sum(each.octets for each in self.blocks)

    @property
    def are_to_be_whole(self) -> bool:
        """Whether all slices are to be read now."""
        return self.questions >= _QUESTIONS and self._bits <= _WHOLE_MOST and not self._are_whole


def _blocks(sight: Sight, segment: int, kind: str, account: AccountId) -> Sequence[_Block]:
    key = "sketched", segment, kind, account
    kept: _Sketches | None = sight.kept(key)
    sketches = kept or _Sketches(_stored(sight, segment, kind, account))
    sketches.questions += 1
    if sketches.are_to_be_whole:
        sketches = _Sketches([_made_whole(sight, each) for each in sketches.blocks])
    if sketches is not kept:
        sight.keep(key, sketches, sketches.octets)
    return sketches.blocks


def _stored(sight: Sight, segment: int, kind: str, account: AccountId) -> list[_Block]:
    rows = sight.rows(
        "SELECT number, width, texts, first, messages, checksum FROM sketched "
        "WHERE segment = ? AND account = ? AND kind = ?",
        (segment, account, kind),
    )
    for number, _, _, first, messages, stored in rows:
        check(stored, (number, first), messages)
    return [
        _Block(number, bits, texts, first, messages, None)
        for number, bits, texts, first, messages, _ in rows
    ]


def _made_whole(sight: Sight, block: _Block) -> _Block:
    whole = _whole(sight, block.number)
    if len(whole) != block.bits * octets_of(block.texts):
        raise SketchDamaged("a block has not the bits of its messages")
    return replace(block, whole=whole)


def _whole(sight: Sight, block: int) -> bytes:
    first = block * SLICES_MOST
    slices: list[bytes] = []
    for _, bits, stored in sight.execute(
        "SELECT id, bits, checksum FROM sketch WHERE id BETWEEN ? AND ? ORDER BY id",
        (first, first + SLICES_MOST - 1),
    ):
        check(stored, (first + len(slices),), bits)
        slices.append(bits)
    return b"".join(slices)


def _slice(sight: Sight, block: int, place: int) -> bytes:
    key = (block * SLICES_MOST + place,)
    row = sight.execute("SELECT bits, checksum FROM sketch WHERE id = ?", key).fetchone()
    if row is None:
        raise SketchDamaged("a block lacks a slice")
    bits: bytes = row[0]
    check(row[1], key, bits)
    return bits
