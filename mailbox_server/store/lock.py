"""The exclusive lock on the data folder: one process writes a store, ever."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final

from mailbox_server.model.errors import StoreLocked, StoreUnavailable

NAME: Final = "lock"


class FolderLock:
    """A held lock; the operating system lets go of it when the process ends."""

    def __init__(self, data: Path) -> None:
        """Take the lock, at once.  Raises StoreLocked, StoreUnavailable."""
        path = data / NAME
        try:
            self._descriptor = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise StoreUnavailable(f"cannot open {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._descriptor, 20).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            named = f" (process {holder})" if holder else ""
            raise StoreLocked(f"{data} is in use by another mailbox-server{named}") from error
        # Only a hint for people: on a full disk there may be no room for it.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Let go; silent the second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
