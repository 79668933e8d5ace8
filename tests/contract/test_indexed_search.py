"""IMAP's searches, selected or not, look only at messages that the index cannot decide."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.imap.facts import uids_by_message
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.search_criteria import parse_search
from mailbox_server.imap.grammar.search_keys import SearchKey
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.search.indexed import Answers
from mailbox_server.imap.search.matching import matches
from mailbox_server.imap.search.searched import Searched, unselected
from mailbox_server.imap.search.text_turns import TextTurns
from mailbox_server.imap.views.selected import Access
from mailbox_server.imap.views.shared_views import SharedViews
from mailbox_server.model.ids import AccountId
from mailbox_server.model.ports import Silence
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.store import text_search
from mailbox_server.store.ports import Candidates, TextCriterion
from mailbox_server.store.search import Search
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index import mail
from tests.search_store import SearchStore


def key(words: str) -> SearchKey:
    return parse_search(Lexer(f" {words}".encode()), By.NUMBER).key


@pytest.fixture
async def searched(data: Path, clock: TurnedClock) -> AsyncIterator[SearchStore]:
    """Message n of 40 says "fruit n" in its subject; every tenth has an apple."""
    made = await SearchStore.open(data, clock)
    fruits = ["apple" if number % 10 == 0 else "pear" for number in range(1, 41)]
    texts = [mail(f"a {each}", subject=f"fruit {place}.") for place, each in enumerate(fruits, 1)]
    await made.deliver("ann", texts[:39])
    await made.indexer.catch_up()
    await made.deliver("ann", texts[39:])
    yield made
    await made.close()


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_fields_too_long_to_be_listed_are_searched_whole(
    data: Path, clock: TurnedClock, is_indexed: bool
) -> None:
    """To has 96 KiB, and Date a zone in which the day is another."""
    many = "".join(f"member{number:04}@example.org,\r\n " for number in range(3_000))
    fields = f"Date: Thu, 1 Jan 2026 23:30:00 -0500\r\nTo: {many}last@example.org\r\n"
    made = await SearchStore.open(data, clock)
    await made.deliver("ann", [fields.encode() + mail("x"), mail("x")] * 20)
    if is_indexed:
        await made.indexer.catch_up()
    account, inbox = await made.owner("ann")
    owner = await made.store.read(lambda tx: tx.accounts.get(account))
    mailbox = await made.store.read(lambda tx: tx.mailboxes.get(inbox))
    assert owner is not None and mailbox is not None
    for words in ("TO last@", "HEADER To last@", "TEXT last@", "SENTON 1-Jan-2026"):
        asked = key(words)
        view = await made.store.read(unselected(mailbox, owner, asked))
        found = await matches(made.store, view, asked, clock, TextTurns())
        assert found == list(range(1, 41, 2)), words
    await made.close()


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The UIDs that were looked at."""
    seen: list[int] = []
    matching = text_search.matching

    def counted(*arguments: Any) -> list[int]:
        seen.extend(arguments[5])
        return matching(*arguments)

    monkeypatch.setattr(text_search, "matching", counted)
    return seen


@pytest.fixture(params=["selected", "selected, of many", "not selected"])
async def view(
    request: pytest.FixtureRequest, searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Searched]:
    """Of many messages, those that the index names are not looked for among all."""
    if request.param == "selected, of many":
        monkeypatch.setattr(uids_by_message, "MANY", 0)
    account, inbox = await searched.owner("ann")
    if request.param == "not selected":
        owner = await searched.store.read(lambda tx: tx.accounts.get(account))
        mailbox = await searched.store.read(lambda tx: tx.mailboxes.get(inbox))
        assert owner is not None and mailbox is not None
        yield await searched.store.read(unselected(mailbox, owner, key("TEXT x")))
        return
    tasks = TaskKeeper(lambda name, fault: None)
    views = SharedViews(searched.store, tasks, Silence(), 1 << 27)
    opened = await views.open(account, inbox, Access.READ_ONLY, lambda: None)
    yield opened
    await opened.close()
    await tasks.drain(10)


@pytest.mark.parametrize(
    ("words", "uids", "looked"),
    [
        ("BODY apple", [10, 20, 30, 40], [40]),
        ('BODY "a apple"', [10, 20, 30, 40], [10, 20, 30, 40]),
        ('SUBJECT "fruit 3."', [3], [40]),
        ("FROM archer", list(range(1, 41)), [40]),
        ("FROM fletcher", [], [40]),
        ("NOT BODY pear BODY ppl", [10, 20, 30, 40], None),
        ('LARGER 1 BODY "a apple"', [10, 20, 30, 40], [10, 20, 30, 40]),
        ('5:25 TEXT "a apple"', [10, 20], [10, 20]),
        ("5:25 TEXT apple", [10, 20], []),
        ("30:* TEXT apple", [30, 40], list(range(30, 41))),
    ],
)
async def test_only_what_is_not_decided_is_looked_at(
    searched: SearchStore,
    view: Searched,
    looked_at: list[int],
    clock: TurnedClock,
    words: str,
    uids: list[int],
    looked: list[int] | None,
) -> None:
    """Message 40 is newer than the index; of 20 messages and less the index is not asked."""
    assert await matches(searched.store, view, key(words), clock, TextTurns()) == uids
    if looked is not None:
        assert looked_at == looked


async def test_of_many_mailboxes_the_index_is_asked_once(
    searched: SearchStore,
    view: Searched,
    looked_at: list[int],
    clock: TurnedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is asked although the first have few messages, and of these none is looked at."""
    asked: list[TextCriterion] = []
    candidates = Search.candidates

    def counted(self: Search, account: AccountId, criterion: TextCriterion) -> Candidates | None:
        asked.append(criterion)
        return candidates(self, account, criterion)

    monkeypatch.setattr(Search, "candidates", counted)
    answers = Answers(searched.store, few=0)
    turns = TextTurns()
    for words, uids in (("1:3 BODY apple", []), ("BODY apple", [10, 20, 30, 40])):
        found = await matches(searched.store, view, key(words), clock, turns, answers=answers)
        assert found == uids
    assert len(asked) == 1
    assert looked_at == [40]
