"""Who asks a derived file sees one state of it, whatever of that was kept before."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

import pytest

from mailbox_server.store.derived_file import DerivedFile, DerivedFileWriter
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.derived_reading import DerivedReader, Sight
from tests.e2e.attacks.process import first_free_descriptor

FILE = DerivedFile("pair", 0x1234567, 1)
NONE = (0, 0)


def make(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE pair (one INTEGER, other INTEGER)")
    connection.execute("INSERT INTO pair VALUES (1, 1)")


class PairWriter(DerivedFileWriter):
    """Writes two numbers that are always the same."""

    def __init__(self, place: DerivedPlace, path: Path) -> None:
        super().__init__(place, path, FILE.connect_writer(path, make), 1_000)

    def put(self, number: int) -> None:
        with self._writing():
            self._connection.execute("UPDATE pair SET one = ?, other = ?", (number, number))

    def move(self, table: str) -> None:
        with self._writing():
            self._connection.execute(f"ALTER TABLE pair RENAME TO {table}")

    def fail(self, number: int) -> None:
        with pytest.raises(sqlite3.OperationalError), self._writing():
            self._connection.execute("UPDATE pair SET one = ?", (number,))
            self._connection.execute("no statement")


def read(sight: Sight, column: str) -> int:
    kept: int | None = sight.kept(column)
    if kept is None:
        ((kept,),) = sight.rows(f"SELECT {column} FROM pair")
        sight.keep(column, kept, 8)
    return kept


def pair(sight: Sight) -> tuple[int, int]:
    return read(sight, "one"), read(sight, "other")


class Pairs:
    """A place, its writer, and two readers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = DerivedPlace(10_000)
        self.readers = [DerivedReader(self.place, 100) for _ in range(2)]
        self.writer = self.make()

    def make(self) -> PairWriter:
        path = FILE.next_name(self.folder)
        writer = PairWriter(self.place, path)
        self.place.path = path
        return writer

    def asked(self) -> list[tuple[int, int]]:
        return [reader.ask(pair, NONE) for reader in self.readers]

    def spoil(self) -> None:
        """Behind the writer's back."""
        with sqlite3.connect(self.writer.path) as connection:
            connection.execute("DROP TABLE pair")


@pytest.fixture
def pairs(tmp_path: Path) -> Iterator[Pairs]:
    made = Pairs(tmp_path)
    yield made
    for reader in made.readers:
        reader.close()
    made.writer.close()


def test_what_one_reader_read_another_need_not_read(pairs: Pairs) -> None:
    pairs.readers[0].ask(pair, NONE)
    pairs.spoil()
    assert pairs.asked() == [(1, 1), (1, 1)]
    assert pairs.place.path is not None


def test_what_is_kept_is_recalled_and_nothing_is_read(pairs: Pairs) -> None:
    reader = pairs.readers[0]
    assert reader.recall(pair, NONE) == NONE
    reader.ask(partial(read, column="one"), 0)
    assert reader.recall(pair, NONE) == NONE, "half of it is not enough"
    reader.ask(pair, NONE)
    assert reader.recall(pair, NONE) == (1, 1)
    with pairs.place.changing(pairs.writer.path):
        assert reader.recall(pair, NONE) == NONE
    reader.ask(pair, NONE)
    pairs.writer.put(2)
    assert reader.recall(pair, NONE) == NONE


def test_of_one_name_the_work_that_waits_is_done_once(pairs: Pairs) -> None:
    jobs, done = list[Callable[[], None]](), list[str]()
    pairs.place.beside = jobs.append

    def want(name: str) -> None:
        pairs.readers[0].ask(lambda sight: sight.later(name, partial(done.append, name)), None)

    for name in ("table", "table", "other", "table"):
        want(name)
    for job in jobs:
        job()
    assert done == ["table", "other"]
    want("table")
    jobs[-1]()
    assert done == ["table", "other", "table"]


def test_after_a_commit_all_is_read_again(pairs: Pairs) -> None:
    assert pairs.asked() == [(1, 1), (1, 1)]
    pairs.writer.put(2)
    assert pairs.asked() == [(2, 2), (2, 2)]


