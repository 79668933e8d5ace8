"""Commands sent ahead are worked off a few at a time, with everybody else in between."""

import asyncio

import pytest

from mailbox_server.smtp.commands import Command
from mailbox_server.smtp.conversation import COMMANDS_A_TURN
from mailbox_server.smtp.limits import SmtpLimits
from mailbox_server.smtp.places import Answer
from mailbox_server.smtp.session import Session
from tests.unit.smtp.wire import Server, serving

LOT = 64 * 1024


@pytest.mark.parametrize(
    "command",
    [b"NOOP\r\n", b"RCPT TO:<ann@example.org>\r\n", b"RCPT TO:<no@example.org>\r\n", b"BDAT 0\r\n"],
)
async def test_a_lot_of_commands_in_one_packet_does_not_hold_the_loop(
    monkeypatch: pytest.MonkeyPatch, command: bytes
) -> None:
    turns = 0
    handled: list[int] = []
    stock = Session.handle

    async def noting(self: Session, command: Command, **told: bool) -> Answer:
        handled.append(turns)
        return await stock(self, command, **told)

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(Session, "handle", noting)
    limits = SmtpLimits(idle_commands=10**9, errors=10**9, error_seconds=0.0, recipients=10**9)
    async with serving(Server(limits=limits)) as server:
        client = await server.connect()
        await client.reply()
        client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\n")
        for _ in range(3):
            await client.reply()
        handled.clear()
        counting = asyncio.create_task(count())
        many = LOT // len(command)
        client.send(command * many)
        for _ in range(many):
            assert await client.reply()
        counting.cancel()
    assert len(handled) == many
    gaps = zip(handled, handled[COMMANDS_A_TURN:], strict=False)
    assert all(after > before for before, after in gaps)
