"""A mailbox whose view was given back to memory: who looks at it again is told as if it had not."""

from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.shared_inbox import say
from tests.dialogues.imap.world import World

SETS = 128
"""Of flags, each of which stands with and without \\Deleted: not all fit in an octet."""


async def test_what_was_expunged_may_have_had_flags_that_nothing_else_has() -> None:
    """Of the last of many sets of flags, where what is left needs but a few of them."""
    driver = MemoryDriver(await World.open())
    driver.world.views.most_octets = 0
    await driver.given(f"account ann with INBOX of {SETS} messages")
    for client in (1, 2):
        await driver.connect(client)
        await say(driver, b"a SELECT INBOX", client)
    for number in range(1, SETS + 1):
        keywords = b" ".join(b"k%d" % bit for bit in range(8) if number >> bit & 1)
        await say(driver, b"b STORE %d FLAGS.SILENT (%b)" % (number, keywords), 2)
    await say(driver, b"c NOOP", 1)
    await say(driver, b"d STORE %d +FLAGS.SILENT (\\Deleted)" % SETS, 2)
    await say(driver, b"e NOOP", 1)
    assert b"* %d EXPUNGE" % SETS in await say(driver, b"f EXPUNGE", 2)
    for tag in (b"g", b"h"):
        told = await say(driver, tag + b" FETCH 1 (UID FLAGS)", 1)
        assert b"* 1 FETCH (UID 1 FLAGS (k0 \\Recent))" in told
    assert b"* %d EXPUNGE" % SETS in await say(driver, b"i NOOP", 1)
    await driver.close()
