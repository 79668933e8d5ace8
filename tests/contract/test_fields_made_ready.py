"""What is asked again about header fields is made ready beside the answers, and never stale."""

import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.ports import Silence, SystemEntropy
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.search_index import (
    field_reading,
)
from mailbox_server.store.search_index.field_block import BlockDamaged
from mailbox_server.store.search_index.field_values import FieldBlocks, FieldTable
from tests.contract.conftest import TurnedClock
from tests.contract.kept_index import (
    ask_all,
    do_all,
    known,
    mails,
    opened,
    recalled,
)
from tests.contract.test_search_index import mail
from tests.search_store import SearchStore
from tests.small_store import SMALL_STORE

PATIENCE_SECONDS = 20.0


@pytest.fixture
async def searched(data: Path, clock: TurnedClock) -> AsyncIterator[SearchStore]:
    async with opened(data, clock, questions=4) as made:
        yield made


async def test_a_table_is_made_beside_the_answers(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it: until it is there blocks answer."""
    ann, _ = await searched.owner("ann")
    sender = TextCriterion(TextScope.FROM, "archer")
    jobs, made = list[Callable[[], None]](), list[FieldTable | None]()
    monkeypatch.setattr(searched.store.index, "beside", jobs.append)
    monkeypatch.setattr(field_reading, "_make_ready", lambda account, sight: None)
    make = FieldBlocks.table
    monkeypatch.setattr(
        FieldBlocks, "table", lambda blocks, most: made.append(make(blocks, most)) or made[-1]
    )
    await searched.deliver("ann", mails(7))
    await searched.indexer.catch_up()
    wanted = await known(searched, sender)
    for _ in range(4):
        assert recalled(searched, ann, sender) == wanted
    assert not made
    do_all(jobs)
    (table,) = made
    assert table is not None
    asked, found = list[object](), FieldTable.found
    monkeypatch.setattr(
        FieldTable, "found", lambda table, *told: asked.append(table) or found(table, *told)
    )
    assert recalled(searched, ann, sender) == wanted
    assert asked == [table]


async def test_with_one_field_the_others_of_the_account_are_made_ready(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks for a sender looks for a subject next."""
    jobs = list[Callable[[], None]]()
    monkeypatch.setattr(searched.store.index, "beside", jobs.append)
    await searched.deliver("ann", [*mails(7), *mails(7)])
    await searched.deliver("ben", mails(7))
    await searched.indexer.catch_up()
    (ann, _), (ben, _) = [await searched.owner(each) for each in ("ann", "ben")]
    sender, subject = (
        TextCriterion(*each) for each in ((TextScope.FROM, "archer"), (TextScope.SUBJECT, "apple"))
    )
    wanted = await known(searched, sender)
    assert recalled(searched, ann, sender) == wanted
    assert recalled(searched, ann, subject) is None
    do_all(jobs)
    asked, found = list[object](), FieldTable.found
    monkeypatch.setattr(
        FieldTable, "found", lambda table, *told: asked.append(table) or found(table, *told)
    )
    of_subject = recalled(searched, ann, subject)
    assert of_subject is not None
    assert len(asked) == 1
    assert recalled(searched, ben, subject) is None
    assert of_subject == await known(searched, subject)
    assert searched.store.index.path is not None
    await ask_all(searched)


async def test_what_is_large_is_made_ready_only_where_it_is_asked_for(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = list[Callable[[], None]]()
    monkeypatch.setattr(searched.store.index, "beside", jobs.append)
    monkeypatch.setattr(field_reading, "OCTETS_A_QUESTION", 60)
    await searched.deliver("ann", mails(7))
    await searched.indexer.catch_up()
    ann, _ = await searched.owner("ann")
    sender = TextCriterion(TextScope.FROM, "archer")
    wanted = await known(searched, sender)
    assert recalled(searched, ann, sender) == wanted
    do_all(jobs)
    for scope in (TextScope.CC, TextScope.SUBJECT):
        criterion = TextCriterion(scope, "apple")
        assert (recalled(searched, ann, criterion) is None) == (scope is TextScope.SUBJECT)


async def test_of_what_is_large_a_table_is_made_after_more_questions(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes long, and who asks once or twice has nothing of it."""
    made, make = list[FieldBlocks](), FieldBlocks.table
    monkeypatch.setattr(
        FieldBlocks, "table", lambda blocks, most: made.append(blocks) or make(blocks, most)
    )
    monkeypatch.setattr(field_reading, "_make_ready", lambda account, sight: None)
    sender = TextCriterion(TextScope.FROM, "archer")
    ann, _ = await searched.owner("ann")
    for more in (0, 1, 3):
        if made:
            monkeypatch.setattr(field_reading, "OCTETS_A_QUESTION", made[0].octets // more)
        made.clear()
        await searched.deliver("ben", mails(7))
        await searched.indexer.catch_up()
        await known(searched, sender)
        counts = [len(made)]
        for _ in range(5):
            assert recalled(searched, ann, sender) is not None
            counts.append(len(made))
        assert counts == [0] * more + [1] * (6 - more)


async def test_of_what_does_not_fit_together_little_is_made(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who ask in turn let each other's go: a table is made of what is asked again meanwhile,
    and is there when its turn comes."""
    jobs, made = list[Callable[[], None]](), list[FieldBlocks]()
    monkeypatch.setattr(searched.store.index, "beside", jobs.append)
    monkeypatch.setattr(FieldBlocks, "table", lambda blocks, most: made.append(blocks))
    long = "a" * 2_000
    await searched.deliver(
        "ann", [f"To: {long}\r\n".encode() + mail("", subject=long, sender=long)]
    )
    monkeypatch.setattr(searched.store.index, "_kept_octets", 6_000)
    await searched.indexer.catch_up()
    ann, _ = await searched.owner("ann")
    scopes = TextScope.FROM, TextScope.TO, TextScope.SUBJECT
    for scope in 5 * scopes:
        criterion = TextCriterion(scope, "apple")
        assert recalled(searched, ann, criterion) is None, "others are kept"
        await known(searched, criterion)
    assert len(jobs) == 2, "of those that came before there was too little room"
    do_all(jobs)
    assert len(made) == 1, "one is kept"
    sender = TextCriterion(TextScope.FROM, "apple")
    await known(searched, sender)
    assert jobs == []
    for _ in range(3):
        assert recalled(searched, ann, sender) is not None
    assert len(jobs) == 1


async def test_a_field_of_just_so_much_has_its_table_after_a_question_more(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has it read."""
    made, make = list[FieldBlocks](), FieldBlocks.table
    monkeypatch.setattr(
        FieldBlocks, "table", lambda blocks, most: made.append(blocks) or make(blocks, most)
    )
    ann, _ = await searched.owner("ann")
    sender, subject = (TextCriterion(each, "apple") for each in (TextScope.FROM, TextScope.SUBJECT))
    await searched.deliver("ben", mails(7))
    await searched.indexer.catch_up()
    await known(searched, subject)
    (blocks,) = made
    monkeypatch.setattr(field_reading, "OCTETS_A_QUESTION", blocks.octets)
    made.clear()
    await searched.deliver("ben", mails(7))
    await searched.indexer.catch_up()
    await known(searched, sender)
    for _ in range(3):
        recalled(searched, ann, sender)
    for _ in range(3):
        await known(searched, subject)
    assert blocks.octets in [each.octets for each in made]


async def test_nothing_is_made_ready_of_an_index_that_was_written_meanwhile(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither before the work begins, nor where it is at work."""
    jobs = list[Callable[[], None]]()
    monkeypatch.setattr(searched.store.index, "beside", jobs.append)
    ann, _ = await searched.owner("ann")
    sender, subject = (TextCriterion(each, "apple") for each in (TextScope.FROM, TextScope.SUBJECT))
    octets_of = field_reading._octets
    for at_work in (False, True):
        await searched.deliver("ann", mails(8))
        await searched.indexer.catch_up()
        wanted = await known(searched, sender)
        assert recalled(searched, ann, sender) == wanted
        path = searched.store.index.path
        assert path is not None

        def octets(*told: Any, path: Path = path) -> float:
            with searched.store.index.changing(path), sqlite3.connect(path) as connection:
                connection.execute("UPDATE field SET number = number + 100 WHERE number < 100")
            return octets_of(*told)

        if at_work:
            monkeypatch.setattr(field_reading, "_octets", octets)
        else:
            searched.store.index.path = path
        do_all(jobs)
        assert recalled(searched, ann, subject) is None
        monkeypatch.setattr(field_reading, "_octets", octets_of)


async def test_a_damaged_block_that_a_table_is_made_of_is_noticed(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, _ = await searched.owner("ann")
    sender = TextCriterion(TextScope.FROM, "archer")

    def damaged(_: FieldBlocks, most: int) -> FieldTable:
        raise BlockDamaged("a value has no numbers")

    monkeypatch.setattr(FieldBlocks, "table", damaged)
    await searched.deliver("ann", mails(7))
    await searched.indexer.catch_up()
    await known(searched, sender)
    assert searched.store.index.is_damaged
    assert recalled(searched, ann, sender) is None
    await ask_all(searched)


async def test_reads_are_answered_while_something_is_made_beside_answers(
    data: Path, clock: TurnedClock
) -> None:
    """Making a table takes up to a second, and several may be due."""
    store = await SqliteStore.open(
        data, SMALL_STORE, clock, SystemEntropy(), Silence(), lambda error: None
    )
    go, made = threading.Event(), list[int]()

    def make(number: int) -> None:
        go.wait(PATIENCE_SECONDS)
        made.append(number)

    several = range(store.settings.readers + 1)
    for number in several:
        store.index.beside(partial(make, number))
    try:
        assert await store.read(lambda tx: len(made)) == 0
    finally:
        go.set()
        await store.close()
    assert made == [*several]


async def test_a_table_of_an_index_that_was_written_meanwhile_is_not_made(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, _ = await searched.owner("ann")
    sender = TextCriterion(TextScope.FROM, "archer")
    jobs, make = list[Callable[[], None]](), FieldBlocks.table
    made: list[FieldBlocks] = []
    monkeypatch.setattr(searched.store.index, "beside", jobs.append)
    monkeypatch.setattr(
        FieldBlocks, "table", lambda blocks, most: made.append(blocks) or make(blocks, most)
    )
    await searched.deliver("ann", mails(7))
    await searched.indexer.catch_up()
    await known(searched, sender)
    recalled(searched, ann, sender)
    await searched.deliver("ann", mails(8))
    await searched.indexer.catch_up()
    do_all(jobs)
    assert not made
    await ask_all(searched)
