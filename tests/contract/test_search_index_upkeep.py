"""The index is tried out, renewed when it is worn, and made anew when an operator asks."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.auth.passwords import HashCost, Passwords
from mailbox_server.model.ports import SystemEntropy
from mailbox_server.ops import requests
from mailbox_server.ops.administration import Administration
from mailbox_server.ops.answers import Rows
from mailbox_server.ops.housekeeping import JOBS, Housekeeping, HousekeepingRules
from mailbox_server.ops.request_roots import Request
from mailbox_server.ops.rows import AnyRow, FindingRow, IndexRow
from mailbox_server.store import derived_keeper
from mailbox_server.store.destroyed_messages import forget_destroyed
from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.search_index import catching_up
from mailbox_server.store.search_index.field_block import FieldBlock
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index import APPLE, index_files, mail
from tests.search_store import SearchStore
from tests.unit.auth.memory_store import RecordedEvents


@pytest.fixture
def events() -> RecordedEvents:
    return RecordedEvents()


@pytest.fixture
async def searched(
    data: Path, clock: TurnedClock, events: RecordedEvents
) -> AsyncIterator[SearchStore]:
    made = await SearchStore.open(data, clock, events)
    await made.deliver("ann", [mail(f"apple {number} 大阪") for number in range(10)])
    await made.indexer.catch_up()
    yield made
    await made.close()


async def remove(searched: SearchStore, clock: TurnedClock, count: int) -> None:
    """Let so many messages be gone for good."""
    _, inbox = await searched.owner("ann")
    uids = list(range(1, count + 1))
    await searched.store.write(lambda tx: tx.messages.remove(inbox, uids))
    clock.turn(days=2)
    await forget_destroyed(searched.store, clock.now())


async def test_a_sound_index_stands_every_trial(searched: SearchStore) -> None:
    sampled = await searched.indexer.sample(SystemEntropy())
    assert sampled.trials > 100
    assert sampled.wrong == ()


async def test_between_trials_there_is_a_rest(searched: SearchStore) -> None:
    """Nobody waits for them, and all in a row they would slow down who does."""
    rests = list[int]()

    async def rest() -> None:
        rests.append(len(rests))

    sampled = await searched.indexer.sample(SystemEntropy(), rest)
    assert len(rests) == sampled.trials > 100


async def test_an_index_that_lacks_something_is_thrown_away(
    searched: SearchStore, events: RecordedEvents
) -> None:
    path = searched.store.index.path
    assert path is not None
    await searched.indexer.close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO brieftext_1 (brieftext_1) VALUES ('delete-all')")
    sampled = await searched.indexer.sample(SystemEntropy())
    assert sampled.wrong
    assert searched.store.index.path is None
    assert "search_index.thrown_away" in [name for name, _ in events.seen]
    await searched.indexer.catch_up()
    assert (await searched.indexer.sample(SystemEntropy())).wrong == ()


async def test_fields_that_say_too_much_are_found_out(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written so by a fault of the program: no checksum tells."""
    add = FieldBlock.add

    def misread(self: FieldBlock, message: int, values: Sequence[str]) -> None:
        add(self, message, [each.replace("archer", "bowman") for each in values])

    monkeypatch.setattr(FieldBlock, "add", misread)
    await searched.indexer.make_stale()
    await searched.indexer.renew()
    assert (await searched.indexer.sample(SystemEntropy())).wrong


async def test_marks_in_a_row_are_no_fault_of_the_index(searched: SearchStore) -> None:
    """Their order is settled in pieces, which are not those of a needle."""
    marks = "e" + "\u0315\u0300\u0323" * 4_000
    await searched.deliver("ben", [mail(marks, subject=marks)] * 10)
    await searched.indexer.catch_up()
    for _ in range(5):
        assert (await searched.indexer.sample(SystemEntropy())).wrong == ()


async def test_nothing_is_tried_without_an_index(data: Path, clock: TurnedClock) -> None:
    made = await SearchStore.open(data, clock)
    assert (await made.indexer.sample(SystemEntropy())).trials == 0
    assert index_files(data) == []
    await made.close()


async def test_a_segment_is_worn_when_a_fifth_of_it_is_dead(
    searched: SearchStore, clock: TurnedClock
) -> None:
    await remove(searched, clock, 1)
    assert await searched.indexer.make_worn_stale() == 0
    await remove(searched, clock, 2)
    assert await searched.indexer.make_worn_stale() == 1
    await searched.indexer.renew()
    assert await searched.indexer.make_worn_stale() == 0
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.sure == list(range(3, 11))


async def test_what_is_gone_leaves_the_index_within_a_month(
    searched: SearchStore, clock: TurnedClock
) -> None:
    await remove(searched, clock, 1)
    clock.turn(days=27)
    assert await searched.indexer.make_worn_stale() == 0
    clock.turn(days=1)
    assert await searched.indexer.make_worn_stale() == 1


