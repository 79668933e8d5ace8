"""Asks a full-text table which rows hold what."""

from collections.abc import Iterator
from typing import Final

from mailbox_server.store.derived_reading import Rows, Sight
from mailbox_server.store.search_index.needles import AllOf

_ROWS: Final = 10_000


def matches(sight: Sight, table: str, expression: str) -> Iterator[Rows]:
    """The rows of which an expression is true: the number of each.  Raises sqlite3.Error."""
    cursor = sight.execute(f"SELECT rowid FROM {table} WHERE {table} MATCH ?", (expression,))
    while rows := cursor.fetchmany(_ROWS):
        yield rows


def all_of(sight: Sight, table: str, asked: AllOf) -> Iterator[Rows]:
    """The rows that hold all trigrams, and perhaps a few more.  Raises sqlite3.Error."""
    for expression, most in asked.shorter:
        rows = _some(sight, table, expression, most + 1)
        if len(rows) <= most:
            yield rows
            return
    yield from matches(sight, table, asked.own)


def _some(sight: Sight, table: str, expression: str, most: int) -> Rows:
    cursor = sight.execute(f"SELECT rowid FROM {table} WHERE {table} MATCH ?", (expression,))
    rows = cursor.fetchmany(most)
    # What is not fetched must not be gone on with.
    cursor.close()
    return rows
