"""What is kept of the search index between questions is never older than the index."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailbox_server.store import derived_reading
from mailbox_server.store.derived_reading import Sight
from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.search_index import (
    brief_reading,
    field_reading,
    field_values,
    needles,
)
from mailbox_server.store.search_index.catching_up import Patience
from tests.contract.conftest import TurnedClock
from tests.contract.kept_index import (
    CRITERIA,
    LONG,
    ask_all,
    known,
    mails,
    opened,
    recalled,
)
from tests.contract.test_search_index import mail
from tests.search_store import SearchStore


@pytest.fixture(params=[1, 4])
async def searched(
    data: Path, clock: TurnedClock, request: pytest.FixtureRequest
) -> AsyncIterator[SearchStore]:
    """Sketches are read whole at once, or when they were asked for some times."""
    async with opened(data, clock, request.param) as made:
        yield made


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
