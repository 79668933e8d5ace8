"""Of a text that very many messages hold the index does not say which: all are looked at."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.search_index import briefs, field_reading, reading
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index import mail
from tests.search_store import SearchStore

MOST = 3
SHORT, LONG = "a word", "a word, a word, " * 500
WORD = TextCriterion(TextScope.BODY, "word")
SUBJECT = TextCriterion(TextScope.SUBJECT, "plum")


@pytest.fixture(params=[briefs.LEARNED_FROM, 100], ids=["words", "sketches"])
async def searched(
    data: Path, clock: TurnedClock, request: pytest.FixtureRequest
) -> AsyncIterator[SearchStore]:
    """Three messages are as many as are told apart; of short texts words are known, or none."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(briefs, "LEARNED_FROM", request.param)
        patched.setattr(reading, "MOST", MOST)
        patched.setattr(reading, "MANY", 1)
        patched.setattr(field_reading, "MOST", MOST)
        made = await SearchStore.open(data, clock)
        yield made
        await made.close()


@pytest.mark.parametrize("texts", [[SHORT], [LONG], [SHORT, LONG]], ids=["short", "long", "both"])
@pytest.mark.parametrize("count", [1, 3, 4])
async def test_as_many_are_told_and_no_more(
    searched: SearchStore, texts: list[str], count: int
) -> None:
    """However often it is asked, and so whatever is kept."""
    mails = [mail(text, subject="plum") for text in texts] * count
    await searched.deliver("ann", mails)
    await searched.indexer.catch_up()
    for criterion in 3 * (WORD, SUBJECT):
        known = await searched.known("ann", criterion)
        assert (known is None) == (len(mails) > MOST), criterion
        found, scanned = await searched.found("ann", criterion)
        assert found == scanned == [*range(1, len(mails) + 1)]
