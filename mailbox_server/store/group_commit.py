"""Group commit: writes that wait together share one transaction and one sync.

Each member runs in its own savepoint, so that what one raises rolls back that one alone.  The
first needs none, which saves the copies of pages that a savepoint is made of: what it raises
rolls back the transaction, and the next begins another.
SQLite may end the whole transaction by itself (full disk, interrupt, no memory): when that
happened, or when SAVEPOINT, ROLLBACK TO, RELEASE or COMMIT fails, nobody in the group has
succeeded.  The members then run again from their start, each in a transaction of its own,
once.  A failed sync is never tried again, because the kernel has dropped the pages and a
second sync would lie: SyncFailed leaves, and the process must end.

All of it runs on the writer thread.  Nothing in memory outside the members changes here;
their answers are given after run() has returned.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mailbox_server.model.errors import DiskLow, StoreUnavailable, SyncFailed
from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.store.dialect.trouble import Trouble, trouble_of
from mailbox_server.store.ports import WriteTx
from mailbox_server.store.staging import Staged
from mailbox_server.store.transactions import SqlTx


@dataclass(slots=True, eq=False)
class Member:
    """One write that waits, and what came of it.

    contents: staged contents that work may keep; settled when the outcome is told.
    touched, actions: of the committed run only; empty when it failed.
    owners, bounced: those of SqlTx after the run.
    is_decided: whether value or error is what became of it; until then a commit may or may
        not have been reached.
    """

    work: Callable[[WriteTx], Any]
    waiter: Any = None
    value: Any = None
    error: BaseException | None = None
    touched: Mapping[AccountId, ModSeq] = field(default_factory=dict)
    actions: Sequence[Callable[[], None]] = ()
    may_use_reserve: bool = False
    contents: Sequence[Staged] = ()
    owners: int = 0
    bounced: int = 0
    is_decided: bool = False

    def fail(self, error: BaseException) -> None:
        """The write did not happen; error is the waiter's."""
        self.value = None
        self.error = error
        self.touched = {}
        self.actions = ()


class Control(Protocol):
    """A cursor for BEGIN, SAVEPOINT and their ends."""

    def execute(self, sql: str, /) -> object:
        """Run a statement without parameters."""


