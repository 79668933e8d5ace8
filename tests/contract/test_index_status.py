"""What the nightly samples came to stays in the store, and an operator reads it."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.errors import DiskLow
from mailbox_server.ops import requests
from mailbox_server.ops.housekeeping import JOBS, Housekeeping, HousekeepingRules, Job
from mailbox_server.ops.index_status import ATTACHED_JOB, INDEX_JOB
from mailbox_server.ops.rows import IndexRow
from mailbox_server.store.job_runs import last_runs
from mailbox_server.store.migration import DATABASE
from tests.contract.conftest import TurnedClock
from tests.contract.test_attached_text import event
from tests.contract.test_migration import set_version
from tests.contract.test_search_index import mail
from tests.contract.test_search_index_upkeep import Asked
from tests.search_store import SearchStore
from tests.unit.auth.memory_store import RecordedEvents

FIRST_NIGHT = "2026-01-02T03:04:05+00:00"


class House:
    """A store with its index and attached texts, its housekeeping, its operator."""

    def __init__(self, data: Path, clock: TurnedClock) -> None:
        self.events = RecordedEvents()
        self._data = data
        self._clock = clock

    async def open(self) -> None:
        self.searched = await SearchStore.open(self._data, self._clock, self.events)

    async def restart(self) -> None:
        await self.searched.close()
        await self.open()

    async def catch_up(self) -> None:
        await self.searched.attached.catch_up()
        await self.searched.indexer.catch_up()

    async def do(self, job: Job) -> None:
        nobody: Any = None
        searched = self.searched
        rules = HousekeepingRules(timedelta(days=90), timedelta(days=90), None)
        keeper = Housekeeping(
            searched.store,
            nobody,
            searched.indexer,
            searched.attached,
            self._clock,
            self.events,
            rules,
        )
        await keeper.do(job)

    async def night(self) -> None:
        """Both jobs that sample."""
        for name in (INDEX_JOB, ATTACHED_JOB):
            await self.do(next(job for job in JOBS if job.name == name))
        assert self.events.faults == []

    async def status(self) -> IndexRow:
        (row,) = await Asked(self.searched, self._clock).ask(requests.StoreStatus())
        assert isinstance(row, IndexRow)
        return row

    async def empty(self, path: Path | None, table: str) -> None:
        """Have a file lack all that one of its tables says."""
        assert path is not None
        await self.searched.attached.close()
        await self.searched.indexer.close()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"INSERT INTO {table} ({table}) VALUES ('delete-all')")


@pytest.fixture
async def house(data: Path, clock: TurnedClock) -> AsyncIterator[House]:
    made = House(data, clock)
    await made.open()
    await made.searched.deliver("ann", [mail(f"apple {number} 大阪") for number in range(10)])
    await made.searched.deliver("ann", [event("orchard and meadow, hedge and brook")])
    await made.catch_up()
    yield made
    await made.searched.close()


async def test_before_the_first_night_none_was_sampled(house: House) -> None:
    status = await house.status()
    assert (status.sampled, status.documents_sampled) == (None, None)


async def test_what_a_night_came_to_is_known_after_a_restart(
    house: House, clock: TurnedClock
) -> None:
    await house.night()
    clock.turn(hours=9)
    before = await house.status()
    await house.restart()
    status = await house.status()
    assert (status.sampled, status.documents_sampled) == (
        before.sampled,
        before.documents_sampled,
    )
    assert status.sampled is not None and status.documents_sampled is not None
    assert (status.sampled.ended, status.sampled.wrong) == (FIRST_NIGHT, 0)
    assert status.sampled.tried > 100
    assert (status.documents_sampled.ended, status.documents_sampled.wrong) == (FIRST_NIGHT, 0)
    assert status.documents_sampled.tried > 0


async def test_an_index_that_was_thrown_away_for_its_sample_is_told_until_the_next(
    house: House, clock: TurnedClock
) -> None:
    await house.empty(house.searched.store.index.path, "brieftext_1")
    await house.night()
    assert "search_index.thrown_away" in [name for name, _ in house.events.seen]
    status = await house.status()
    assert status.messages == 0
    assert status.sampled is not None
    assert 0 < status.sampled.wrong <= status.sampled.tried
    await house.catch_up()
    again = await house.status()
    assert (again.messages, again.sampled) == (11, status.sampled)
    clock.turn(days=1)
    await house.night()
    sound = (await house.status()).sampled
    assert sound is not None
    assert (sound.ended, sound.wrong) == ("2026-01-03T03:04:05+00:00", 0)


async def test_so_are_attached_texts(house: House) -> None:
    await house.empty(house.searched.store.attached.path, "trigram")
    await house.night()
    assert "attachments.thrown_away" in [name for name, _ in house.events.seen]
    status = await house.status()
    assert status.documents_sampled is not None
    assert 0 < status.documents_sampled.wrong <= status.documents_sampled.tried
    assert status.sampled is not None and status.sampled.wrong == 0


async def test_a_wrong_sample_is_noted_though_nothing_can_be_made_stale(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that may fail stands between a sample and its note."""
    await house.empty(house.searched.store.index.path, "brieftext_1")
    indexer, worn = house.searched.indexer, house.searched.indexer.make_worn_stale

    async def stale_while_it_lies() -> int:
        if house.searched.store.index.is_damaged:
            raise DiskLow("no room for another")
        return await worn()

    monkeypatch.setattr(indexer, "make_worn_stale", stale_while_it_lies)
    await house.night()
    sampled = (await house.status()).sampled
    assert sampled is not None and sampled.wrong


async def test_a_sample_that_could_not_be_made_leaves_the_last(
    house: House, clock: TurnedClock
) -> None:
    await house.night()
    before = (await house.status()).sampled
    clock.turn(days=1)

    async def fail(_: Housekeeping) -> None:
        raise DiskLow("the disk is full")

    await house.do(Job(INDEX_JOB, timedelta(days=1), fail))
    assert (await house.status()).sampled == before


async def test_a_store_of_before_knows_when_it_was_sampled_and_not_what_it_came_to(
    house: House, data: Path
) -> None:
    """Revision 21."""
    await house.night()
    await house.searched.close()
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        for column in ("tried", "wrong"):
            connection.execute(f"ALTER TABLE job_run DROP COLUMN {column}")
    set_version(data / DATABASE, 20, 20)
    await house.open()
    runs = await last_runs(house.searched.store)
    assert {run.ended.isoformat() for run in runs.values()} == {FIRST_NIGHT}
    status = await house.status()
    assert (status.sampled, status.documents_sampled) == (None, None)
    await house.night()
    assert (await house.status()).sampled is not None
