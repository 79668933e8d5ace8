"""Messages wait until many of an account go into the index, and are found all the while."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.ports import Silence
from mailbox_server.store import derived_keeper
from mailbox_server.store.destroyed_messages import forget_destroyed
from mailbox_server.store.dialect.trouble import Trouble
from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.search_index import catching_up, writing
from mailbox_server.store.search_index.catching_up import (
    IndexStopped,
    Patience,
    SearchIndexer,
)
from tests.bench.short_messages import short_messages
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index import APPLE, SENDER, mail
from tests.contract.test_search_index_size import octets_of_texts
from tests.search_store import SearchStore

PATIENCE = Patience(first=6, most=4, few=2, many=12)


@pytest.fixture
async def searched(data: Path, clock: TurnedClock) -> AsyncIterator[SearchStore]:
    made = await SearchStore.open(data, clock, patience=PATIENCE)
    yield made
    await made.close()


async def come(searched: SearchStore, owner: str, count: int) -> None:
    """So many mails, one by one."""
    for _ in range(count):
        await searched.deliver(owner, [mail("an apple")])
        await searched.indexer.catch_up()


async def waiting(searched: SearchStore) -> list[int]:
    """The messages that wait, whoever has them."""
    path = searched.store.index.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        return [row[0] for row in connection.execute("SELECT message FROM waiting ORDER BY 1")]


async def all_are_found(searched: SearchStore, owner: str, count: int) -> None:
    for criterion in (APPLE, SENDER, TextCriterion(TextScope.TEXT, "apple")):
        found, scanned = await searched.found(owner, criterion)
        assert found == scanned == list(range(1, count + 1)), criterion


async def test_few_messages_wait_and_are_looked_at(searched: SearchStore) -> None:
    await come(searched, "ann", 5)
    assert await waiting(searched) == [1, 2, 3, 4, 5]
    for needle in ("apple", "floccinaucinihil"):
        for scope in (TextScope.BODY, TextScope.TEXT, TextScope.FROM):
            known = await searched.known("ann", TextCriterion(scope, needle))
            assert known is not None
            assert (list(known.sure), list(known.maybe), known.upto) == ([], [1, 2, 3, 4, 5], 5)
    await all_are_found(searched, "ann", 5)
    state = await searched.indexer.state()
    assert (state.messages, state.behind) == (5, 0)


async def test_of_a_new_index_more_wait_than_later(searched: SearchStore) -> None:
    await come(searched, "ann", 6)
    assert await waiting(searched) == []
    known = await searched.known("ann", SENDER)
    assert known is not None
    assert (list(known.sure), list(known.maybe)) == ([1, 2, 3, 4, 5, 6], [])
    await come(searched, "ann", 3)
    assert await waiting(searched) == [7, 8, 9]
    await all_are_found(searched, "ann", 9)
    await come(searched, "ann", 1)
    assert await waiting(searched) == []
    await all_are_found(searched, "ann", 10)


async def test_of_an_account_that_has_many_few_wait(searched: SearchStore) -> None:
    await come(searched, "ann", 14)
    await come(searched, "ann", 1)
    assert await waiting(searched) == [15]
    await come(searched, "ann", 1)
    assert await waiting(searched) == []
    await all_are_found(searched, "ann", 16)


async def test_accounts_wait_each_for_their_own(searched: SearchStore) -> None:
    for _ in range(5):
        for owner in ("ann", "ben", "cy"):
            await come(searched, owner, 1)
    assert len(await waiting(searched)) == 15
    await come(searched, "ben", 1)
    assert len(await waiting(searched)) == 10
    for owner, count in (("ann", 5), ("ben", 6), ("cy", 5)):
        await all_are_found(searched, owner, count)
    known = await searched.known("ben", SENDER)
    assert known is not None
    assert len(known.sure) == 6


async def test_none_waits_of_what_comes_in_a_burst(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "STEP_MESSAGES", 7)
    await searched.deliver("ann", [mail("an apple")] * 9)
    await searched.deliver("ben", [mail("an apple")] * 3)
    await searched.indexer.catch_up()
    assert await waiting(searched) == [10, 11, 12]
    await all_are_found(searched, "ann", 9)
    await all_are_found(searched, "ben", 3)


async def test_large_messages_do_not_wait_for_others(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "_WAITING_OCTETS", 3_000)
    monkeypatch.setattr(catching_up, "_COUNTED_MOST", 2_000)
    await searched.deliver("ann", [mail("an apple " * 1_000)])
    await searched.indexer.catch_up()
    assert await waiting(searched) == [1]
    await searched.deliver("ann", [mail("an apple " * 200)])
    await searched.indexer.catch_up()
    assert await waiting(searched) == []
    await all_are_found(searched, "ann", 2)


async def test_what_is_gone_waits_no_more(searched: SearchStore, clock: TurnedClock) -> None:
    await come(searched, "ann", 5)
    _, inbox = await searched.owner("ann")
    await searched.store.write(lambda tx: tx.messages.remove(inbox, [2, 4]))
    clock.turn(days=2)
    await forget_destroyed(searched.store, clock.now())
    await come(searched, "ann", 1)
    assert await waiting(searched) == []
    known = await searched.known("ann", SENDER)
    assert known is not None
    assert list(known.sure) == [1, 3, 5, 6]


async def test_in_a_segment_that_is_made_anew_small_accounts_wait_as_before(
    searched: SearchStore, clock: TurnedClock
) -> None:
    await come(searched, "ann", 7)
    await come(searched, "ben", 2)
    await searched.indexer.make_stale()
    await searched.indexer.renew()
    assert await waiting(searched) == [8, 9]
    await all_are_found(searched, "ann", 7)
    await all_are_found(searched, "ben", 2)
    assert await searched.indexer.make_worn_stale() == 0
    clock.turn(days=31)
    assert await searched.indexer.make_worn_stale() == 0


async def test_each_segment_has_those_that_wait_for_it(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MESSAGES_A_SEGMENT", 8)
    for _ in range(5):
        await come(searched, "ann", 2)
        await come(searched, "ben", 1)
    segments = await searched.indexer.segments()
    assert [(each.first, each.upto) for each in segments] == [(1, 8), (9, 15)]
    for number in [each.number for each in segments]:
        await searched.indexer.make_stale([number])
        await searched.indexer.renew()
        await all_are_found(searched, "ann", 10)
        await all_are_found(searched, "ben", 5)


async def test_waiting_messages_are_no_reason_to_make_a_segment_anew(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "_TAUGHT_FROM", 4)
    await come(searched, "ann", 5)
    assert await searched.indexer.make_worn_stale() == 0


@pytest.mark.parametrize("again", ["the same", "another"])
async def test_what_was_to_be_added_and_was_not_is_found_and_added(
    searched: SearchStore, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    """Whether the disk ended it or the server was ended, and though no more comes."""

    def interrupted(self: writing.IndexWriter, *args: Any, **named: Any) -> None:
        raise sqlite3.OperationalError("interrupted")

    with monkeypatch.context() as patched:
        patched.setattr(writing.IndexWriter, "put", interrupted)
        patched.setattr(derived_keeper, "trouble_of", lambda error: Trouble.INTERRUPTED)
        await searched.deliver("ben", [mail("an apple")])
        await searched.deliver("ann", [mail("an apple")] * 6)
        with pytest.raises(IndexStopped):
            await searched.indexer.catch_up()
    await all_are_found(searched, "ann", 6)
    if again == "another":
        await searched.indexer.close()
        searched.indexer = SearchIndexer(searched.store, clock, Silence(), PATIENCE)
    await searched.indexer.catch_up()
    assert await waiting(searched) == [1]
    await all_are_found(searched, "ben", 1)
    known = await searched.known("ann", SENDER)
    assert known is not None
    assert (list(known.sure), list(known.maybe)) == ([2, 3, 4, 5, 6, 7], [])


async def test_few_probes_are_kept(searched: SearchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "PROBES_KEPT", 3)
    await come(searched, "ann", 7)
    path = searched.store.index.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        kept = connection.execute("SELECT message FROM probe ORDER BY message").fetchall()
    assert kept == [(5,), (6,), (7,)]


async def test_the_usual_patience_keeps_the_index_of_mail_that_came_one_by_one_small(
    data: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty accounts of twenty mails, and one of 600; with what lies in the log."""
    monkeypatch.setattr(derived_keeper, "_PAUSE_MOST", 0.0)
    made = await SearchStore.open(data, clock, patience=Patience())
    for number, each in enumerate(short_messages(0, 1_000)):
        owner = "ann" if number % 5 < 3 else f"owner{number % 20}"
        await made.deliver(owner, [each])
        await made.indexer.catch_up()
    texts = await octets_of_texts(made)
    assert (await made.indexer.state()).octets <= 0.3 * texts
    await made.close()


def test_who_has_waited_long_enough() -> None:
    usual = Patience()
    one = (1, 2_000)
    assert not usual.is_over([one] * 255, 255, is_first=True)
    assert usual.is_over([one] * 256, 256, is_first=True)
    assert not usual.is_over([one] * 63, 999, is_first=False)
    assert usual.is_over([one] * 64, 999, is_first=False)
    assert not usual.is_over([one] * 7, 1_000, is_first=False)
    assert usual.is_over([one] * 8, 1_000, is_first=True)
    assert not usual.is_over([(1, 1 << 30)] * 15, 15, is_first=True)
    assert usual.is_over([(1, 1 << 30)] * 16, 16, is_first=True)
