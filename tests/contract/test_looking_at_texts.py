"""Looking at texts finds the same whether UIDs are asked for in ranges or lie apart."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.store.ports import TextCriterion, TextScope
from tests.contract.conftest import TurnedClock
from tests.search_store import SearchStore

_MESSAGES = 60
_LONG = "pear " * 60_000


@pytest.fixture
async def searched(data: Path, clock: TurnedClock) -> AsyncIterator[SearchStore]:
    """Messages of which each third says apple, in a place that is its own."""
    made = await SearchStore.open(data, clock)
    await made.deliver("ann", [_mail(number) for number in range(1, _MESSAGES + 1)])
    yield made
    await made.close()


def _mail(number: int) -> bytes:
    is_meant = number % 3 == 0
    word = "apple" if is_meant else "plum"
    places = (number // 3) % 4
    own = word if places == 0 else "fig"
    encoded = f"=?utf-8?q?{word.replace('a', '=61')}?=" if places == 1 else "fig"
    body = word if places == 2 else "fig"
    far = f"{_LONG}{word}" if places == 3 else "fig"
    return (
        f"Subject: {encoded}\r\nX-Own: {own}\r\nX-Lost : fig\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n{far}\r\n"
    ).encode()


async def _found(searched: SearchStore, scope: TextScope, uids: list[int]) -> list[int]:
    _, inbox = await searched.owner("ann")
    criterion = TextCriterion(scope, "apple")
    return await searched.store.read(lambda tx: tx.messages.matching(inbox, criterion, uids))


@pytest.mark.parametrize("apart", [1, 2, 3])
async def test_what_lies_apart_is_found_as_what_lies_together(
    searched: SearchStore, apart: int
) -> None:
    uids = list(range(1, _MESSAGES + 1, apart))
    meant = [uid for uid in uids if uid % 3 == 0]
    assert await _found(searched, TextScope.TEXT, uids) == meant
    in_body = [uid for uid in meant if (uid // 3) % 4 in (2, 3)]
    assert await _found(searched, TextScope.BODY, uids) == in_body
    in_subject = [uid for uid in meant if (uid // 3) % 4 == 1]
    assert await _found(searched, TextScope.SUBJECT, uids) == in_subject


async def test_a_view_with_gaps_is_looked_at(searched: SearchStore) -> None:
    """Its UIDs are no list, and all of them are asked for."""
    _, inbox = await searched.owner("ann")
    gone = list(range(1, _MESSAGES + 1, 4))
    await searched.store.write(lambda tx: tx.messages.remove(inbox, gone))
    uids = (await searched.store.read(lambda tx: tx.messages.view(inbox))).uids
    meant = [uid for uid in uids if uid % 3 == 0]
    criterion = TextCriterion(TextScope.TEXT, "apple")
    found = await searched.store.read(lambda tx: tx.messages.matching(inbox, criterion, uids))
    assert found == meant


async def test_one_damaged_content_hides_no_other(searched: SearchStore) -> None:
    """Of itself the header is hidden that is nowhere but in the content."""

    def damage(tx: Any) -> None:
        tx.sql.scratch.execute(
            "UPDATE content SET checksums = zeroblob(length(checksums)) WHERE id = 12"
        )

    await searched.store.write(damage)
    uids = list(range(2, _MESSAGES + 1, 2))
    meant = [uid for uid in uids if uid % 3 == 0 and uid != 12]
    assert await _found(searched, TextScope.TEXT, uids) == meant


async def _of_little(searched: SearchStore, scope: TextScope, uid: int, most: int) -> Any:
    """What is said of one message; its UID and the first are asked for."""
    _, inbox = await searched.owner("ann")
    criterion = TextCriterion(scope, "apple", "X-Own" if scope is TextScope.HEADER else "")
    return await searched.store.read(
        lambda tx: tx.messages.matching_of_little(inbox, criterion, [1, uid], most)
    )


async def test_nothing_is_said_where_more_is_to_be_looked_through(searched: SearchStore) -> None:
    """In a text that is stored, in what was too much to be stored, and in a header."""
    await searched.deliver(
        "ann",
        [
            _mail(9),
            b"Subject: a\r\n\r\n" + b"pear " * 250_000 + b"apple\r\n",
            b"Subject: a\r\nX-Fill: " + b"fig\r\n " * 20_000 + b"fig\r\nX-Own: apple\r\n\r\nb\r\n",
        ],
    )
    text, cut, header = _MESSAGES + 1, _MESSAGES + 2, _MESSAGES + 3
    for scope, uid, too_little, enough in (
        (TextScope.BODY, text, 250_000, 350_000),
        (TextScope.TEXT, text, 250_000, 350_000),
        (TextScope.BODY, cut, 1_500_000, 2_200_000),
        (TextScope.TEXT, cut, 1_500_000, 2_200_000),
        (TextScope.TEXT, header, 90_000, 130_000),
        (TextScope.HEADER, header, 90_000, 130_000),
    ):
        assert await _of_little(searched, scope, uid, too_little) is None, scope
        assert await _of_little(searched, scope, uid, enough) == [uid], scope
