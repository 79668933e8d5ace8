"""Twenty clients do everything to one mailbox while mail arrives; nothing is left behind.

At the end the store's invariants hold, no fault was logged, no task is left and memory is
where it was after the first part.  `--full` takes about ten minutes.
"""

import asyncio
import gc
import os
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from mailbox_server.store.integrity import violations
from tests.dialogues.imap.world import message
from tests.e2e.appliance import address
from tests.e2e.attacks.in_process import InProcess, Line, connect, in_process
from tests.e2e.attacks.process import own_octets
from tests.e2e.soak_client import SoakClient

CLIENTS: Final = 20
COMMANDS: Final = 15
COMMANDS_FULL: Final = 8_000
MAILS_A_CONNECTION: Final = 100
MORE_OCTETS: Final = 64 << 20
"""What a process may grow by that has done its work for a part of the time already."""


async def _arrive(house: InProcess, until: asyncio.Event) -> int:
    """Mail by SMTP, as fast as it is taken; how much."""
    number = 0
    while not until.is_set():
        line = await connect(house, "smtp")
        await line.say(b"EHLO client.example.net", b"250 ")
        for _ in range(MAILS_A_CONNECTION):
            number += 1
            await _send(line, number)
            if until.is_set():
                break
        line.close()
    return number


async def _send(line: Line, number: int) -> None:
    for said, mark in (
        (b"MAIL FROM:<sender@example.net>", b"250 "),
        (f"RCPT TO:<{address('ann')}>".encode(), b"250 "),
        (b"DATA", b"354 "),
        (message(number) + b".", b"250 "),
    ):
        told = await line.say(said, mark)
        assert told.startswith(mark), told
    await asyncio.sleep(0)


async def _part(house: InProcess, clients: list[SoakClient], commands: int) -> int:
    """Each client has so many commands answered; how much mail came meanwhile."""
    until = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        arriving = group.create_task(_arrive(house, until))
        await asyncio.gather(*(group.create_task(client.run(commands)) for client in clients))
        until.set()
    return arriving.result()


async def _at_rest(house: InProcess) -> int:
    """How many tasks the server keeps once its clients have gone."""
    kept = -1
    while (now := len(house.built.tasks)) != kept:
        kept = now
        await asyncio.sleep(0.5)
    return kept


@pytest.mark.timeout(1_200)
async def test_everything_at_once(
    full: bool, record_property: Callable[[str, object], None]
) -> None:
    async with in_process() as house:
        before = await _at_rest(house)
        clients = [SoakClient(house, number) for number in range(CLIENTS)]
        commands = COMMANDS_FULL if full else COMMANDS
        arrived = await _part(house, clients, commands)
        assert await _at_rest(house) == before
        gc.collect()
        octets = own_octets(os.getpid())
        arrived += await _part(house, clients, 2 * commands)
        assert await _at_rest(house) == before
        gc.collect()
        grown = own_octets(os.getpid()) - octets
        assert house.faults() == []
        assert await violations(house.built.store) == []
    answered = sum((Counter(client.answered) for client in clients), Counter())
    record_property("commands", answered.total())
    record_property("arrived", arrived)
    record_property("grown MiB", grown >> 20)
    assert {verb for verb, status in answered if status == b"OK"} >= {
        b"APPEND", b"COPY", b"EXPUNGE", b"FETCH", b"MOVE", b"SEARCH", b"SORT", b"STORE", b"THREAD",
    }  # fmt: skip
    assert grown < MORE_OCTETS
