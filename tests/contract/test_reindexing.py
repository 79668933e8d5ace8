"""The operator has the search index made anew, and is told how far it is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailbox_server.ops.reindexing import reindex
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index import mail
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
    await made.deliver("ann", [mail("an apple")] * 10)
    await made.indexer.catch_up()
    yield made
    await made.close()


async def unheard(line: bytes) -> None:
    """An operator who does not look."""


def times_renewed(events: RecordedEvents) -> int:
    return [name for name, _ in events.seen].count("search_index.renewed")


async def test_all_of_it_is_made_anew(searched: SearchStore, events: RecordedEvents) -> None:
    await reindex(searched.indexer, searched.attached, unheard)
    state = await searched.indexer.state()
    assert (state.messages, state.behind) == (10, 0)
    assert times_renewed(events) == 1


async def test_one_interrupted_goes_on_where_nobody_does_it_meanwhile(
    searched: SearchStore, events: RecordedEvents
) -> None:
    await searched.indexer.make_stale()
    await reindex(searched.indexer, searched.attached, unheard)
    assert times_renewed(events) == 1


async def test_one_that_the_server_goes_on_with_is_waited_for_and_not_begun_again(
    searched: SearchStore, events: RecordedEvents
) -> None:
    await searched.indexer.make_stale()
    by_itself = asyncio.ensure_future(searched.indexer.renew())
    await asyncio.sleep(0)
    await reindex(searched.indexer, searched.attached, unheard)
    await by_itself
    assert times_renewed(events) == 1
