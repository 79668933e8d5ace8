"""A store whose search index was asked, so that what can be is kept between questions."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mailbox_server.model.ids import AccountId
from mailbox_server.store import derived_keeper
from mailbox_server.store.ports import Candidates, TextCriterion, TextScope
from mailbox_server.store.search_index import (
    brief_reading,
    field_values,
)
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index import mail
from tests.search_store import SearchStore

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


@asynccontextmanager
async def opened(data: Path, clock: TurnedClock, questions: int) -> AsyncIterator[SearchStore]:
    """A store whose index has some mail of two accounts, of which all is kept.

    questions: with which sketches are read whole.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(brief_reading, "_QUESTIONS", questions)
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
