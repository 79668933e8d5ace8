"""Asks a derived file: of what is kept of it first, then on the connection of one reader thread.

Whatever fails here, the answer is that the file does not know.
"""

import sqlite3
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from mailbox_server.store.derived_file import connect_reader
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.derived_state import DerivedState

T = TypeVar("T")

_ENTRY_OCTETS: Final = 300
"""What it takes to keep anything."""
_PASSING_CACHE_KIB: Final = 256
"""Of who reads once."""
Rows = list[tuple[Any, ...]]


HASTY_OCTETS: Final = 512 * 1024
"""What is gone through at once, in the thread of who asks: two milliseconds at worst."""


class _Changed(Exception):
    """There was a commit between what is kept and what is read."""


class _NotAtOnce(Exception):
    """What is kept is not enough, or too much to be gone through at once."""


class Sight:
    """The file as one question sees it: all of it as one commit left it.

    Nothing is read, and no transaction begun, while what is kept is enough.
    """

    def __init__(
        self, connection: sqlite3.Connection, place: DerivedPlace, state: DerivedState, *, own: bool
    ) -> None:
        """own: nobody else has the state, so it is that of what is read."""
        self._connection = connection
        self._place = place
        self._state = state
        self._is_settled = own

    def kept(self, key: Hashable) -> Any:
        """What was kept by that key, which nobody changes; None where nothing is."""
        return self._state.get(key)

    def keep(self, key: Hashable, value: object, octets: int) -> None:
        """Keep a value, never None, made of what is kept or was read; it takes so much memory."""
        self._state.keep(key, value, _ENTRY_OCTETS + octets)

    @property
    def keeps_most(self) -> int:
        """How much memory what is kept may take, in octets."""
        return self._state.each_most - _ENTRY_OCTETS

    @property
    def is_crowded(self) -> bool:
        """Whether there was too little room for all that was to be kept since the last commit."""
        return self._state.is_crowded

    def goes_through(self, octets: int) -> None:
        """So much of what is kept is gone through next."""

    def later(self, name: Hashable, work: Callable[[], None]) -> None:
        """Have work done beside what goes on; it reads nothing of the file, but may keep.

        name: of works of one that wait, the first alone is done.  They may wait long, so they
        are to take what they need of what is kept then.  None is done where there was a commit
        before its turn came.
        """
        place, state = self._place, self._state
        if not state.is_newly_wanted(name):
            return

        def job() -> None:
            state.begins(name)
            if not place.is_current(state):
                return
            try:
                work()
            except sqlite3.Error as error:
                place.failed(state.path, error)

        place.beside(job)

    def later_reading(self, name: Hashable, work: "Callable[[Sight], None]") -> None:
        """The same of work that reads the file: it is given a sight of its own."""
        place = self._place

        def read() -> None:
            reader = DerivedReader(place, _PASSING_CACHE_KIB)
            try:
                reader.ask(work, None)
            finally:
                reader.close()

        self.later(name, read)

    def execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run a select.  Raises sqlite3.Error."""
        connection = self._connection
        if not connection.in_transaction:
            connection.execute("BEGIN")
        try:
            return connection.execute(statement, values)
        finally:
            # The snapshot is taken now: if nothing was committed up to here, it is of the state.
            # If something was, what was kept may name a table that is no more.
            self._settle()

    def _settle(self) -> None:
        if not self._is_settled:
            if not self._place.is_current(self._state):
                raise _Changed
            self._is_settled = True

    def rows(self, statement: str, values: Sequence[object] = ()) -> Rows:
        """All rows of a select.  Raises sqlite3.Error."""
        return self.execute(statement, values).fetchall()


class _HastySight(Sight):
    """What is kept, and no more."""

    def __init__(self, place: DerivedPlace, state: DerivedState) -> None:
        self._place = place
        self._state = state

    def goes_through(self, octets: int) -> None:
        if octets > HASTY_OCTETS:
            raise _NotAtOnce

    def execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        raise _NotAtOnce


class DerivedReader:
    """One reader, used by one thread at a time; it opens the file when asked."""

    def __init__(self, place: DerivedPlace, cache_kib: int) -> None:
        self._place = place
        self._cache_kib = cache_kib
        self._path: Path | None = None
        self._connection: sqlite3.Connection | None = None

    def ask(self, ask: Callable[[Sight], T], nothing: T) -> T:
        """What ask makes of the file; nothing where there is none, or it cannot be read."""
        path = self._place.path
        if path is not self._path:
            self.close()
        if path is None:
            return nothing
        try:
            if self._connection is None:
                self._connection, self._path = connect_reader(path, self._cache_kib), path
            state = self._place.state(path)
            if state is not None:
                try:
                    return self._asked(ask, state, own=False)
                except _Changed:
                    pass
            return self._asked(ask, DerivedState(path, 0), own=True)
        except sqlite3.Error as error:
            self.close()
            self._place.failed(path, error)
            return nothing

    def recall(self, ask: Callable[[Sight], T], nothing: T) -> T:
        """What ask makes of what is kept of the file; nothing where that does not do at once.

        Blocks on nothing; the only thing that any thread may call.
        """
        state = self._place.kept
        if state is None:
            return nothing
        try:
            return ask(_HastySight(self._place, state))
        except (_NotAtOnce, sqlite3.Error):
            return nothing

    def _asked(self, ask: Callable[[Sight], T], state: DerivedState, *, own: bool) -> T:
        connection = self._connection
        assert connection is not None
        try:
            return ask(Sight(connection, self._place, state, own=own))
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; it is opened again when asked."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._path = None
