"""One reading connection: runs work on a snapshot of the database."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.store.dialect import sqlite
from mailbox_server.store.dialect.trouble import trouble_of
from mailbox_server.store.ports import ReadTx
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.transactions import SqlTx

T = TypeVar("T")


class Snapshot:
    """A connection that cannot write, used by one thread at a time."""

    def __init__(
        self,
        connection: sqlite.SqliteConnection,
        bind: Callable[[SqlTx], Repositories],
        now: Callable[[], int],
    ) -> None:
        self._driver = connection
        self._connection = sqlite.engine_over(connection).connect()
        self._control: sqlite3.Cursor = connection.control()
        connection.guarded = True
        self._tx = SqlTx(self._connection)
        self._repositories: ReadTx = bind(self._tx)
        self._now = now

    def run(self, work: Callable[[ReadTx], T]) -> T:
        """Run work.  Raises StoreUnavailable; what work raises passes."""
        self._tx.start(self._now())
        try:
            self._control.execute(sqlite.BEGIN_READING)
            return work(self._repositories)
        except Exception as error:  # only to tell the database's errors from the work's
            trouble = trouble_of(error)
            if trouble is None:
                raise
            raise StoreUnavailable(trouble.value) from error
        finally:
            if self._driver.in_transaction:
                self._control.execute("ROLLBACK")

    def free_octets(self) -> int:
        """Room inside the database file."""
        return sqlite.free_octets(self._driver)

    def interrupt(self) -> None:
        """End the statement that runs; from any thread."""
        self._driver.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._control.close()
        self._connection.close()
        self._driver.close()
