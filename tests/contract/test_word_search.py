"""Words are searched in all mailboxes of an account, whether the index knows them yet or not."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from mailbox_server.store.ports import Scored, WordMatch, WordScope, WordTerm
from mailbox_server.store.word_search import search_words
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index import mail
from tests.search_store import SearchStore


@pytest.fixture(params=["indexed", "half", "not indexed"])
async def searched(
    request: pytest.FixtureRequest, data: Path, clock: TurnedClock
) -> AsyncIterator[SearchStore]:
    made = await SearchStore.open(data, clock)
    texts = [
        mail("income tax", subject="x"),
        mail("nothing of it", subject="Tax of income"),
        mail("taxes and income, income, income"),
        mail("東京都庁の大阪"),
    ]
    await made.deliver("ben", [mail("income tax")])
    await made.deliver("ann", texts[:2])
    if request.param != "not indexed":
        await made.indexer.catch_up()
    await made.deliver("ann", texts[2:])
    if request.param == "indexed":
        await made.indexer.catch_up()
    yield made
    await made.close()


async def found(searched: SearchStore, *terms: WordTerm) -> Sequence[Scored]:
    account, _ = await searched.owner("ann")
    return await search_words(searched.store, account, terms)


def messages(scored: Sequence[Scored]) -> list[int]:
    return [each.message for each in scored]


async def test_the_best_comes_first(searched: SearchStore) -> None:
    assert messages(await found(searched, WordTerm("income tax"))) == [3, 2]
    scores = [each.score for each in await found(searched, WordTerm("income tax"))]
    assert scores[0] > scores[1] > 0


async def test_all_terms_must_be_there(searched: SearchStore) -> None:
    terms = (WordTerm("tax", WordMatch.PREFIX), WordTerm("income", scope=WordScope.BODY))
    assert sorted(messages(await found(searched, *terms))) == [2, 4]


async def test_a_phrase_is_found_as_one(searched: SearchStore) -> None:
    assert messages(await found(searched, WordTerm("income tax", WordMatch.PHRASE))) == [2]


async def test_scripts_without_spaces_are_found_inside(searched: SearchStore) -> None:
    for word in ("京都", "大阪", "庁"):
        assert messages(await found(searched, WordTerm(word))) == [5]


async def test_short_words_are_found(searched: SearchStore) -> None:
    assert messages(await found(searched, WordTerm("of"))) == [3]


async def test_who_wants_some_messages_gets_those(searched: SearchStore) -> None:
    account, _ = await searched.owner("ann")
    scored = await search_words(searched.store, account, [WordTerm("income")], among={2, 4, 1})
    assert sorted(messages(scored)) == [2, 4]


async def test_expunged_messages_are_not_found(searched: SearchStore) -> None:
    _, inbox = await searched.owner("ann")
    await searched.store.write(lambda tx: tx.messages.remove(inbox, [1]))
    assert messages(await found(searched, WordTerm("income tax"))) == [3]
    assert 2 not in messages(await found(searched, WordTerm("of")))


@pytest.mark.parametrize("word", ["京都", "庁", "東京都庁"])
async def test_what_others_have_makes_no_word_less_rare(searched: SearchStore, word: str) -> None:
    """Nor what is gone: a word weighs by the account's own live messages."""
    await searched.indexer.catch_up()
    before = await found(searched, WordTerm(word))
    await searched.deliver("ben", [mail("東京都庁の大阪")] * 2)
    _, inbox = await searched.owner("ann")
    await searched.deliver("ann", [mail("東京都庁")])
    await searched.store.write(lambda tx: tx.messages.remove(inbox, [5]))
    await searched.indexer.catch_up()
    assert await found(searched, WordTerm(word)) == before
