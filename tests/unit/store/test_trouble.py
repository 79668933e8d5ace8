"""Every database error is one kind of trouble, wrapped or not."""

import sqlite3

import pytest
import sqlalchemy as sa

from mailbox_server.store.dialect.trouble import Trouble, reason_of, trouble_of


def failure(code: int | None) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("injected")
    if code is not None:
        error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (sqlite3.SQLITE_FULL, Trouble.FULL),
        (sqlite3.SQLITE_IOERR, Trouble.DEVICE),
        (sqlite3.SQLITE_IOERR_READ, Trouble.DEVICE),
        (sqlite3.SQLITE_IOERR_WRITE, Trouble.DEVICE),
        (sqlite3.SQLITE_IOERR_FSYNC, Trouble.SYNC),
        (sqlite3.SQLITE_IOERR_DIR_FSYNC, Trouble.SYNC),
        (sqlite3.SQLITE_IOERR_NOMEM, Trouble.MEMORY),
        (sqlite3.SQLITE_NOMEM, Trouble.MEMORY),
        (sqlite3.SQLITE_INTERRUPT, Trouble.INTERRUPTED),
        (sqlite3.SQLITE_BUSY, Trouble.BUSY),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Trouble.BUSY),
        (sqlite3.SQLITE_LOCKED, Trouble.BUSY),
        (sqlite3.SQLITE_CORRUPT, Trouble.DAMAGED),
        (sqlite3.SQLITE_NOTADB, Trouble.DAMAGED),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, Trouble.OTHER),
        (None, Trouble.OTHER),
    ],
)
def test_a_code_is_its_trouble(code: int | None, trouble: Trouble) -> None:
    error = failure(code)
    assert trouble_of(error) is trouble
    assert trouble_of(sa.exc.DBAPIError("SELECT 1", {}, error)) is trouble


def test_what_is_not_the_databases_is_no_trouble_of_it() -> None:
    assert trouble_of(KeyError("x")) is None
    assert trouble_of(AssertionError()) is None
    assert trouble_of(MemoryError()) is Trouble.MEMORY
    assert trouble_of(sa.exc.InvalidRequestError("x")) is Trouble.OTHER


def test_the_reason_is_the_drivers_without_parameters() -> None:
    fault = RuntimeError("outer")
    assert reason_of(fault) == ""
    fault.__cause__ = sa.exc.DBAPIError("SELECT :x", {"x": "secret"}, failure(None))
    assert reason_of(fault) == "injected"
    fault.__cause__ = failure(None)
    assert reason_of(fault) == "injected"
    fault.__cause__ = KeyError("secret")
    assert reason_of(fault) == ""
