"""What kind of trouble a database error means."""

import enum
import sqlite3
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

_FSYNC_CODES: Final = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})
_IOERR_NOMEM: Final = sqlite3.SQLITE_IOERR_NOMEM


class Trouble(enum.Enum):
    """How the store must take a database error."""

    SYNC = "the disk did not confirm a write"
    DEVICE = "reading or writing the disk failed"
    FULL = "the disk is full"
    BUSY = "another program holds the database"
    MEMORY = "no memory"
    INTERRUPTED = "interrupted"
    DAMAGED = "the database is damaged"
    OTHER = "the database refused a statement"


_BY_PRIMARY_CODE: Final[Mapping[int, Trouble]] = {
    sqlite3.SQLITE_IOERR: Trouble.DEVICE,
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_NOMEM: Trouble.MEMORY,
    sqlite3.SQLITE_INTERRUPT: Trouble.INTERRUPTED,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
}


def reason_of(fault: BaseException) -> str:
    """What the driver said, one line without parameters, of a fault that a database error caused;
    "" for others.
    """
    cause = fault.__cause__
    if isinstance(cause, sa.exc.DBAPIError) and cause.orig is not None:
        cause = cause.orig
    return next(iter(str(cause).splitlines()), "") if isinstance(cause, sqlite3.Error) else ""


def trouble_of(error: BaseException) -> Trouble | None:
    """The kind of trouble, or None where the error is not the database's."""
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, MemoryError):
        return Trouble.MEMORY
    if isinstance(error, sqlite3.Error):
        code: int | None = getattr(error, "sqlite_errorcode", None)
        if code is None:
            return Trouble.OTHER
        if code in _FSYNC_CODES:
            return Trouble.SYNC
        if code == _IOERR_NOMEM:
            return Trouble.MEMORY
        return _BY_PRIMARY_CODE.get(code & 0xFF, Trouble.OTHER)
    if isinstance(error, sa.exc.SQLAlchemyError):
        return Trouble.OTHER
    return None
