"""A search of many mailboxes reads those alone in which the index says that something may be."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.search_criteria import parse_search
from mailbox_server.imap.grammar.search_keys import SearchKey
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.search.indexed import Answers
from mailbox_server.imap.search.matching import matches
from mailbox_server.imap.search.reading_ahead import ReadingAhead, may_match
from mailbox_server.imap.search.text_turns import TextTurns
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.store import search
from mailbox_server.store.ports import ReadTx
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index import mail
from tests.search_store import SearchStore


def key(words: str) -> SearchKey:
    return parse_search(Lexer(f" {words}".encode()), By.NUMBER).key


@pytest.fixture
async def searched(data: Path, clock: TurnedClock) -> AsyncIterator[SearchStore]:
    """Ann's mail of apples lies in a and b, of pears in b and c, and a newer one in d."""
    made = await SearchStore.open(data, clock)
    account, inbox = await made.owner("ann")
    places = await made.store.write(
        lambda tx: {name: tx.mailboxes.create(account, name).id for name in "abcde"}
    )
    await made.deliver("ben", [mail("apple")])
    apple, pear = await made.deliver("ann", [mail("apple"), mail("pear")])
    for uid, names in ((apple.uid, "ab"), (pear.uid, "bc")):
        for name in names:
            await made.store.write(
                lambda tx, uid=uid, name=name: tx.messages.copy(inbox, [uid], places[name])
            )
    await made.indexer.catch_up()
    (newer,) = await made.deliver("ann", [mail("quince")])
    await made.store.write(lambda tx: tx.messages.move(inbox, [newer.uid], places["d"]))
    yield made
    await made.close()


def read(tx: ReadTx, account: AccountId) -> tuple[list[Mailbox], dict[MailboxId, int]]:
    return tx.mailboxes.all(account), dict(tx.mailboxes.filled(account))


async def names_that_may_match(searched: SearchStore, words: str) -> list[str]:
    account, _ = await searched.owner("ann")
    mailboxes, counts = await searched.store.read(lambda tx: read(tx, account))
    answers = Answers(searched.store, few=0)
    found = await may_match(searched.store, answers, key(words), mailboxes, counts)
    return [each.name for each in found]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("ALL", ["INBOX", "a", "b", "c", "d"]),
        ("BODY apple", ["INBOX", "a", "b", "d"]),
        ("SEEN TEXT pear", ["INBOX", "b", "c", "d"]),
        ("BODY apple BODY pear", ["INBOX", "b", "d"]),
        ("BODY nowhere", ["d"]),
        ("OR BODY apple SEEN", ["INBOX", "a", "b", "c", "d"]),
        ("NOT BODY apple", ["INBOX", "a", "b", "c", "d"]),
    ],
)
async def test_where_no_candidate_lies_is_left_out(
    searched: SearchStore, words: str, names: list[str]
) -> None:
    """The newer one may be anything, but is in INBOX no more."""
    assert await names_that_may_match(searched, words) == names


async def test_where_they_are_too_many_none_is_left_out(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_PLACEMENTS", 3)
    assert await names_that_may_match(searched, "BODY apple") == ["INBOX", "a", "b", "c", "d"]
    monkeypatch.setattr(search, "_PLACEMENTS", 4)
    assert await names_that_may_match(searched, "BODY apple") == ["INBOX", "a", "b", "d"]


@pytest.mark.parametrize("words", ["BODY apple", "TEXT pear", "NOT BODY pear", "BODY quince"])
async def test_what_is_found_is_what_each_mailbox_has(
    searched: SearchStore, clock: TurnedClock, words: str
) -> None:
    store, asked = searched.store, key(words)
    account, _ = await searched.owner("ann")
    ann = await store.read(lambda tx: tx.accounts.get(account))
    assert ann is not None
    mailboxes = await store.read(lambda tx: tx.mailboxes.all(account))
    found: list[dict[str, list[int]]] = []
    for narrows in (True, False):
        ahead = ReadingAhead(store, ann, asked, mailboxes)
        if narrows:
            await ahead.leave_out(Answers(store, few=0))
        uids: dict[str, list[int]] = {}
        for each in mailboxes:
            seen = await ahead.take()
            if seen is not None:
                uids[each.name] = await matches(store, seen, asked, clock, TextTurns())
        ahead.close()
        found.append({name: matched for name, matched in uids.items() if matched})
    assert found[0] == found[1] and found[0]


@pytest.mark.parametrize("words", ["ALL", "BODY apple"])
async def test_mail_that_comes_meanwhile_is_found(
    searched: SearchStore, clock: TurnedClock, words: str
) -> None:
    """In mailboxes that were read ahead, and where there was nothing to be found before."""
    store, asked = searched.store, key(words)
    account, inbox = await searched.owner("ann")
    ann = await store.read(lambda tx: tx.accounts.get(account))
    assert ann is not None
    mailboxes = await store.read(lambda tx: tx.mailboxes.all(account))
    answers = Answers(store, few=0)
    ahead = ReadingAhead(store, ann, asked, mailboxes)
    await ahead.leave_out(answers)
    counts: dict[str, int] = {}
    for each in mailboxes:
        seen = await ahead.take()
        if seen is not None:
            found = await matches(store, seen, asked, clock, TextTurns(), answers=answers)
            counts[each.name] = len(found)
        if each.id == inbox:
            (newer,) = await searched.deliver("ann", [mail("apple")])
            for place in mailboxes[1:]:
                await store.write(
                    lambda tx, uid=newer.uid, place=place: tx.messages.copy(inbox, [uid], place.id)
                )
    ahead.close()
    there = {"a": 2, "b": 3, "c": 2, "d": 2, "e": 1}
    apples = {"a": 2, "b": 2, "c": 1, "d": 1, "e": 1}
    assert {name: counts[name] for name in there} == (there if words == "ALL" else apples)
