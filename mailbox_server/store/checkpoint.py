"""When the writer folds the write-ahead log into the database.

A checkpoint costs two syncs and blocks the writer, so it waits until the writer is idle
and the log worth it, or until the log has reached its bound.  SQLite does not tell how
long the log is without making a checkpoint: the length is estimated from the rows changed,
by a ratio that each checkpoint corrects.  Rows of large contents are far above any ratio:
for them, the file itself must not grow past the bound.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

from mailbox_server.model.ports import Events
from mailbox_server.store.dialect import sqlite
from mailbox_server.store.dialect.trouble import Trouble, trouble_of
from mailbox_server.store.disk import DiskReserve

_FIRST_GUESS: Final = 1.5
"""Frames a changed row, before the first checkpoint says better."""


class WriteAheadLog:
    """The log of the writer's connection; all times between two transactions."""

    def __init__(
        self,
        database: Path,
        connection: sqlite3.Connection,
        control: sqlite3.Cursor,
        bound: int,
        reserve: DiskReserve,
        events: Events,
    ) -> None:
        """bound: octets."""
        self._file = f"{database}-wal"
        self._connection = connection
        self._control = control
        self._reserve = reserve
        page: int = control.execute("PRAGMA page_size").fetchone()[0]
        self._bound = max(bound // page, 16)
        self._bound_octets = self._bound * page
        self._events = events
        self._ratio = _FIRST_GUESS
        self._gives_back = False
        self._tried = connection.total_changes
        self._kept_back = 0
        self._worth_from = self._bound // 4
        self._full_from = self._bound
        self._longest = self._bound_octets
        self._hurries = False
        self._changes = connection.total_changes

    @property
    def frames(self) -> int:
        """About how many frames wait in the log."""
        rows = self._connection.total_changes - self._changes
        return self._kept_back + int(rows * self._ratio)

    @property
    def is_worth_folding(self) -> bool:
        """Whether an idle writer should make a checkpoint.

        On a full disk always: it gives room back to the file system.
        """
        if self._hurries:
            return True
        if self._reserve.is_open:
            return self._gives_back or self._connection.total_changes != self._tried
        return self.frames >= self._worth_from

    @property
    def is_full(self) -> bool:
        """Whether the checkpoint must come before more writes."""
        return self.frames >= self._full_from or self._octets() > self._longest

    def hurry(self) -> None:
        """Make a checkpoint as soon as the writer is idle: later there may be no room for it.

        Any thread may call; the writer looks after its next write (Writer.hurry).
        """
        self._hurries = True

    def _octets(self) -> int:
        try:
            return os.stat(self._file).st_size
        except OSError:  # missing yet; or the disk is ill, of which the next write will tell
            return 0

    def fold(self) -> None:
        """Make a checkpoint; database errors leave, and the log keeps all that counts.

        A disk too full for it gives up the reserve; while that is given up, the database
        shrinks a step at each call.
        """
        self._tried = self._connection.total_changes
        self._gives_back = self._hurries = False
        if self._reserve.is_open:
            self._gives_back = sqlite.give_back(self._control, self._bound // 8)
        rows = self._connection.total_changes - self._changes
        before = self._kept_back
        # Should it fail, it is not worth trying after every commit.
        self._worth_from = self._full_from = self.frames + self._bound // 4
        self._longest = self._octets() + self._bound_octets // 4
        try:
            frames, done = sqlite.checkpoint(self._control)
        except sqlite3.OperationalError as error:
            if trouble_of(error) is not Trouble.FULL or not self._reserve.open():
                raise
            frames, done = sqlite.checkpoint(self._control)
        self._changes = self._connection.total_changes
        self._kept_back = 0 if done == frames else frames
        # What a reader holds back now is not worth asking for after every commit.
        self._worth_from = self._kept_back + self._bound // 4
        self._full_from = self._worth_from if self._kept_back else self._bound
        if not self._kept_back:
            # The next write begins at the front of the file, which stays as long as it is.
            self._longest = max(self._octets(), self._bound_octets)
        if rows > 100 and frames > before:
            self._ratio = min(max((frames - before) / rows, 0.1), 256.0)
        if self._kept_back > 4 * self._bound:
            self._events.warning("store.log.long", frames=frames, folded=done)
