"""Looks into attached texts for who searches; on the connection of one reader thread.

Whatever fails here, there are no attached texts then, for searches with an index and without.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from mailbox_server.model.ids import AccountId
from mailbox_server.model.uid_set import runs
from mailbox_server.store.attached_text import layout
from mailbox_server.store.derived_file import connect_reader
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.search_index.needles import AllOf, question

T = TypeVar("T")

_RUNS_MOST: Final = 200
"""Of more runs of ids all between the first and the last are gone through instead."""

_HOLDERS: Final = "SELECT message FROM holder WHERE message BETWEEN ? AND ?"
_TEXT: Final = (
    "SELECT document.text FROM holder JOIN document ON document.content = holder.content "
    "WHERE holder.message = ?"
)
_MATCHES: Final = "SELECT rowid FROM trigram WHERE trigram MATCH ?"
_BEGINNING: Final = "SELECT doc FROM trigram_terms WHERE term >= ? AND term < ?"


class AttachedTextReader:
    """One reader, used by one thread at a time; it opens the file when asked."""

    def __init__(self, place: DerivedPlace) -> None:
        self._place = place
        self._path: Path | None = None
        self._connection: sqlite3.Connection | None = None

    @property
    def is_there(self) -> bool:
        """Whether there are attached texts to look into."""
        return self._place.path is not None

    def holding(self, messages: Sequence[int], needle: str) -> frozenset[int]:
        """Those of the messages whose attached texts hold the normalized needle."""
        return self._ask(
            lambda connection: _holding(connection, sorted(set(messages)), needle), frozenset()
        )

    def text(self, message: int) -> str:
        """The attached text of a message; "" where there is none."""

        def ask(connection: sqlite3.Connection) -> str:
            row = connection.execute(_TEXT, (message,)).fetchone()
            return "" if row is None else str(row[0])

        return self._ask(ask, "")

    def maybe(self, account: AccountId, needles: tuple[str, ...]) -> frozenset[int]:
        """Messages whose attached texts may hold all of the normalized needles.

        All that do are among them, where search_index.needles.question has an answer.
        """
        asked = question(account, needles)
        if asked is None:
            return frozenset()
        values: tuple[str, ...]
        if isinstance(asked, AllOf):
            statement, values = _MATCHES, (asked.expression,)
        else:
            statement, values = _BEGINNING, (asked.first, asked.beyond)
        return self._ask(
            lambda connection: frozenset(row[0] for row in connection.execute(statement, values)),
            frozenset(),
        )

    def close(self) -> None:
        """Close the file; it is opened again when asked."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._path = None

    def _ask(self, ask: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        path = self._place.path
        if path != self._path:
            self.close()
        if path is None:
            return nothing
        try:
            if self._connection is None:
                self._connection, self._path = connect_reader(path, layout.READER_CACHE_KIB), path
            return ask(self._connection)
        except sqlite3.Error as error:
            self.close()
            self._place.failed(path, error)
            return nothing


def _holding(
    connection: sqlite3.Connection, messages: Sequence[int], needle: str
) -> frozenset[int]:
    wanted = frozenset(messages)
    asked = runs(messages)
    if len(asked) > _RUNS_MOST:
        asked = [(messages[0], messages[-1])]
    holders = [
        message
        for run in asked
        for (message,) in connection.execute(_HOLDERS, run)
        if message in wanted
    ]
    texts = (connection.execute(_TEXT, (message,)).fetchone() for message in holders)
    return frozenset(
        message for message, row in zip(holders, texts, strict=True) if row and needle in row[0]
    )
