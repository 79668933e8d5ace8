"""Group commit: a failed member neither sinks nor fakes the others, wherever it stands."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from mailbox_server.model.errors import DiskLow, MailboxMissing, StoreUnavailable, SyncFailed
from mailbox_server.model.ids import AccountId
from mailbox_server.store.dialect import sqlite
from mailbox_server.store.group_commit import GroupCommit, Member
from mailbox_server.store.ports import WriteTx
from mailbox_server.store.settings import StoreSettings
from mailbox_server.store.transactions import SqlTx

POSITIONS = range(5)
Work = Callable[[WriteTx], Any]


class FaultyControl:
    """The door's control cursor, with a fault at one execution of one statement."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self.said: list[str] = []
        self.fault: tuple[str, int, Exception, bool] | None = None

    def execute(self, sql: str, /) -> object:
        self.said.append(sql)
        if self.fault is not None:
            statement, nth, error, rolled_back = self.fault
            if sql.startswith(statement):
                if nth == 0:
                    self.fault = None
                    if rolled_back:
                        self._cursor.execute("ROLLBACK")
                    raise error
                self.fault = (statement, nth - 1, error, rolled_back)
        return self._cursor.execute(sql)


class Room:
    """A reserve that gives the database more pages when it is opened."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver
        self.is_open = False
        self.gives = 0

    def open(self) -> bool:
        if self.is_open or not self.gives:
            return False
        self.is_open = True
        sqlite3.Cursor(self._driver).execute(f"PRAGMA max_page_count = {self.gives}")
        return True


class Desk:
    """A group commit over a small database, and what came of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.driver = sqlite.connect_writer(path, StoreSettings())
        self.driver.execute(
            "CREATE TABLE account(id INTEGER PRIMARY KEY, modseq INTEGER, key TEXT) STRICT"
        )
        self.driver.execute("CREATE TABLE kept(name TEXT, octets BLOB) STRICT")
        self.driver.execute("INSERT INTO account VALUES (1, 0, 'a'), (2, 0, 'b')")
        self.connection = sqlite.engine_over(self.driver).connect()
        self.tx = SqlTx(self.connection)
        self.driver.guarded = True
        self.control = FaultyControl(self.driver.control())
        self.room = Room(self.driver)
        self.runs: list[str] = []
        self.group = GroupCommit(
            self.tx,
            cast(WriteTx, self.tx),
            self.driver,
            self.control,
            begin=sqlite.BEGIN_WRITING,
            now=lambda: 7,
            reserve=self.room,
        )

    def good(self, name: str) -> Work:
        def work(tx: WriteTx) -> str:
            self.runs.append(name)
            self.tx.touch(AccountId(1))
            self.tx.cursor().execute("INSERT INTO kept VALUES (?, x'')", (name,))
            return f"done {name}"

        return work

    def bad(self, name: str, then: Callable[[], object]) -> Work:
        """Insert a row, then do what fails."""
        first = self.good(name)

        def work(tx: WriteTx) -> object:
            first(tx)
            return then()

        return work

    def five(self, position: int, bad: Work) -> list[Member]:
        works = [self.good(f"m{number}") for number in POSITIONS]
        works[position] = bad
        return [Member(work) for work in works]

    def kept(self) -> list[str]:
        """What another connection finds."""
        with sqlite3.connect(self.path) as other:
            rows = [row[0] for row in other.execute("SELECT name FROM kept ORDER BY rowid")]
        other.close()
        return rows

    def close(self) -> None:
        self.connection.close()
        self.driver.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "group.sqlite3")
    yield desk
    desk.close()


