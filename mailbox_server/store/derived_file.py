"""Files beside the database that hold what is derived from it: how they are named and opened.

`search-3.db` and its like are made anew under the next number, since the old file may still
be open.  Nothing in them waits for the disk but folding the log: what a crash takes away is
only made again.  One connection writes, and it alone makes checkpoints, as in
store.dialect.sqlite.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailbox_server.store.derived_place import DerivedPlace

_SIDES: Final = ("", "-wal", "-shm")
_LOG_OCTETS: Final = 16 * 1024 * 1024
_WRITER_CACHE_KIB: Final = 2 * 1024
_BUSY_SECONDS: Final = 2.0
_STATEMENTS: Final = 64
PAGE_OCTETS: Final = 4096


class NotOurs(Exception):
    """The file is of another program, of another version, or made for something else."""


@dataclass(frozen=True, slots=True)
class DerivedFile:
    """One kind of such a file.

    name: what its names begin with.  application, version: what stands in it, so that a file
    of anything else is not taken for one.
    """

    name: str
    application: int
    version: int

    def newest(self, data: Path) -> Path | None:
        """The file that lies in a data folder, of the highest number; None where none does."""
        numbers = [number for path, number in self._all(data) if path.suffix == ".db"]
        return self._path(data, max(numbers)) if numbers else None

    def oldest(self, data: Path) -> Path | None:
        """The same of the lowest number."""
        numbers = [number for path, number in self._all(data) if path.suffix == ".db"]
        return self._path(data, min(numbers)) if numbers else None

    def next_name(self, data: Path) -> Path:
        """A name that no such file has, nor what is left beside one."""
        return self._path(data, max((number for _, number in self._all(data)), default=0) + 1)

    def remove(self, data: Path, keep: Path | None = None) -> None:
        """Remove all of them with what lies beside them, but for one.  Raises OSError."""
        for path, number in self._all(data):
            if keep is None or self._path(data, number).name != keep.name:
                path.unlink(missing_ok=True)

    def connect_writer(
        self, path: Path, make: Callable[[sqlite3.Connection], None]
    ) -> sqlite3.Connection:
        """Open the writing connection; make is called in the transaction that begins a new file.

        Raises sqlite3.Error, NotOurs, OSError.
        """
        # Only who runs the server may read it, whatever the mask is.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = _connect(path, "rw")
        try:
            marks = (_pragma(connection, "application_id"), _pragma(connection, "user_version"))
            if marks == (0, 0) and not _pragma(connection, "page_count"):
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN")
                connection.execute(f"PRAGMA application_id = {self.application}")
                connection.execute(f"PRAGMA user_version = {self.version}")
                make(connection)
                connection.execute("COMMIT")
            elif marks != (self.application, self.version):
                raise NotOurs("another program's file, or one of another version")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_OCTETS}")
            connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        except BaseException:  # whatever it is, the file must be free
            connection.close()
            raise
        return connection

    def _all(self, data: Path) -> list[tuple[Path, int]]:
        """The files in a data folder, and what lies beside them, with their numbers."""
        sides = "|".join(map(re.escape, _SIDES))
        pattern = re.compile(rf"{re.escape(self.name)}-(\d{{1,9}})\.db(?:{sides})")
        found = ((path, pattern.fullmatch(path.name)) for path in list(data.iterdir()))
        return [(path, int(match[1])) for path, match in found if match is not None]

    def _path(self, data: Path, number: int) -> Path:
        return data / f"{self.name}-{number}.db"


def connect_reader(path: Path, cache_kib: int) -> sqlite3.Connection:
    """Open a connection that cannot write, and makes no checkpoint when it goes last.

    Raises sqlite3.Error.
    """
    connection = _connect(path, "ro")
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    return connection


class DerivedFileWriter:
    """The one writer of such a file, on one thread.  Raises sqlite3.Error.

    place: where its readers find it.  folds_from: so many pages of log are folded in.
    """

    def __init__(
        self, place: DerivedPlace, path: Path, connection: sqlite3.Connection, folds_from: int
    ) -> None:
        self.path = path
        self._place = place
        self._connection = connection
        self._folds_from = folds_from

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def interrupt(self) -> None:
        """End what runs; from any thread."""
        self._connection.interrupt()

    def probes(self, most: int) -> list[tuple[int, int, int]]:
        """(message, received, size) of some messages, the newest among them."""
        rows = self._connection.execute(
            "SELECT message, received, size FROM probe ORDER BY message DESC LIMIT ?", (most,)
        )
        return rows.fetchall()

    def fold(self) -> None:
        """Fold the log in where it has grown; waits for the disk, and for no reader."""
        if self.log_octets() >= self._folds_from * PAGE_OCTETS:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def log_octets(self) -> int:
        """How much the log takes."""
        log = Path(f"{self.path}-wal")
        return log.stat().st_size if log.exists() else 0

    def rest(self) -> None:
        """Give memory back that only writing takes."""
        self._connection.execute("PRAGMA shrink_memory")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, undone where it fails."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._place.changing(self.path):
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def octets_of(path: Path) -> int:
    """How much the file and its log take."""
    return sum(side.stat().st_size for side in (path, Path(f"{path}-wal")) if side.exists())


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
