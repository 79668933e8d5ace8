"""Which derived file is in use just now; the one thing that its writer and readers share."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mailbox_server.store.derived_state import DerivedState
from mailbox_server.store.dialect.trouble import Trouble, trouble_of

_A_CONNECTION: Final = 3
"""Descriptors that one needs: of the file, its log, and the memory that is shared."""


class DerivedPlace:
    """Where the file lies; any thread may call.

    is_damaged: the file that lies there must not be used again.  on_trouble: called in
    whatever thread met damage.  beside: runs a job in a thread where nobody waits for it, at
    once where there is none.  upto: the message id up to which the file has all, as its
    writer said last.
    """

    def __init__(self, kept_octets: int) -> None:
        """kept_octets: what readers keep of the file together, at most."""
        self._kept_octets = kept_octets
        self._path: Path | None = None
        self._state: DerivedState | None = None
        self.is_damaged = False
        self.upto = 0
        self.beside: Callable[[Callable[[], None]], None] = _at_once
        self.on_trouble: Callable[[sqlite3.Error], None] | None = None

    @property
    def path(self) -> Path | None:
        """None while there is none to be asked."""
        return self._path

    @path.setter
    def path(self, path: Path | None) -> None:
        self._state = None if path is None else self._state_of(path)
        self._path = path

    @property
    def kept(self) -> DerivedState | None:
        """What is kept of the file as it stands now; None while it is being changed, and while
        there is none."""
        return self._state

    def state(self, path: Path) -> DerivedState | None:
        """The same of the file at path; None when it is no more in use."""
        state = self._state
        return state if state is not None and state.path is path else None

    def is_current(self, state: DerivedState) -> bool:
        """Whether nothing was committed since the state was given."""
        return self._state is state

    @contextmanager
    def changing(self, path: Path) -> Iterator[None]:
        """The file at path is changed meanwhile: the commit lies inside."""
        if self._path == path:
            self._state = None
        try:
            yield
        finally:
            if self._path == path:
                self._state = self._state_of(path)

    def failed(self, path: Path, error: sqlite3.Error) -> None:
        """Asking the file at path failed."""
        if trouble_of(error) in (Trouble.BUSY, Trouble.MEMORY, Trouble.INTERRUPTED):
            return
        if _is_for_lack_of_descriptors(error):
            return
        if self._path == path:
            self.path, self.is_damaged = None, True
            if self.on_trouble is not None:
                self.on_trouble(error)

    def _state_of(self, path: Path) -> DerivedState:
        return DerivedState(path, self._kept_octets)


def _is_for_lack_of_descriptors(error: sqlite3.Error) -> bool:
    """Whether the file could not be opened because the process may open no more: SQLite says
    the same of a file that is gone."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF != sqlite3.SQLITE_CANTOPEN:
        return False
    opened: list[int] = []
    try:
        for _ in range(_A_CONNECTION):
            opened.append(os.open(os.sep, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as refused:
        return refused.errno in (errno.EMFILE, errno.ENFILE)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return False


def _at_once(job: Callable[[], None]) -> None:
    job()