async def test_erased_text_leaves_the_file(
    searched: SearchStore, clock: TurnedClock, data: Path
) -> None:
    """Neither as a value of a field nor as a word that several held."""
    await searched.deliver("ann", [mail("a zebrafinch", subject="Zebrafinch")] * 3)
    await searched.indexer.catch_up()
    _, inbox = await searched.owner("ann")
    await searched.store.write(lambda tx: tx.messages.remove(inbox, [11, 12, 13]))
    clock.turn(days=40)
    await forget_destroyed(searched.store, clock.now())
    await searched.indexer.make_worn_stale()
    await searched.indexer.renew()
    await searched.close()
    with sqlite3.connect(data / "search-1.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"zebrafinch" not in (data / "search-1.db").read_bytes()


async def test_the_nightly_job_tells_what_it_found(
    searched: SearchStore, clock: TurnedClock, events: RecordedEvents
) -> None:
    nobody: Any = None
    rules = HousekeepingRules(timedelta(days=90), timedelta(days=90), None)
    keeper = Housekeeping(searched.store, nobody, searched.indexer, nobody, clock, events, rules)
    (job,) = [job for job in JOBS if job.name == "try the search index"]
    await keeper.do(job)
    (told,) = [fields for name, fields in events.seen if name == "search_index.sampled"]
    assert (told["wrong"], told["worn"]) == (0, 0)
    assert events.faults == []


class Asked:
    """An operator's hands, and what came down."""

    def __init__(self, searched: SearchStore, clock: TurnedClock) -> None:
        passwords = Passwords(HashCost(memory_kib=64, passes=1), SystemEntropy())
        self.lines: list[bytes] = []
        nobody: Any = None
        self._administration = Administration(
            searched.store,
            passwords,
            clock,
            SystemEntropy(),
            searched.indexer,
            searched.attached,
            nobody,
            nobody,
        )

    async def ask(self, request: Request) -> list[AnyRow]:
        async def nothing() -> AsyncIterator[bytes]:
            return
            yield b""

        async def take(line: bytes) -> None:
            self.lines.append(line)

        answer = await self._administration.perform(request, nothing(), take)
        assert isinstance(answer, Rows), answer
        return answer.rows


async def test_an_operator_has_it_made_anew(searched: SearchStore, clock: TurnedClock) -> None:
    await remove(searched, clock, 1)
    asked = Asked(searched, clock)
    (row,) = await asked.ask(requests.StoreReindex())
    assert isinstance(row, IndexRow)
    assert (row.messages, row.behind) == (9, 0)
    assert asked.lines[0].split() == [b"20", b"20"], "ids of both"
    (row,) = await asked.ask(requests.StoreStatus())
    assert isinstance(row, IndexRow)
    assert row.octets > 4096
    assert await asked.ask(requests.StoreCheck()) == []


async def test_an_operator_is_told_how_far_it_is_of_what_it_lacks(
    searched: SearchStore, clock: TurnedClock
) -> None:
    await searched.deliver("ann", [mail("apple")] * 3)
    asked = Asked(searched, clock)
    (row,) = await asked.ask(requests.StoreReindex())
    assert isinstance(row, IndexRow)
    assert (row.messages, row.behind) == (13, 0)
    lines = [line.split() for line in asked.lines]
    assert lines[0] == [b"16", b"16"], "three ids that the index lacks, and all to be read"
    assert [b"26", b"26"] in lines


async def test_an_operator_is_told_what_the_sample_found(
    searched: SearchStore, clock: TurnedClock
) -> None:
    path = searched.store.index.path
    assert path is not None
    await searched.indexer.close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO briefhead_1 (briefhead_1) VALUES ('delete-all')")
    rows = await Asked(searched, clock).ask(requests.StoreCheck())
    assert rows
    assert all(isinstance(row, FindingRow) and "search index" in row.invariant for row in rows)


async def test_the_index_follows_the_store(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived_keeper, "SETTLING_SECONDS", 0.0)
    came, catch_up = asyncio.Event(), searched.indexer.catch_up

    async def watched() -> None:
        await catch_up()
        came.set()

    monkeypatch.setattr(searched.indexer, "catch_up", watched)
    following = asyncio.ensure_future(searched.indexer.run())
    async with asyncio.timeout(30):
        await came.wait()
        came.clear()
        await searched.deliver("ann", [mail("apple")])
        await came.wait()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.upto == 11


async def test_mail_that_came_one_by_one_is_gone_through_for_its_words(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words are learned of messages that come together, and then known for sure."""
    monkeypatch.setattr(catching_up, "_TAUGHT_FROM", 12)
    for number in range(4):
        await searched.deliver("ben", [mail(f"quince {number}")])
        await searched.indexer.catch_up()
    quince = TextCriterion(TextScope.BODY, "quince")
    known = await searched.known("ben", quince)
    assert known is not None
    assert (known.sure, known.maybe) == ([], [11, 12, 13, 14])
    assert await searched.indexer.make_worn_stale() == 1
    await searched.indexer.renew()
    known = await searched.known("ben", quince)
    assert known is not None
    assert (known.sure, known.maybe) == ([11, 12, 13, 14], [])
    assert await searched.indexer.make_worn_stale() == 0


@pytest.mark.parametrize("table", ["vocabulary", "sketch"])
async def test_damage_of_what_is_kept_of_short_texts_ends_trust_in_the_index(
    searched: SearchStore, table: str
) -> None:
    column = "lines" if table == "vocabulary" else "bits"
    path = searched.store.index.path
    assert path is not None
    await searched.indexer.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE {table} SET {column} = substr({column}, 2)")
    every = list(range(1, 11))
    assert await searched.found("ann", APPLE) == (every, every)
    assert searched.store.index.path is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sketch SET bits = zeroblob(length(bits))",
        "UPDATE sketched SET first = first + 1",
        "UPDATE sketched SET messages = zeroblob(length(messages))",
    ],
)
async def test_sketches_that_lost_what_they_said_are_noticed(
    searched: SearchStore, change: str
) -> None:
    """Their lengths are right; a word that only one text has is looked for."""
    await searched.deliver("ann", [mail("a quince"), mail("a medlar")])
    await searched.indexer.catch_up()
    path = searched.store.index.path
    assert path is not None
    await searched.indexer.close()
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    assert await searched.found("ann", TextCriterion(TextScope.BODY, "medlar")) == ([12], [12])
    assert searched.store.index.path is None