def failure(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode = code
    return error


def others_stand(desk: Desk, members: list[Member], position: int) -> None:
    """The other four succeeded, each once, and the failed one left no row."""
    assert [member.value for number, member in enumerate(members) if number != position] == [
        f"done m{number}" for number in POSITIONS if number != position
    ]
    assert all(m.error is None for number, m in enumerate(members) if number != position)
    assert members[position].error is not None
    assert members[position].value is None
    assert not members[position].touched
    assert desk.kept() == [f"m{number}" for number in POSITIONS if number != position]
    assert all(desk.runs.count(f"m{number}") <= 2 for number in POSITIONS)
    assert not desk.driver.in_transaction


def test_a_group_is_one_transaction_and_each_write_takes_one_modseq(desk: Desk) -> None:
    members = [Member(desk.good(f"m{number}")) for number in POSITIONS]
    desk.group.run(members)
    assert [member.value for member in members] == [f"done m{number}" for number in POSITIONS]
    assert [dict(member.touched) for member in members] == [{1: n + 1} for n in POSITIONS]
    assert desk.control.said.count("COMMIT") == 1
    assert desk.control.said.count(sqlite.BEGIN_WRITING) == 1


def test_two_touches_of_one_account_in_a_write_are_one_modseq(desk: Desk) -> None:
    def work(tx: WriteTx) -> object:
        taken = [desk.tx.touch(AccountId(number)) for number in (1, 2, 1, 2)]
        assert desk.tx.now == 7
        return taken

    member = Member(work)
    desk.group.run([member])
    assert member.value == [1, 1, 1, 1]
    assert dict(member.touched) == {1: 1, 2: 1}


@pytest.mark.parametrize("position", POSITIONS)
def test_a_refusal_rolls_back_that_write_alone(desk: Desk, position: int) -> None:
    def refuse() -> None:
        raise MailboxMissing("gone")

    members = desk.five(position, desk.bad(f"m{position}", refuse))
    desk.group.run(members)
    others_stand(desk, members, position)
    assert isinstance(members[position].error, MailboxMissing)
    assert desk.control.said.count("COMMIT") == 1


@pytest.mark.parametrize("position", POSITIONS)
def test_a_full_disk_fails_the_write_that_is_too_large(desk: Desk, position: int) -> None:
    def fill() -> None:
        desk.tx.cursor().execute("INSERT INTO kept VALUES ('big', zeroblob(1000000))")

    sqlite3.Cursor(desk.driver).execute("PRAGMA max_page_count = 20")
    members = desk.five(position, desk.bad(f"m{position}", fill))
    desk.group.run(members)
    others_stand(desk, members, position)
    assert isinstance(members[position].error, DiskLow)


@pytest.mark.parametrize("position", POSITIONS)
def test_an_interrupt_fails_the_write_it_hit(desk: Desk, position: int) -> None:
    def interrupted() -> None:
        desk.driver.set_progress_handler(lambda: 1, 1)
        try:
            desk.tx.cursor().execute("INSERT INTO kept SELECT name, octets FROM kept")
        finally:
            desk.driver.set_progress_handler(None, 1)

    members = desk.five(position, desk.bad(f"m{position}", interrupted))
    desk.group.run(members)
    others_stand(desk, members, position)
    assert isinstance(members[position].error, StoreUnavailable)


@pytest.mark.parametrize("position", POSITIONS)
def test_no_memory_fails_the_write_it_hit(desk: Desk, position: int) -> None:
    def out_of_memory(value: object) -> object:
        raise MemoryError

    desk.driver.create_function("out_of_memory", 1, out_of_memory)

    def work() -> None:
        desk.tx.cursor().execute("INSERT INTO kept VALUES (out_of_memory('x'), x'')")

    members = desk.five(position, desk.bad(f"m{position}", work))
    desk.group.run(members)
    others_stand(desk, members, position)
    assert isinstance(members[position].error, StoreUnavailable)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("rolled_back", [False, True])
def test_a_read_error_fails_the_write_it_hit(desk: Desk, position: int, rolled_back: bool) -> None:
    def read_error() -> None:
        if rolled_back:
            sqlite3.Cursor(desk.driver).execute("ROLLBACK")
        raise failure(sqlite3.SQLITE_IOERR_READ)

    members = desk.five(position, desk.bad(f"m{position}", read_error))
    desk.group.run(members)
    others_stand(desk, members, position)
    assert isinstance(members[position].error, StoreUnavailable)
    # Only a transaction that is gone makes the others run again.
    assert desk.control.said.count("COMMIT") == (4 if rolled_back else 1)


@pytest.mark.parametrize("position", POSITIONS)
def test_a_write_that_hides_the_end_of_its_transaction_fails(desk: Desk, position: int) -> None:
    def hide() -> None:
        sqlite3.Cursor(desk.driver).execute("ROLLBACK")

    members = desk.five(position, desk.bad(f"m{position}", hide))
    desk.group.run(members)
    others_stand(desk, members, position)
    assert isinstance(members[position].error, StoreUnavailable)


@pytest.mark.parametrize("position", POSITIONS)
def test_no_statement_runs_outside_a_transaction(desk: Desk, position: int) -> None:
    def go_on() -> None:
        sqlite3.Cursor(desk.driver).execute("ROLLBACK")
        desk.tx.cursor().execute("INSERT INTO kept VALUES ('stray', x'')")

    members = desk.five(position, desk.bad(f"m{position}", go_on))
    desk.group.run(members)
    others_stand(desk, members, position)
    assert isinstance(members[position].error, AssertionError)


@pytest.mark.parametrize("position", POSITIONS[:-1])
@pytest.mark.parametrize("statement", ["SAVEPOINT", "RELEASE"])
@pytest.mark.parametrize("rolled_back", [False, True])
def test_a_failed_savepoint_makes_all_run_again_alone(
    desk: Desk, position: int, statement: str, rolled_back: bool
) -> None:
    desk.control.fault = (statement, position, failure(sqlite3.SQLITE_IOERR_READ), rolled_back)
    members = [Member(desk.good(f"m{number}")) for number in POSITIONS]
    desk.group.run(members)
    assert [member.value for member in members] == [f"done m{number}" for number in POSITIONS]
    assert desk.kept() == [f"m{number}" for number in POSITIONS]
    assert desk.control.said.count("COMMIT") == 5


@pytest.mark.parametrize("position", POSITIONS)
def test_a_failed_rollback_makes_all_run_again_alone(desk: Desk, position: int) -> None:
    def refuse() -> None:
        raise MailboxMissing("gone")

    rollback = "ROLLBACK TO" if position else "ROLLBACK"
    desk.control.fault = (rollback, 0, failure(sqlite3.SQLITE_NOMEM), False)
    members = desk.five(position, desk.bad(f"m{position}", refuse))
    desk.group.run(members)
    others_stand(desk, members, position)
    assert isinstance(members[position].error, MailboxMissing)
    assert desk.control.said.count("COMMIT") == 4


@pytest.mark.parametrize("refused", [1, 2, 4, 5])
def test_those_behind_the_first_refusals_begin_anew(desk: Desk, refused: int) -> None:
    def refuse() -> None:
        raise MailboxMissing("gone")

    works = [
        desk.bad(f"m{number}", refuse) if number < refused else desk.good(f"m{number}")
        for number in POSITIONS
    ]
    members = [Member(work) for work in works]
    desk.group.run(members)
    assert all(isinstance(member.error, MailboxMissing) for member in members[:refused])
    assert not any(member.touched or member.value for member in members[:refused])
    assert [member.value for member in members[refused:]] == [
        f"done m{number}" for number in range(refused, 5)
    ]
    assert [dict(member.touched) for member in members[refused:]] == [
        {1: number + 1} for number in range(5 - refused)
    ]
    assert desk.kept() == [f"m{number}" for number in range(refused, 5)]
    assert desk.control.said.count("COMMIT") == (refused < 5)
    assert not desk.driver.in_transaction


def test_a_beginning_that_fails_behind_a_refusal_makes_all_run_again_alone(desk: Desk) -> None:
    def refuse() -> None:
        raise MailboxMissing("gone")

    desk.control.fault = (sqlite.BEGIN_WRITING, 1, failure(sqlite3.SQLITE_BUSY), False)
    members = desk.five(0, desk.bad("m0", refuse))
    desk.group.run(members)
    others_stand(desk, members, 0)
    assert isinstance(members[0].error, MailboxMissing)
    assert desk.control.said.count("COMMIT") == 4


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM])
@pytest.mark.parametrize("rolled_back", [False, True])
def test_a_commit_that_finds_no_room_is_tried_again_one_by_one(
    desk: Desk, code: int, rolled_back: bool
) -> None:
    desk.control.fault = ("COMMIT", 0, failure(code), rolled_back)
    members = [Member(desk.good(f"m{number}")) for number in POSITIONS]
    desk.group.run(members)
    assert all(member.error is None for member in members)
    assert desk.kept() == [f"m{number}" for number in POSITIONS]
    assert [dict(member.touched) for member in members] == [{1: n + 1} for n in POSITIONS]


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE])
def test_a_failed_sync_fails_all_and_is_not_tried_again(desk: Desk, code: int) -> None:
    desk.control.fault = ("COMMIT", 0, failure(code), False)
    members = [Member(desk.good(f"m{number}")) for number in POSITIONS]
    with pytest.raises(SyncFailed):
        desk.group.run(members)
    assert all(isinstance(member.error, SyncFailed) for member in members)
    assert all(member.value is None and not member.touched for member in members)
    assert desk.control.said.count("COMMIT") == 1
    assert desk.kept() == []