class Driver(Protocol):
    """What must be asked of the database connection itself."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    @property
    def total_changes(self) -> int:
        """Rows changed since the connection was opened."""


class Reserve(Protocol):
    """Room kept back for writes that free room."""

    @property
    def is_open(self) -> bool:
        """Whether the room was given out."""

    def open(self) -> bool:
        """Give the room out; False where that was done before."""


class TransactionLost(Exception):
    """The transaction ended under us; nobody in it has succeeded."""


class GroupCommit:
    """The writer's transactions.

    begin: the statement that begins one that writes.
    now: seconds since 1970 UTC.
    """

    def __init__(
        self,
        tx: SqlTx,
        repositories: WriteTx,
        driver: Driver,
        control: Control,
        *,
        begin: str,
        now: Callable[[], int],
        reserve: Reserve,
    ) -> None:
        self._tx = tx
        self._repositories = repositories
        self._driver = driver
        self._control = control
        self._begin = begin
        self._now = now
        self._reserve = reserve

    def run(self, members: Sequence[Member]) -> None:
        """Give every member its value or its error.

        Raises SyncFailed; it is then the error of every member that was not decided before,
        and what they wrote may come back when the database is opened again.
        """
        try:
            if self._together(members):
                for member in members:
                    member.is_decided = True
                return
            for member in members:
                self._alone(member)
                member.is_decided = True
        except SyncFailed as error:
            for member in members:
                if not member.is_decided:
                    member.fail(error)
            raise

    def _together(self, members: Sequence[Member]) -> bool:
        try:
            self._control.execute(self._begin)
        except Exception as error:  # another program's lock, a damaged file: for all alike
            fault = self._unavailable(error)
            for member in members:
                member.fail(fault)
            return True
        keeps = False
        try:
            for number, member in enumerate(members):
                if number and not keeps:
                    self._step(self._begin)
                keeps = self._run_inside(member, is_first=not keeps) or keeps
            if keeps:
                self._commit()
        except TransactionLost:
            self._abandon()
            return False
        return True

    def _alone(self, member: Member) -> None:
        for last in (False, True):
            try:
                self._control.execute(self._begin)
                if self._run_inside(member, is_first=True):
                    self._commit()
            except SyncFailed:
                raise
            except Exception as error:  # whatever ended it, the member has failed
                cause = error.__cause__ if isinstance(error, TransactionLost) else error
                assert cause is not None
                fault = self._unavailable(cause)
                self._abandon()
                member.fail(fault)
                full = isinstance(fault, DiskLow) and member.may_use_reserve
                if last or not full or not self._reserve.open():
                    return
            else:
                return

    def _run_inside(self, member: Member, *, is_first: bool) -> bool:
        """Run it in the open transaction; whether it did not fail.

        is_first: nothing stands there that must stay.  If it fails the transaction is ended.
        """
        tx, driver = self._tx, self._driver
        tx.start(self._now())
        changes = driver.total_changes
        if not is_first:
            self._step("SAVEPOINT member")
        try:
            member.value = member.work(self._repositories)
            tx.finish()
            member.error = None
            if self._reserve.is_open and driver.total_changes != changes:
                self._refuse_unless_freeing()
        except BaseException as error:  # it is the waiter's, after the rollback
            member.may_use_reserve = tx.may_use_reserve
            trouble = trouble_of(error)
            if trouble is Trouble.SYNC:
                raise SyncFailed("the disk did not confirm a write") from error
            if not driver.in_transaction or trouble is Trouble.FULL:
                raise TransactionLost from error
            if is_first:
                self._step("ROLLBACK")
            else:
                self._step("ROLLBACK TO member")
                self._step("RELEASE member")
            member.fail(error if trouble is None else self._unavailable(error))
            return False
        if not driver.in_transaction:
            raise TransactionLost from StoreUnavailable("a write went on after its transaction")
        member.may_use_reserve = tx.may_use_reserve
        if not is_first:
            self._step("RELEASE member")
        member.owners = tx.owners
        member.bounced = tx.bounced
        member.touched = tx.touched
        member.actions = tx.actions
        return True

    def _refuse_unless_freeing(self) -> None:
        if not self._tx.may_use_reserve:
            raise DiskLow("only what frees room is written until there is some")

    def _step(self, statement: str) -> None:
        try:
            self._control.execute(statement)
        except Exception as error:  # the group is lost, whatever it was
            if trouble_of(error) is Trouble.SYNC:
                raise SyncFailed("the disk did not confirm a write") from error
            raise TransactionLost from error

    def _commit(self) -> None:
        if not self._driver.in_transaction:
            raise TransactionLost from StoreUnavailable("the transaction is gone at its commit")
        try:
            self._control.execute("COMMIT")
        except Exception as error:  # sorted out here; nothing was committed
            if trouble_of(error) in (Trouble.SYNC, Trouble.DEVICE):
                raise SyncFailed("the disk did not confirm a commit") from error
            raise TransactionLost from error

    def _abandon(self) -> None:
        if not self._driver.in_transaction:
            return
        try:
            self._control.execute("ROLLBACK")
        except Exception as error:  # the connection is in no known state
            if self._driver.in_transaction:
                raise SyncFailed("a transaction could not be rolled back") from error

    def _unavailable(self, error: BaseException) -> BaseException:
        trouble = trouble_of(error)
        if trouble is None:
            return error
        fault: BaseException
        if trouble is Trouble.FULL:
            fault = DiskLow("the disk is full")
        else:
            fault = StoreUnavailable(trouble.value)
        fault.__cause__ = error
        return fault
