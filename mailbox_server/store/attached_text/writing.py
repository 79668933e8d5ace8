"""Writes the file of attached texts, on one thread.

Each call is one transaction.  sqlite3.Error passes, and leaves the file as it was before.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from mailbox_server.mime.documents.outcomes import Outcome
from mailbox_server.model.ids import AccountId
from mailbox_server.store.attached_text import layout
from mailbox_server.store.derived_file import DerivedFileWriter, NotOurs
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.search_index.needles import marked

_LOG_PAGES: Final = 1_000
"""From so many on the log is folded in."""
_PROBES_KEPT: Final = 32


@dataclass(frozen=True, slots=True)
class Document:
    """What was read of a content: texts, one a line, and the outcome of each document."""

    outcomes: tuple[Outcome, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A message that holds documents; received and size are for the probe."""

    message: int
    account: AccountId
    content: int
    received: int
    size: int


class AttachedTextWriter(DerivedFileWriter):
    """The file's one writer.  Raises sqlite3.Error, NotOurs, OSError."""

    def __init__(self, place: DerivedPlace, path: Path, kinds: str) -> None:
        connection = layout.FILE.connect_writer(path, partial(layout.make, kinds=kinds))
        super().__init__(place, path, connection, _LOG_PAGES)
        if connection.execute("SELECT kinds FROM state").fetchone() != (kinds,):
            self.close()
            raise NotOurs("made for other kinds of documents")

    def upto(self) -> int:
        """The message id up to which all was looked at."""
        number: int = self._connection.execute("SELECT upto FROM state").fetchone()[0]
        return number

    def has_read(self, content: int) -> bool:
        """Whether the content was read, with whatever outcome."""
        row = self._connection.execute("SELECT 1 FROM document WHERE content = ?", (content,))
        return row.fetchone() is not None

    def add(self, holder: Holder, document: Document | None) -> None:
        """Add a message; document is None where its content was read before."""
        run = self._connection.execute
        with self._writing():
            if document is not None:
                run(
                    "INSERT INTO document VALUES (?, ?, ?)",
                    (holder.content, _told(document.outcomes), document.text),
                )
            text = self._text(holder.content)
            run(
                "INSERT INTO holder VALUES (?, ?, ?)",
                (holder.message, holder.account, holder.content),
            )
            if text:
                self._connection.executemany(
                    "INSERT INTO trigram (rowid, words) VALUES (?, ?)",
                    _pieces(holder.message, holder.account, text),
                )
            probe = (holder.message, holder.received, holder.size)
            run("INSERT OR REPLACE INTO probe VALUES (?, ?, ?)", probe)
            run("UPDATE state SET upto = ?", (holder.message,))

    def come_to(self, upto: int, probe: tuple[int, int, int] | None) -> None:
        """All up to that message id was looked at; probe is of a message among them."""
        run = self._connection.execute
        with self._writing():
            run("UPDATE state SET upto = ?", (upto,))
            if probe is not None:
                run("INSERT OR REPLACE INTO probe VALUES (?, ?, ?)", probe)
                run(
                    "DELETE FROM probe WHERE message NOT IN "
                    "(SELECT message FROM probe ORDER BY message DESC LIMIT ?)",
                    (_PROBES_KEPT,),
                )

    def holders(self, after: int, most: int) -> list[int]:
        """The next message ids after one."""
        rows = self._connection.execute(
            "SELECT message FROM holder WHERE message > ? ORDER BY message LIMIT ?", (after, most)
        )
        return [row[0] for row in rows]

    def forget(self, messages: Sequence[int]) -> None:
        """Delete what is held of messages that are gone."""
        run = self._connection.execute
        with self._writing():
            for message in messages:
                account, content = run(
                    "SELECT account, content FROM holder WHERE message = ?", (message,)
                ).fetchone()
                if text := self._text(content):
                    # A table without contents takes out what it is told that it holds.
                    self._connection.executemany(
                        "INSERT INTO trigram (trigram, rowid, words) VALUES ('delete', ?, ?)",
                        _pieces(message, account, text),
                    )
                run("DELETE FROM holder WHERE message = ?", (message,))
                run(
                    "DELETE FROM document WHERE content = ? AND NOT EXISTS "
                    "(SELECT 1 FROM holder WHERE content = ?)",
                    (content, content),
                )

    def clean(self) -> None:
        """Have nothing left of what was deleted, and give its room back."""
        with self._writing():
            self._connection.execute("INSERT INTO trigram (trigram) VALUES ('optimize')")
        self._connection.executescript("PRAGMA incremental_vacuum")

    def outcomes(self) -> Mapping[Outcome, int]:
        """How many documents had which outcome."""
        counts: Counter[Outcome] = Counter()
        for outcomes, contents in self._connection.execute(
            "SELECT outcomes, count(*) FROM document GROUP BY outcomes"
        ):
            for name in filter(None, outcomes.split(",")):
                counts[Outcome(name)] += contents
        return counts

    def piece(self, at: int) -> tuple[int, AccountId, str] | None:
        """The first (message, account, text) with some text from a message id on."""
        row = self._connection.execute(
            "SELECT holder.message, holder.account, document.text FROM holder "
            "JOIN document ON document.content = holder.content "
            "WHERE holder.message >= ? AND document.text <> '' ORDER BY holder.message LIMIT 1",
            (at,),
        ).fetchone()
        return None if row is None else (row[0], AccountId(row[1]), row[2])

    # ------------------------------------------------------------ inside

    def _text(self, content: int) -> str:
        row = self._connection.execute("SELECT text FROM document WHERE content = ?", (content,))
        text: str = row.fetchone()[0]
        return text


def _pieces(message: int, account: int, text: str) -> Iterator[tuple[int, str]]:
    """What goes into the full-text table, and must be told again when it goes."""
    return ((message, piece) for piece in marked(AccountId(account), text, is_more=False))


def _told(outcomes: Sequence[Outcome]) -> str:
    return ",".join(each.value for each in outcomes)
