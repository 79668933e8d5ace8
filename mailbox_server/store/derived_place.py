"""Which derived file is in use just now; the one thing that its writer and readers share."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from mailbox_server.store.dialect.trouble import Trouble, trouble_of


class DerivedPlace:
    """Where the file lies; any thread may call.

    path: None while there is none to be asked.  is_damaged: the file that lies there must not
    be used again.  on_trouble: called in whatever thread met damage.  upto: the message id up
    to which the file has all, as its writer said last.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self.is_damaged = False
        self.upto = 0
        self.on_trouble: Callable[[sqlite3.Error], None] | None = None

    def failed(self, path: Path, error: sqlite3.Error) -> None:
        """Asking the file at path failed."""
        if trouble_of(error) in (Trouble.BUSY, Trouble.MEMORY, Trouble.INTERRUPTED):
            return
        if self.path == path:
            self.path, self.is_damaged = None, True
            if self.on_trouble is not None:
                self.on_trouble(error)
