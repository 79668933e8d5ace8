"""Asks a segment which short texts of an account may hold what is looked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    columns_of,
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
_KEPT_MOST: Final = 1536 * 1024
"""Octets of an account's sketches that are read whole, and kept; of more, slices are read."""
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


def briefs_with(sight: Sight, segment: int, kind: str, account: AccountId, parts: Parts) -> Found:
    """The messages of whose texts of a kind all the parts may be.  Raises sqlite3.Error."""
    found: Found | None = None
    for part in parts.words:
        if kind == "head" and _words_holding(sight, segment, EVERYWHERE, part):
            continue
        words = _words_holding(sight, segment, kind, part)
        sure = _with_words(sight, segment, kind, account, words)
        maybe = _with_sketch(sight, segment, kind, account, hashes(grams_of_part(part)))
        if parts.is_needle:
            return Found(sure, maybe - sure)
        both = sure | maybe
        found = Found(set(), both if found is None else both & found.maybe)
        if len(found.maybe) <= _FEW:
            break
    return found or Found(set(), _matching(sight, segment, kind, quoted_mark(account)))


def _words_holding(sight: Sight, segment: int, kind: str, part: Part) -> list[str]:
    """Those that the segment knows of which the part may be."""
    key = "vocabulary", segment, kind
    lines: bytes | None = sight.kept(key)
    if lines is None:
        lines = known_lines(sight.execute, segment, kind)
        sight.keep(key, lines, len(lines))
    return holding(lines, part)


def _with_words(
    sight: Sight, segment: int, kind: str, account: AccountId, words: Sequence[str]
) -> set[int]:
    found: set[int] = set()
    for at in range(0, len(words), _WORDS_A_QUESTION):
        any_of = " OR ".join(map(quoted, words[at : at + _WORDS_A_QUESTION]))
        asked = f"{quoted_mark(account)} AND ({any_of})"
        found |= _matching(sight, segment, kind, asked)
    return found


def _matching(sight: Sight, segment: int, kind: str, expression: str) -> set[int]:
    found = full_text.matches(sight, f"brief{kind}_{segment}", expression)
    return {row[0] for rows in found for row in rows}


def _with_sketch(
    sight: Sight, segment: int, kind: str, account: AccountId, wanted: set[int]
) -> set[int]:
    found: set[int] = set()
    columns: dict[int, Sequence[int]] = {}
    for block in _blocks(sight, segment, kind, account):
        if block.bits not in columns:
            columns[block.bits] = columns_of(wanted, block.bits)
        found.update(_messages(sight, block, columns[block.bits]))
    return found


def _messages(sight: Sight, block: _Block, columns: Sequence[int]) -> Iterable[int]:
    if block.whole is None:
        slice_of = partial(_slice, sight, block.number)
        places = places_with(block.bits, block.texts, columns, slice_of)
    else:
        places = places_in(octets_of(block.texts), columns, block.whole)
    if not places:
        return ()
    ids = messages_of(block.first, block.messages)
    if places[-1] >= len(ids):
        raise SketchDamaged("a block has not the messages of its bits")
    return map(ids.__getitem__, places)


def _blocks(sight: Sight, segment: int, kind: str, account: AccountId) -> Sequence[_Block]:
    key = "sketched", segment, kind, account
    blocks: Sequence[_Block] | None = sight.kept(key)
    if blocks is None:
        rows = sight.rows(
            "SELECT number, width, texts, first, messages, checksum FROM sketched "
            "WHERE segment = ? AND account = ? AND kind = ?",
            (segment, account, kind),
        )
        is_small = sum(row[1] * octets_of(row[2]) for row in rows) <= _KEPT_MOST
        blocks = [_block(sight, row, is_whole=is_small) for row in rows]
        sight.keep(key, blocks, sum(each.octets for each in blocks))
    return blocks


def _block(sight: Sight, row: tuple[int, int, int, int, bytes, int], *, is_whole: bool) -> _Block:
    number, bits, texts, first, messages, stored = row
    check(stored, (number, first), messages)
    whole = _whole(sight, number) if is_whole else None
    if whole is not None and len(whole) != bits * octets_of(texts):
        raise SketchDamaged("a block has not the bits of its messages")
    return _Block(number, bits, texts, first, messages, whole)


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
