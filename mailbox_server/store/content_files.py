"""The files of contents too large for rows, beside the database.

    contents/incoming/NAME   being received; swept at start
    contents/XX/NAME         whole and synced, NAME begins with XX; a row names it, or will

NAME is random and used once, never derived from the octets: a collector that removes a
file and a receiver of the same octets can then not meet.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mailbox_server.model.errors import StoreUnavailable, SyncFailed
from mailbox_server.model.ports import Entropy

_NAME_OCTETS: Final = 16


class ContentFiles:
    """The folder of content files.  Everything here blocks on the disk."""

    def __init__(self, data: Path, entropy: Entropy) -> None:
        self._root = data / "contents"
        self._incoming = self._root / "incoming"
        self._entropy = entropy

    def prepare(self) -> None:
        """Make the folders and drop what an earlier process was receiving.

        Raises StoreUnavailable where a symbolic link stands in their place.
        """
        for directory in (self._root, self._incoming):
            if directory.is_symlink():
                raise StoreUnavailable(f"{directory} is a symbolic link")
            directory.mkdir(mode=0o700, exist_ok=True)
        for left in self._incoming.iterdir():
            left.unlink()
        _sync_directory(self._root)

    def new_name(self) -> str:
        """A name never used before."""
        return self._entropy.octets(_NAME_OCTETS).hex()

    def create_incoming(self, name: str) -> int:
        """Open a new file to receive into; returns its descriptor."""
        return os.open(
            self._incoming / name,
            os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW,
            0o600,
        )

    def incoming_path(self, name: str) -> Path:
        """Where a file lies while it is received."""
        return self._incoming / name

    def path(self, name: str) -> Path:
        """Where a whole file lies."""
        return self._root / name[:2] / name

    def settle(self, name: str, descriptor: int) -> None:
        """Sync a received file and move it to its place, synced as well.

        Raises SyncFailed, OSError.
        """
        _sync(descriptor)
        place = self.path(name)
        if not place.parent.exists():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            _sync_directory(self._root)
        os.rename(self._incoming / name, place)
        _sync_directory(place.parent)

    def remove(self, name: str) -> None:
        """Remove a whole file; silent when it is gone."""
        self.path(name).unlink(missing_ok=True)

    def forget(self, name: str) -> None:
        """Remove what was received under that name, whole or not."""
        self.incoming_path(name).unlink(missing_ok=True)
        self.remove(name)

    def settled(self) -> Iterator[tuple[str, float]]:
        """Each whole file: its name and when it was last written, seconds since 1970."""
        for directory in sorted(self._root.iterdir()):
            if len(directory.name) != 2 or not directory.is_dir():
                continue
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        yield entry.name, entry.stat(follow_symlinks=False).st_mtime

    def size(self, name: str) -> int | None:
        """Octets of a whole file; None where it is not there."""
        try:
            return self.path(name).lstat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: str, start: int, length: int) -> bytes:
        """Octets of a whole file.  Raises FileNotFoundError, OSError."""
        return read_file(self.path(name), start, length)


def read_file(path: Path, start: int, length: int) -> bytes:
    """Octets [start, start + length) of a file, shorter at its end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        pieces = []
        while length > 0:
            piece = os.pread(descriptor, length, start)
            if not piece:
                break
            pieces.append(piece)
            start += len(piece)
            length -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        # The kernel has dropped the pages: syncing again would succeed and lie.
        raise SyncFailed("a content file was not confirmed by the disk") from error