@pytest.mark.parametrize("position", POSITIONS)
def test_who_was_committed_before_a_sync_failed_has_succeeded(desk: Desk, position: int) -> None:
    tries: list[int] = []

    def unsynced_alone() -> None:
        tries.append(position)
        if len(tries) == 2:
            raise failure(sqlite3.SQLITE_IOERR_FSYNC)

    desk.control.fault = ("COMMIT", 0, failure(sqlite3.SQLITE_NOMEM), True)
    members = desk.five(position, desk.bad(f"m{position}", unsynced_alone))
    with pytest.raises(SyncFailed):
        desk.group.run(members)
    assert [member.value for member in members[:position]] == [
        f"done m{number}" for number in range(position)
    ]
    assert all(member.is_decided and member.error is None for member in members[:position])
    assert all(isinstance(member.error, SyncFailed) for member in members[position:])
    assert not any(member.is_decided for member in members[position:])
    assert desk.kept() == [f"m{number}" for number in range(position)]


@pytest.mark.parametrize("position", POSITIONS)
def test_a_sync_that_fails_inside_a_write_fails_all(desk: Desk, position: int) -> None:
    def unsynced() -> None:
        raise failure(sqlite3.SQLITE_IOERR_FSYNC)

    members = desk.five(position, desk.bad(f"m{position}", unsynced))
    with pytest.raises(SyncFailed):
        desk.group.run(members)
    assert all(isinstance(member.error, SyncFailed) for member in members)
    assert desk.kept() == []


