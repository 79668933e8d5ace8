"""The data folder can be used, and is its owner's alone: checked before a store is opened."""

import os
import pwd
import stat
from pathlib import Path
from typing import Final

from mailbox_server.app.configuration import unusable
from mailbox_server.app.settings import Settings
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ports import Events
from mailbox_server.store.lock import NAME as LOCK_FILE
from mailbox_server.store.migration import DATABASE

SECRET_FILE: Final = "secret"

_OTHERS: Final = 0o077
_FILES: Final = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", SECRET_FILE, LOCK_FILE)


def check_data(settings: Settings, source: str) -> None:
    """Raise SettingsMalformed where the data folder can be none."""
    data = Path(settings.server.data)
    if not data.is_absolute() or "\0" in settings.server.data:
        raise unusable(source, "server.data", str(data), "an absolute path")
    try:
        standing = data
        while not standing.exists() and standing != standing.parent:
            standing = standing.parent
        is_folder = standing.is_dir()
    except OSError as error:
        raise unusable(
            source, "server.data", str(data), f"a folder we may use ({error.strerror})"
        ) from error
    if not is_folder:
        raise unusable(source, "server.data", str(data), f"a folder, but {standing} is a file")


def secure(data: Path, events: Events) -> None:
    """Take the rights of others away from a data folder that is there, and say so.

    Raises StoreUnavailable where it belongs to another user: files that we made there
    would shut its owner out.
    """
    try:
        descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # the store makes it, with the right mode
    except OSError as error:
        raise StoreUnavailable(f"{data} cannot be used: {error.strerror}") from error
    try:
        owner = os.fstat(descriptor).st_uid
        if owner != os.geteuid():
            raise StoreUnavailable(f"{data} belongs to {_name(owner)}; run this as that user")
        _take_away(descriptor, data, events)
        for name in _FILES:
            try:
                opened = os.open(
                    name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor
                )
            except FileNotFoundError:
                continue
            try:
                _take_away(opened, data / name, events)
            finally:
                os.close(opened)
    except OSError as error:
        raise StoreUnavailable(f"{data} cannot be secured: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _take_away(descriptor: int, path: Path, events: Events) -> None:
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & _OTHERS:
        os.fchmod(descriptor, mode & ~_OTHERS)
        events.warning("data.rights_taken_away", path=str(path), had=f"{mode:04o}")


def _name(user: int) -> str:
    try:
        return f"user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"user {user}"
