"""What was written of the search index in many parts lies in one where that is soon paid."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailbox_server.store import derived_keeper
from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.search_index import catching_up, writing
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index import mail
from tests.search_store import SearchStore


@pytest.fixture
async def searched(
    data: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SearchStore]:
    """Two messages are added at a time, and merged a page at a time."""
    monkeypatch.setattr(catching_up, "STEP_MESSAGES", 2)
    monkeypatch.setattr(catching_up, "_MERGED_FROM", 4)
    monkeypatch.setattr(writing, "_MERGED_PAGES", 1)
    monkeypatch.setattr(derived_keeper, "_PAUSE_MOST", 0.0)
    made = await SearchStore.open(data, clock)
    yield made
    await made.close()


def parts(searched: SearchStore, segment: int = 1) -> dict[str, int]:
    """In how many parts the full-text tables of a segment lie."""
    path = searched.store.index.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        (tables,) = connection.execute(
            "SELECT tables FROM segment WHERE number = ?", (segment,)
        ).fetchone()
        counts = {
            table: connection.execute(
                f"SELECT count(DISTINCT segid) FROM {table}_{segment}_idx"
            ).fetchone()[0]
            for table in tables.split()
        }
    return counts


def mails(first: int, count: int) -> list[bytes]:
    """So many long texts, as they lie in trigrams, with words of their own, and a short one."""
    long = [
        mail("pear plum " * 900 + " ".join(f"w{number:03}{each:04}" for each in range(60)))
        for number in range(first, first + count)
    ]
    return [*long, mail(f"short {first}")]


async def all_are_found(searched: SearchStore, numbers: range) -> None:
    for number in numbers:
        criterion = TextCriterion(TextScope.BODY, f"w{number:03}0042")
        found, scanned = await searched.found("ann", criterion)
        assert found == scanned != []


async def test_after_many_came_each_table_is_one_part(searched: SearchStore) -> None:
    await searched.deliver("ann", mails(0, 12))
    await searched.indexer.catch_up()
    assert parts(searched) == dict.fromkeys(("text", "word", "brieftext", "briefhead"), 1)
    await all_are_found(searched, range(12))


async def test_a_few_are_no_reason_to_write_all_again(searched: SearchStore) -> None:
    await searched.deliver("ann", mails(0, 20))
    await searched.indexer.catch_up()
    await searched.deliver("ann", mails(20, 3))
    await searched.indexer.catch_up()
    assert parts(searched)["text"] > 1
    await all_are_found(searched, range(23))


async def test_a_segment_that_is_full_is_merged_once_more(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MESSAGES_A_SEGMENT", 20)
    await searched.deliver("ann", mails(0, 16))
    await searched.indexer.catch_up()
    await searched.deliver("ann", mails(16, 5))
    await searched.indexer.catch_up()
    assert parts(searched, 1)["text"] == 1
    await all_are_found(searched, range(21))


async def test_what_is_made_anew_is_one_part(searched: SearchStore) -> None:
    await searched.deliver("ann", mails(0, 20))
    await searched.indexer.catch_up()
    await searched.deliver("ann", mails(20, 3))
    await searched.indexer.catch_up()
    await searched.indexer.make_stale()
    await searched.indexer.renew()
    (segment,) = await searched.indexer.segments()
    assert parts(searched, segment.number)["text"] == 1
    await all_are_found(searched, range(23))