def test_a_real_write_error_at_commit_is_a_failed_sync(desk: Desk) -> None:
    log = desk.path.with_name(desk.path.name + "-wal")

    def large(tx: WriteTx) -> None:
        desk.tx.cursor().execute("INSERT INTO kept VALUES ('large', zeroblob(3000000))")

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 1_000_000, hard))
    try:
        member = Member(large)
        with pytest.raises(SyncFailed):
            desk.group.run([member])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(member.error, SyncFailed)
    assert desk.kept() == []


def test_a_locked_database_fails_the_group_without_running_it(desk: Desk) -> None:
    sqlite3.Cursor(desk.driver).execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(desk.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    members = [Member(desk.good(f"m{number}")) for number in POSITIONS]
    desk.group.run(members)
    other.execute("ROLLBACK")
    other.close()
    assert all(isinstance(member.error, StoreUnavailable) for member in members)
    assert desk.runs == []
    again = Member(desk.good("again"))
    desk.group.run([again])
    assert again.value == "done again"


def test_a_write_that_frees_room_may_use_the_reserve(desk: Desk) -> None:
    sqlite3.Cursor(desk.driver).execute("PRAGMA max_page_count = 20")
    desk.room.gives = 10_000

    def freeing(tx: WriteTx) -> str:
        desk.tx.frees()
        desk.tx.cursor().execute("INSERT INTO kept VALUES ('freed', zeroblob(1000000))")
        return "freed"

    members = desk.five(2, freeing)
    desk.group.run(members)
    assert members[2].value == "freed"
    assert desk.room.is_open
    # Those before it needed no reserve; those after it would have eaten it.
    assert [m.value for m in members[:2]] == ["done m0", "done m1"]
    assert all(isinstance(m.error, DiskLow) for m in members[3:])
    assert desk.kept() == ["m0", "m1", "freed"]


def test_a_write_that_changes_nothing_passes_while_the_reserve_is_open(desk: Desk) -> None:
    desk.room.is_open = True
    members = [Member(lambda tx: "read only"), Member(desk.good("m1"))]
    desk.group.run(members)
    assert members[0].value == "read only"
    assert isinstance(members[1].error, DiskLow)


def test_actions_wait_for_the_commit_and_go_with_a_failed_write(desk: Desk) -> None:
    done: list[str] = []

    def acting(name: str, error: Exception | None) -> Work:
        def work(tx: WriteTx) -> None:
            desk.tx.after_commit(lambda: done.append(name))
            if error is not None:
                raise error

        return work

    members = [Member(acting("a", None)), Member(acting("b", MailboxMissing("gone")))]
    desk.group.run(members)
    assert done == []
    for member in members:
        for action in member.actions:
            action()
    assert done == ["a"]
