"""What is kept of the search index between questions is never older than the index."""

import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.ids import AccountId
from mailbox_server.model.ports import Silence, SystemEntropy
from mailbox_server.store import derived_keeper, derived_reading
from mailbox_server.store.derived_reading import Sight
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import Candidates, TextCriterion, TextScope
from mailbox_server.store.search_index import (
    brief_reading,
    field_reading,
    field_values,
    needles,
)
from mailbox_server.store.search_index.catching_up import Patience
from mailbox_server.store.search_index.field_block import BlockDamaged
from mailbox_server.store.search_index.field_values import FieldBlocks, FieldTable
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index import mail
from tests.search_store import SearchStore
from tests.small_store import SMALL_STORE

PATIENCE_SECONDS = 20.0
LONG = "pear plum " * 2_000
CRITERIA = (
    TextCriterion(TextScope.BODY, "apple"),
    TextCriterion(TextScope.TEXT, "apple"),
    TextCriterion(TextScope.TEXT, "fig tree"),
    TextCriterion(TextScope.FROM, "archer"),
    TextCriterion(TextScope.SUBJECT, "apple"),
    TextCriterion(TextScope.SUBJECT, ""),
    TextCriterion(TextScope.HEADER, "fig", "x-own"),
    TextCriterion(TextScope.BODY, "大阪"),
)


def mails(first: int) -> list[bytes]:
    """Some that are found by each criterion, and some that are not; short ones and long ones."""
    return [
        b"X-Own: fig tree\r\n" + mail("an apple", subject=f"apples {first}"),
        mail(f"{LONG} apple", sender="Bob <bob@example.net>"),
        mail("pears", sender=f"Cy {first} <cy@example.net>"),
        mail("大阪", subject="re: apple"),
        mail(f"{LONG} 大阪 {first}"),
    ]


async def ask_all(searched: SearchStore, owner: str = "ann") -> None:
    """Each question is answered as a scan would; so often that all is kept that can be."""
    for _ in range(3):
        for criterion in CRITERIA:
            found, scanned = await searched.found(owner, criterion)
            assert found == scanned, criterion


