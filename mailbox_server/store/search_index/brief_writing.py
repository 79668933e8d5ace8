"""Adds short texts to a segment: known words to full text, sketches of the others to blocks."""

import sqlite3
import time
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.store.search_index.briefs import learned, learned_everywhere, words_of
from mailbox_server.store.search_index.layout import SLICES_MOST, drop_slices
from mailbox_server.store.search_index.needles import account_mark
from mailbox_server.store.search_index.sketches import (
    SketchBlock,
    SketchColumns,
    check,
    checksum,
    columns_of,
    hashes_of,
    merged,
    room,
    width,
)
from mailbox_server.store.search_index.vocabulary import EVERYWHERE, keep_words, known_words

MERGED: Final = 16
"""Full blocks that become one."""
_QUARTERS: Final[Mapping[str, tuple[int, int]]] = {"text": (24, 48), "head": (12, 24)}
"""Quarters of a bit for each trigram of a text of a kind, at least and at most: headers are
full of random letters."""
_PART_OF_BODY: Final = 25
_PART_OF_ALL: Final = 12
"""Between those the sketch of a body takes one in so many of its octets, and that of a header
one in so many of those of both: where the body is long, and takes less, more is left for it."""
_ID_OCTETS: Final = 4
_NEXT_NUMBER: Final = "SELECT coalesce(max(number), 0) + 1 FROM sketched"

_Key = tuple[int, AccountId, str, int]
"""Segment, account, kind, width."""
_Sketch = tuple[int, "array[int]"]


@dataclass(frozen=True, slots=True)
class Brief:
    """A short text of a message; body: how many characters that of the message has."""

    message: int
    account: AccountId
    text: str
    body: int


def put_briefs(
    connection: sqlite3.Connection, segment: int, kind: str, briefs: Sequence[Brief]
) -> None:
    """Add texts of a kind, by ascending messages; none is empty.  Raises sqlite3.Error."""
    words = [words_of(each.text) for each in briefs]
    known, everywhere = known_words(connection.execute, segment, kind), set[str]()
    if kind == "head":
        everywhere = known_words(connection.execute, segment, EVERYWHERE)
        if new := learned_everywhere(words, known | everywhere):
            keep_words(connection, segment, EVERYWHERE, new)
            everywhere |= set(new)
    words = [these - everywhere for these in words]
    if new := learned(words, known):
        keep_words(connection, segment, kind, new)
        known |= set(new)
    connection.executemany(
        f"INSERT INTO brief{kind}_{segment} (rowid, words) VALUES (?, ?)",
        (
            (each.message, " ".join([account_mark(each.account), *(these & known)]))
            for each, these in zip(briefs, words, strict=True)
        ),
    )
    sketches: defaultdict[tuple[AccountId, int], list[_Sketch]] = defaultdict(list)
    for each, these in zip(briefs, words, strict=True):
        found, trigrams = hashes_of(these - known)
        if found:
            bits = width(trigrams, *_QUARTERS[kind], _octets(kind, each))
            sketches[each.account, bits].append((each.message, columns_of(found, bits)))
        # Let go of the interpreter: the loop may be waiting for it.
        time.sleep(0)
    for (account, bits), added in sketches.items():
        _put_sketches(connection, (segment, account, kind, bits), added)


def _octets(kind: str, brief: Brief) -> int:
    if kind == "text":
        return brief.body // _PART_OF_BODY
    return (brief.body + len(brief.text)) // _PART_OF_ALL


def _put_sketches(connection: sqlite3.Connection, key: _Key, added: Sequence[_Sketch]) -> None:
    number, last = _last_block(connection, key)
    for message, columns in added:
        if not last.has_room(message):
            _put_block(connection, key, number, last.columns())
            _merge(connection, key)
            number, last = None, SketchBlock(key[-1])
        last.add(message, columns)
    _put_block(connection, key, number, last.columns())


def _last_block(connection: sqlite3.Connection, key: _Key) -> tuple[int | None, SketchBlock]:
    row = connection.execute(
        "SELECT number, texts FROM sketched WHERE segment = ? AND account = ? AND kind = ? "
        "AND width = ? ORDER BY number DESC LIMIT 1",
        key,
    ).fetchone()
    if row is None or row[1] >= room(key[-1]):
        return None, SketchBlock(key[-1])
    return row[0], SketchBlock(key[-1], _stored(connection, row[0]))


def _stored(connection: sqlite3.Connection, number: int) -> SketchColumns:
    first, messages, stored = connection.execute(
        "SELECT first, messages, checksum FROM sketched WHERE number = ?", (number,)
    ).fetchone()
    check(stored, (number, first), messages)
    at, slices = number * SLICES_MOST, []
    for place, bits, stored in connection.execute(
        "SELECT id, bits, checksum FROM sketch WHERE id BETWEEN ? AND ? ORDER BY id",
        (at, at + SLICES_MOST - 1),
    ):
        check(stored, (place,), bits)
        slices.append(bits)
    return SketchColumns(first, messages, slices)


def _put_block(
    connection: sqlite3.Connection, key: _Key, number: int | None, columns: SketchColumns
) -> None:
    texts = len(columns.messages) // _ID_OCTETS
    if number is not None:
        drop_slices(connection, number)
    else:
        (number,) = connection.execute(_NEXT_NUMBER).fetchone()
    first, messages = columns.first, columns.messages
    numbers = (number, key[1], key[2], key[0], key[3], texts, first, messages)
    connection.execute(
        "INSERT OR REPLACE INTO sketched VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*numbers, checksum((number, first), messages)),
    )
    connection.executemany(
        "INSERT INTO sketch VALUES (?, ?, ?)",
        (
            (place, bits, checksum((place,), bits))
            for place, bits in enumerate(columns.slices, number * SLICES_MOST)
        ),
    )


def _merge(connection: sqlite3.Connection, key: _Key) -> None:
    """Make one of full blocks when there are enough of them."""
    full = connection.execute(
        "SELECT number FROM sketched WHERE segment = ? AND account = ? AND kind = ? "
        "AND width = ? AND texts = ? ORDER BY number",
        (*key, room(key[-1])),
    ).fetchall()
    if len(full) < MERGED:
        return
    together = merged(key[-1], [_stored(connection, number) for (number,) in full])
    if together is not None:
        for (number,) in full:
            drop_slices(connection, number)
            connection.execute("DELETE FROM sketched WHERE number = ?", (number,))
        _put_block(connection, key, None, together)
