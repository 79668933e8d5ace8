"""Every dialogue of submission, in memory whole and octet by octet, and over real sockets."""

from pathlib import Path

import pytest

from mailbox_server.smtp.dialects import SUBMISSION
from tests.dialogues.player.play import Strictness, play
from tests.dialogues.player.script import Script, scripts_in
from tests.dialogues.smtp.drivers import MemoryDriver, SocketDriver
from tests.dialogues.submission.house import SubmissionHouse

HERE = Path(__file__).parent


@pytest.mark.parametrize("chunk", [None, 1])
@pytest.mark.parametrize("script", scripts_in(HERE))
async def test_in_memory(script: Script, chunk: int | None) -> None:
    if chunk is not None and "one packet" in "\n".join(script.rule):
        pytest.skip("the rule is about what comes in one packet")
    driver = MemoryDriver(SUBMISSION, await SubmissionHouse.open())
    try:
        await play(script, driver, Strictness.EVERY_LINE, chunk=chunk)
    finally:
        await driver.close()


@pytest.mark.parametrize("script", scripts_in(HERE))
async def test_over_sockets(script: Script) -> None:
    driver = SocketDriver(SUBMISSION, await SubmissionHouse.open())
    try:
        await play(script, driver, Strictness.EVERY_LINE)
    finally:
        await driver.close()