@pytest.fixture(params=[1, 4])
async def searched(
    data: Path, clock: TurnedClock, request: pytest.FixtureRequest
) -> AsyncIterator[SearchStore]:
    """Sketches are read whole at once, or when they were asked for some times."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(brief_reading, "_QUESTIONS", request.param)
        # However few the values are.
        patched.setattr(field_values, "_PUT_TOGETHER_PART", 0)
        patched.setattr(derived_keeper, "_PAUSE_MOST", 0.0)
        made = await SearchStore.open(data, clock)
        await made.deliver("ann", mails(0))
        await made.deliver("ben", mails(1))
        await made.indexer.catch_up()
        await ask_all(made)
        yield made
        await made.close()


async def known(searched: SearchStore, criterion: TextCriterion) -> Candidates:
    found = await searched.known("ann", criterion)
    assert found is not None
    return replace(found, sure=[*found.sure])


def recalled(
    searched: SearchStore, owner: AccountId, criterion: TextCriterion
) -> Candidates | None:
    """What is said at once; it may be an array of what else is a list."""
    found = searched.store.recalled_candidates(owner, criterion)
    return None if found is None else replace(found, sure=[*found.sure])


def do_all(jobs: list[Callable[[], None]]) -> None:
    """Those too that a job leaves."""
    while jobs:
        jobs.pop(0)()


async def test_what_came_later_is_found_when_it_was_added(searched: SearchStore) -> None:
    sender = TextCriterion(TextScope.FROM, "archer")
    before = await known(searched, sender)
    await searched.deliver("ann", mails(2))
    await ask_all(searched)
    await searched.indexer.catch_up()
    await ask_all(searched)
    after = await known(searched, sender)
    assert after.upto > before.upto
    assert len(after.sure) > len(before.sure)


async def test_senders_and_subjects_are_answered_at_once_until_the_index_is_written(
    searched: SearchStore,
) -> None:
    ann, _ = await searched.owner("ann")
    for criterion in CRITERIA:
        is_of_values = criterion.scope in (TextScope.FROM, TextScope.SUBJECT)
        wanted = await known(searched, criterion) if is_of_values else None
        assert recalled(searched, ann, criterion) == wanted
    sender = TextCriterion(TextScope.FROM, "archer")
    await searched.deliver("ann", mails(6))
    assert recalled(searched, ann, sender) == await known(searched, sender), (
        "the index does not know it yet"
    )
    await searched.indexer.catch_up()
    assert recalled(searched, ann, sender) is None
    after = await known(searched, sender)
    assert recalled(searched, ann, sender) == after
    await searched.indexer.throw_away("a test does not like it")
    assert recalled(searched, ann, sender) is None


async def test_what_takes_long_is_not_answered_at_once(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, _ = await searched.owner("ann")
    sender = TextCriterion(TextScope.FROM, "archer")
    monkeypatch.setattr(derived_reading, "HASTY_OCTETS", 20)
    assert recalled(searched, ann, sender) is None


async def test_a_long_needle_is_not_normalized_at_once(searched: SearchStore) -> None:
    ann, _ = await searched.owner("ann")
    short, long = (TextCriterion(TextScope.FROM, "\ufdfa" * count) for count in (20, 2_000))
    assert recalled(searched, ann, short) == await known(searched, short)
    assert recalled(searched, ann, long) is None


async def test_what_finds_many_is_not_answered_at_once(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is found is put in order, which takes longer than to find it."""
    ann, _ = await searched.owner("ann")
    many, few = (TextCriterion(TextScope.SUBJECT, needle) for needle in ("", "re: apple"))
    assert len((await known(searched, many)).sure) > 1 == len((await known(searched, few)).sure)
    monkeypatch.setattr(field_values, "FOUND_COST", derived_reading.HASTY_OCTETS // 2)
    assert recalled(searched, ann, few) == await known(searched, few)
    assert recalled(searched, ann, many) is None


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


async def test_what_leaves_much_to_be_looked_at_is_not_answered_at_once(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, _ = await searched.owner("ann")
    pear = TextCriterion(TextScope.SUBJECT, "pear")
    monkeypatch.setattr(searched.indexer, "_rule", Patience())
    await searched.deliver("ann", mails(9))
    await searched.indexer.catch_up()
    wanted = await known(searched, pear)
    assert (len(wanted.sure), len(wanted.maybe)) == (0, 5)
    assert recalled(searched, ann, pear) == wanted
    monkeypatch.setattr(field_reading, "FOUND_COST", derived_reading.HASTY_OCTETS)
    assert recalled(searched, ann, pear) is None


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


async def test_of_an_index_made_anew_all_is_found(searched: SearchStore) -> None:
    await searched.indexer.make_stale()
    await ask_all(searched)
    await searched.indexer.renew()
    await ask_all(searched)


async def test_of_another_file_all_is_found(searched: SearchStore) -> None:
    await searched.indexer.throw_away("a test does not like it")
    assert await searched.known("ann", CRITERIA[0]) is None
    await ask_all(searched)
    await searched.deliver("ann", mails(3))
    await searched.indexer.catch_up()
    await ask_all(searched)
    assert (await known(searched, CRITERIA[0])).upto == 15


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE field SET lines = zeroblob(length(lines))",
        "UPDATE sketch SET bits = zeroblob(length(bits))",
        "UPDATE segment SET first = 2",
        "UPDATE sketched SET messages = zeroblob(length(messages))",
        "DELETE FROM sketch",
    ],
)
async def test_damage_is_noticed_when_it_is_read_and_all_is_found(
    searched: SearchStore, change: str
) -> None:
    """What was kept before stays right."""
    path = searched.store.index.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    await ask_all(searched)
    await searched.deliver("ann", mails(4))
    # What is read now is read from the disk.
    searched.store.index.path = path
    await ask_all(searched)
    assert searched.store.index.path is None
    await searched.indexer.catch_up()
    await ask_all(searched)
    assert (await known(searched, CRITERIA[0])).upto == 15


async def test_a_question_of_many_words_is_one_question(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sketches are read whole with the second one, however many words the first one has."""
    monkeypatch.setattr(brief_reading, "_QUESTIONS", 2)
    monkeypatch.setattr(brief_reading, "_FEW", -1)
    read, made_whole = list[object](), brief_reading._made_whole

    def counted(sight: Sight, block: brief_reading._Block) -> brief_reading._Block:
        read.append(block)
        return made_whole(sight, block)

    monkeypatch.setattr(brief_reading, "_made_whole", counted)
    await searched.deliver("ann", mails(8))
    await searched.indexer.catch_up()
    words = TextCriterion(TextScope.BODY, "an apple, an apple pie, pears")
    await known(searched, words)
    assert not read
    await known(searched, words)
    assert read


async def test_without_room_for_anything_the_same_is_found(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searched.store.index, "_kept_octets", 0)
    monkeypatch.setattr(brief_reading, "_WHOLE_MOST", 0)
    await searched.deliver("ann", mails(5))
    await searched.indexer.catch_up()
    await ask_all(searched)


async def test_where_a_few_trigrams_say_too_little_all_are_asked(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where these are in many texts, only those of the account are gone through."""
    monkeypatch.setattr(needles, "_FEW", 1)
    # Parts of the needle are in it, far from each other; and as many texts are somebody else's.
    scrambled = f"{LONG} quizz zaci iously"
    whole = f"{LONG} quizzaciously"
    await searched.deliver("ann", [mail(scrambled)] * 3 + [mail(whole)] * 2)
    await searched.deliver("ben", [mail(whole)] * 4)
    await searched.indexer.catch_up()
    rare = TextCriterion(TextScope.BODY, "quizzaciously")
    for some in (500, 5, 1):
        monkeypatch.setattr(needles, "_SOME", some)
        assert await searched.found("ann", rare) == ([9, 10], [9, 10])
    assert set((await known(searched, rare)).maybe) >= {14, 15}
