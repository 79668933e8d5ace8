"""Asks a segment which short texts of an account may hold what is looked for."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.store.search_index.briefs import Parts
from mailbox_server.store.search_index.layout import SLICES_MOST
from mailbox_server.store.search_index.needles import quoted_mark
from mailbox_server.store.search_index.sketches import (
    SketchDamaged,
    check,
    columns_of,
    grams_of_part,
    hashes,
    holding,
    messages_of,
)
from mailbox_server.store.search_index.vocabulary import EVERYWHERE, words_holding

_WORDS_A_QUESTION: Final = 50
_FEW: Final = 50
"""Messages that are looked at sooner than more is asked about them."""


@dataclass(frozen=True, slots=True)
class Found:
    """Messages that hold the needle for sure, and those that may."""

    sure: set[int]
    maybe: set[int]


def briefs_with(
    connection: sqlite3.Connection, segment: int, kind: str, account: AccountId, parts: Parts
) -> Found:
    """The messages of whose texts of a kind all the parts may be.  Raises sqlite3.Error."""
    found: Found | None = None
    for part in parts.words:
        if kind == "head" and words_holding(connection, segment, EVERYWHERE, part):
            continue
        sure = _with_words(
            connection, segment, kind, account, words_holding(connection, segment, kind, part)
        )
        grams = grams_of_part(part)
        maybe = _with_sketch(connection, segment, kind, account, hashes(grams))
        if parts.is_needle:
            return Found(sure, maybe - sure)
        both = sure | maybe
        found = Found(set(), both if found is None else both & found.maybe)
        if len(found.maybe) <= _FEW:
            break
    return found or Found(set(), _all(connection, segment, kind, account))


def _all(connection: sqlite3.Connection, segment: int, kind: str, account: AccountId) -> set[int]:
    return set(_matches(connection, f"brief{kind}_{segment}", quoted_mark(account)))


def _with_words(
    connection: sqlite3.Connection, segment: int, kind: str, account: AccountId, words: list[str]
) -> set[int]:
    found: set[int] = set()
    for at in range(0, len(words), _WORDS_A_QUESTION):
        any_of = " OR ".join(f'"{word}"' for word in words[at : at + _WORDS_A_QUESTION])
        asked = f"{quoted_mark(account)} AND ({any_of})"
        found.update(_matches(connection, f"brief{kind}_{segment}", asked))
    return found


def _matches(connection: sqlite3.Connection, table: str, expression: str) -> Iterable[int]:
    rows = connection.execute(f"SELECT rowid FROM {table} WHERE {table} MATCH ?", (expression,))
    return (row[0] for row in rows)


def _with_sketch(
    connection: sqlite3.Connection,
    segment: int,
    kind: str,
    account: AccountId,
    wanted: set[int],
) -> set[int]:
    found: set[int] = set()
    columns: dict[int, Sequence[int]] = {}
    for number, bits, texts in connection.execute(
        "SELECT number, width, texts FROM sketched WHERE segment = ? AND account = ? AND kind = ?",
        (segment, account, kind),
    ).fetchall():
        if bits not in columns:
            columns[bits] = columns_of(wanted, bits)
        places = holding(bits, texts, columns[bits], partial(_slice, connection, number))
        if places:
            first, messages, stored = connection.execute(
                "SELECT first, messages, checksum FROM sketched WHERE number = ?", (number,)
            ).fetchone()
            check(stored, (number, first), messages)
            ids = messages_of(first, messages)
            if places[-1] >= len(ids):
                raise SketchDamaged("a block has not the messages of its bits")
            found.update(map(ids.__getitem__, places))
    return found


def _slice(connection: sqlite3.Connection, block: int, place: int) -> bytes:
    key = (block * SLICES_MOST + place,)
    row = connection.execute("SELECT bits, checksum FROM sketch WHERE id = ?", key).fetchone()
    if row is None:
        raise SketchDamaged("a block lacks a slice")
    bits: bytes = row[0]
    check(row[1], key, bits)
    return bits
