"""Results that are kept up to date, where the text of an attached document is read later."""

from collections.abc import AsyncIterator

import pytest

from mailbox_server.model.ports import Silence
from mailbox_server.store.attached_text import catching_up
from mailbox_server.store.attached_text.catching_up import AttachedTexts
from tests.contract.test_attached_text import NearReader, event
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.world import World


@pytest.fixture
async def driver(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemoryDriver]:
    monkeypatch.setattr(NearReader, "asked", [], raising=False)
    monkeypatch.setattr(catching_up, "ReadingHelper", NearReader)
    driver = MemoryDriver(await World.open())
    await driver.given("account ann with INBOX of 2 messages")
    await driver.connect(1)
    yield driver
    await driver.close()


async def say(driver: MemoryDriver, octets: bytes) -> bytes:
    await driver.send(1, octets)
    return await heard(driver)


async def heard(driver: MemoryDriver) -> bytes:
    came = await driver.receive(1, wait=False)
    return came if isinstance(came, bytes) else b""


async def test_what_a_document_says_comes_to_the_results(driver: MemoryDriver) -> None:
    """RFC 5267 §4.3: though no modseq moves; also where the file is made anew."""
    texts = AttachedTexts(driver.world.store, Silence())
    await driver.world.deliver("ann", "INBOX", event("garden party"))
    await say(driver, b"a SELECT INBOX\r\n")
    told = await say(driver, b"b SEARCH RETURN (UPDATE COUNT) OR BODY garden SUBJECT x\r\n")
    assert b'* ESEARCH (TAG "b") COUNT 0' in told
    assert b"b2 OK" in await say(driver, b"b2 SEARCH RETURN (UPDATE COUNT) SUBJECT garden\r\n")
    await say(driver, b"c IDLE\r\n")
    await texts.catch_up()
    assert await heard(driver) == b'* ESEARCH (TAG "b") ADDTO (0 3)\r\n'
    # One that comes now is read after it was told.
    await driver.world.deliver("ann", "INBOX", event("garden tools"))
    assert b"* 4 EXISTS" in await heard(driver)
    await texts.catch_up()
    assert await heard(driver) == b'* ESEARCH (TAG "b") ADDTO (0 4)\r\n'
    await texts.throw_away("a test")
    await texts.catch_up()
    assert await heard(driver) == b""
    await texts.close()