def test_what_was_not_committed_is_not_seen(pairs: Pairs) -> None:
    pairs.asked()
    pairs.writer.fail(2)
    assert pairs.asked() == [(1, 1), (1, 1)]


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_commit_within_a_question_parts_nothing(pairs: Pairs, *, is_kept: bool) -> None:
    """Between what is taken of what was kept, or what is read, and what is read then."""
    turns = iter((pairs.writer.put, pairs.writer.put))

    def ask(sight: Sight) -> tuple[int, int]:
        one = read(sight, "one")
        for put in turns:
            put(one + 1)
            break
        return one, read(sight, "other")

    if is_kept:
        pairs.readers[0].ask(partial(read, column="one"), 0)
    one, other = pairs.readers[0].ask(ask, NONE)
    assert one == other
    assert one == (2 if is_kept else 1)
    assert len(set(pairs.asked())) == 1
    assert pairs.asked()[0][0] > one


def test_what_a_commit_within_a_question_removed_is_no_damage(pairs: Pairs) -> None:
    """What was kept says where it lay."""
    moves = iter((pairs.writer.move,))

    def ask(sight: Sight) -> tuple[int, int]:
        table: str | None = sight.kept("table")
        if table is None:
            ((table,),) = sight.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
            sight.keep("table", table, 8)
        for move in moves:
            move("couple")
        ((one, other),) = sight.rows(f"SELECT one, other FROM {table}")
        return one, other

    pairs.readers[0].ask(lambda sight: sight.keep("table", "pair", 8), None)
    assert pairs.readers[0].ask(ask, NONE) == (1, 1)
    assert pairs.place.path is not None


def test_while_a_commit_runs_nothing_is_kept(pairs: Pairs) -> None:
    with pairs.place.changing(pairs.writer.path):
        assert pairs.asked() == [(1, 1), (1, 1)]
        with sqlite3.connect(pairs.writer.path) as connection:
            connection.execute("UPDATE pair SET one = 2, other = 2")
        assert pairs.asked() == [(2, 2), (2, 2)]
    assert pairs.asked() == [(2, 2), (2, 2)]


def test_of_another_file_in_its_place_nothing_was_kept(pairs: Pairs) -> None:
    pairs.asked()
    pairs.writer.put(2)
    pairs.asked()
    pairs.writer.close()
    pairs.writer = pairs.make()
    assert pairs.asked() == [(1, 1), (1, 1)]


def test_a_file_that_is_written_beside_the_one_in_use_changes_nothing(pairs: Pairs) -> None:
    pairs.asked()
    beside = PairWriter(pairs.place, FILE.next_name(pairs.folder))
    beside.put(7)
    assert pairs.asked() == [(1, 1), (1, 1)]
    pairs.place.path = beside.path
    assert pairs.asked() == [(7, 7), (7, 7)]
    beside.close()


@pytest.mark.parametrize("free", [0, 1])
def test_a_file_that_nobody_may_open_just_now_is_not_damaged(pairs: Pairs, *, free: int) -> None:
    """Where the process has no descriptors left, or not enough."""
    lowest, (soft, hard) = first_free_descriptor(os.getpid()), getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (lowest + free, hard))
    try:
        asked = pairs.asked()
    finally:
        setrlimit(RLIMIT_NOFILE, (soft, hard))
    assert NONE in asked
    assert not pairs.place.is_damaged
    assert pairs.asked() == [(1, 1), (1, 1)]


def test_a_file_that_is_gone_is_damaged(pairs: Pairs) -> None:
    pairs.writer.path.unlink()
    assert pairs.asked() == [NONE, NONE]
    assert pairs.place.is_damaged


def test_after_damage_nothing_is_known_of_the_file(pairs: Pairs) -> None:
    pairs.readers[0].ask(partial(read, column="one"), 0)
    pairs.spoil()
    assert pairs.asked() == [NONE, NONE]
    assert pairs.place.path is None
    assert pairs.place.is_damaged
    pairs.writer.close()
    pairs.writer = pairs.make()
    assert pairs.asked() == [(1, 1), (1, 1)]
