"""What scripts cannot say of FUZZY: time that is up while messages are scored."""

from collections.abc import AsyncIterator
from importlib import import_module

import pytest

from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.test_imap_esearch import answer
from tests.dialogues.imap.world import World

search = import_module("mailbox_server.imap.commands.search")


@pytest.fixture
async def driver() -> AsyncIterator[MemoryDriver]:
    made = MemoryDriver(await World.open())
    yield made
    await made.close()


@pytest.mark.parametrize(
    "line",
    [
        b"SEARCH RETURN (SAVE RELEVANCY) FUZZY TEXT message",
        b"SORT RETURN (SAVE ALL) (RELEVANCY) UTF-8 FUZZY TEXT message",
    ],
)
async def test_when_time_is_up_nothing_stays_saved(
    driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    """RFC 5182 §2.1: a search that fails leaves nothing saved."""
    await driver.given("account ann with INBOX of 2 messages")
    await answer(driver, b"SELECT INBOX")
    await answer(driver, b"SEARCH RETURN (SAVE) ALL", connects=False)
    monkeypatch.setattr(search, "SECONDS_MOST", -1.0)
    assert b"a NO [LIMIT] " in await answer(driver, line, connects=False)
    assert b" COUNT 0" in await answer(driver, b"SEARCH RETURN (COUNT) $", connects=False)
