"""The transaction that the repositories work in.

A SqlTx belongs to one database connection and lives as long as it; the door starts it anew
for every read and every member of a write group.  Repositories are bound to it once, so
they keep nothing between two calls.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from mailbox_server.model.errors import AccountMissing
from mailbox_server.model.ids import AccountId, ContentId, ModSeq
from mailbox_server.store.dialect.sqlite import LAST_NUMBER

_ACCOUNT = sa.table("account", sa.column("id"), sa.column("key"), sa.column("modseq"))
_NEXT_MODSEQ = (
    sa.update(_ACCOUNT)
    .where(_ACCOUNT.c.id == sa.bindparam("account"), _ACCOUNT.c.key.is_not(None))
    .values(modseq=_ACCOUNT.c.modseq + sa.literal_column("1"))
    .returning(_ACCOUNT.c.modseq)
)


class SqlTx:
    """One running transaction.

    connection: for SQLAlchemy Core statements; its transaction is begun and ended by the
        door, never by a repository.
    database: its dialect's name.
    scratch: a cursor for statements whose rows are all taken at once.
    now: seconds since 1970 UTC when this transaction began; the same in all of it.
    owners: rises with each change of a domain, an account or an alias, rolled back or not.
    bounced: rises likewise with each address that mail of an account came back from.
    kept: the contents that this write gave a row, with their sizes in octets; unheld: those
        of them that no message holds yet (store.contents).
    """

    __slots__ = (
        "_after",
        "_at_end",
        "_drawn",
        "_frees",
        "_next_modseq",
        "_open_cursor",
        "_positional",
        "_touched",
        "bounced",
        "connection",
        "database",
        "kept",
        "now",
        "owners",
        "scratch",
        "unheld",
    )

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        driver = connection.connection.driver_connection
        assert driver is not None
        self._open_cursor: Callable[[], DBAPICursor] = driver.cursor
        self.database = connection.dialect.name
        self.scratch = driver.cursor()
        # Every write runs it: the driver's price, not Core's.
        compiled = _NEXT_MODSEQ.compile(dialect=connection.dialect)
        self._next_modseq = str(compiled)
        self._positional = compiled.positional
        self.now = 0
        self._touched: dict[AccountId, ModSeq] = {}
        self._after: list[Callable[[], None]] = []
        self._at_end: list[Callable[[], None]] = []
        self._drawn: dict[str, int] = {}
        self.owners = 0
        self.bounced = 0
        self._frees = False
        self.kept: dict[ContentId, int] = {}
        self.unheld: set[ContentId] = set()

    def start(self, now: int) -> None:
        """Forget the work before; what it gathered was collected or rolled back."""
        self.now = now
        self._touched = {}
        self._after = []
        self._at_end = []
        self._frees = False
        self.kept = {}
        self.unheld = set()

    def finish(self) -> None:
        """The work is done: do what it left for its end, still inside its transaction."""
        for action in self._at_end:
            action()

    def at_end(self, action: Callable[[], None]) -> None:
        """Call action in the same transaction once the work has returned."""
        self._at_end.append(action)

    def draw(self, table: str) -> int:
        """The number of a row to be inserted into a numbered table.

        Rows that refer to each other need not be inserted one by one to learn their
        numbers.  All inserts into that table must draw: the writer is the only one to
        number rows, so the last number is asked for once.  What was drawn by a write that
        is rolled back is not drawn again.
        """
        last = self._drawn.get(table)
        if last is None:
            last = self.last_number(table)
        self._drawn[table] = last + 1
        return last + 1

    def last_number(self, table: str) -> int:
        """The highest number that a row of a numbered table ever had; 0 where none had one."""
        self.scratch.execute(LAST_NUMBER, (table,))
        found = self.scratch.fetchall()
        last: int = found[0][0] if found else 0
        return last

    def cursor(self) -> DBAPICursor:
        """A new cursor of the same connection, for reads of many rows; close it."""
        return self._open_cursor()

    def rows(
        self, statement: sa.Executable, parameters: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """All rows of a select as plain tuples: a Core statement at the cursor's price.

        Result types are not applied; every column type here is plain anyway.
        """
        cursor = self.connection.execute(statement, parameters).cursor
        assert cursor is not None
        found = cursor.fetchall()
        cursor.close()
        return list(found)

    def touch(self, account: AccountId) -> ModSeq:
        """The one new modseq of that account in this write, taken at the first call.

        A write over several accounts touches them in ascending id, so that two of them
        cannot wait for each other where rows are locked (PostgreSQL).  The doorbell rings
        for each after the commit.  Raises AccountMissing.
        """
        taken = self._touched.get(account)
        if taken is None:
            self.scratch.execute(
                self._next_modseq, (account,) if self._positional else {"account": account}
            )
            found = self.scratch.fetchall()
            if not found:
                raise AccountMissing("the account is gone")
            taken = self._touched[account] = ModSeq(found[0][0])
        return taken

    def has_touched(self, account: AccountId) -> bool:
        """Whether this write took the account's new modseq already."""
        return account in self._touched

    def has_taken(self, account: AccountId, modseq: ModSeq) -> None:
        """Say that a statement of the caller's took the account's new modseq, as touch does."""
        self._touched[account] = modseq

    def rings(self, bell: AccountId) -> None:
        """Ring a bell that is no account's, too; it has no modseq."""
        self._touched[bell] = ModSeq(0)

    def change_owners(self) -> None:
        """Say that this write changes a domain, an account or an alias."""
        self.owners += 1

    def remember_bounce(self) -> None:
        """Say that this write remembers an address that mail of an account came back from."""
        self.bounced += 1

    def frees(self) -> None:
        """Say that this write gives room back or is needed to do so.

        Such writes (flags, EXPUNGE, DELETE, collection) may use the disk reserve; others
        are refused while it is open.
        """
        self._frees = True

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call action in the event loop once this write is on the disk; never otherwise."""
        self._after.append(action)

    @property
    def touched(self) -> Mapping[AccountId, ModSeq]:
        """The accounts touched so far and the modseq each took."""
        return self._touched

    @property
    def actions(self) -> list[Callable[[], None]]:
        """What waits for the commit."""
        return self._after

    @property
    def may_use_reserve(self) -> bool:
        """Whether frees was called."""
        return self._frees
