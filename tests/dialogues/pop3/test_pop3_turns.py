"""One POP3 client's commands and listings leave the loop to others again and again."""

import asyncio
import contextlib
import ssl
from array import array
from collections.abc import Iterator
from itertools import pairwise

import pytest

from mailbox_server.net.twisted_transport import HIGH_WATER, AsyncioTransport
from mailbox_server.pop3.grammar import Command
from mailbox_server.pop3.maildrop import Maildrop
from mailbox_server.pop3.server import COMMANDS_A_TURN
from mailbox_server.pop3.session import Session
from tests.dialogues.pop3.driver import World, served
from tests.dialogues.pop3.test_pop3_dialogues import contexts
from tests.dialogues.pop3.test_pop3_server import connect

__all__ = ["contexts"]

MANY = 50_000


class Turns:
    """How often the loop came round."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)


@contextlib.contextmanager
def counting() -> Iterator[Turns]:
    turns = Turns()
    task = asyncio.get_running_loop().create_task(turns.run())
    try:
        yield turns
    finally:
        task.cancel()


@pytest.fixture
def world() -> World:
    made = World()
    made.make_true("account ann with INBOX of 1 message")
    return made


async def test_commands_in_one_packet(
    world: World, contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: list[int] = []
    stock = Session.handle
    async with served(world, contexts[0]) as server:
        line = await connect(server)
        await line.log_in()
        with counting() as turns:

            async def noting(self: Session, event: Command) -> None:
                handled.append(turns.count)
                await stock(self, event)

            monkeypatch.setattr(Session, "handle", noting)
            await line.say(b"NOOP\r\n" * 10_000)
            for _ in range(10_000):
                assert (await line.line()).startswith(b"+OK")
    gaps = zip(handled, handled[COMMANDS_A_TURN:], strict=False)
    assert all(after > before for before, after in gaps)


async def test_messages_asked_for_in_one_packet(
    world: World, contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are answered in a few writes, between which others have their turn."""
    written: list[tuple[int, int]] = []
    stock = AsyncioTransport.write
    for number in range(1, 200):
        octets = b"N: %d\r\n\r\n%b\r\n" % (number, b"x" * 1_000)
        world.house.store.add_message(world.accounts["ann"], octets)
    async with served(world, contexts[0]) as server:
        line = await connect(server)
        await line.log_in()
        with counting() as turns:

            def noting(self: AsyncioTransport, data: bytes) -> None:
                written.append((turns.count, len(data)))
                stock(self, data)

            monkeypatch.setattr(AsyncioTransport, "write", noting)
            await line.say(b"".join(b"RETR %d\r\n" % number for number in range(2, 201)))
            for number in range(1, 200):
                assert (await line.line()).startswith(b"+OK")
                assert (await line.until(b"\r\n.\r\n")).startswith(b"N: %d\r\n" % number)
    assert len(written) < 20
    for (before, _), (after, _) in pairwise(written):
        assert after > before


@pytest.mark.parametrize("verb", [b"LIST", b"UIDL"])
async def test_a_long_listing_to_a_client_that_reads_fast(
    world: World,
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
    verb: bytes,
) -> None:
    written: list[tuple[int, int]] = []
    stock = AsyncioTransport.write

    async def measured(self: Maildrop, _store: object) -> "array[int]":
        self.sizes = array("q", bytes(8 * MANY))
        return self.sizes

    monkeypatch.setattr(Maildrop, "measure", measured)
    async with served(world, contexts[0]) as server:
        line = await connect(server)
        await line.log_in()
        assert server.factory is not None
        (protocol,) = server.factory.protocols
        opened = protocol._session._drop()
        grown = Maildrop(opened.maildrop.account, opened.maildrop.mailbox, array("I", range(MANY)))
        opened.maildrop = grown
        with counting() as turns:

            def noting(self: AsyncioTransport, data: bytes) -> None:
                written.append((turns.count, len(data)))
                stock(self, data)

            monkeypatch.setattr(AsyncioTransport, "write", noting)
            await line.say(verb + b"\r\n")
            found = await line.until(b"\r\n.\r\n")
    assert found.count(b"\r\n") == MANY + 2
    assert len(written) > 10
    gathered = 0
    for (before, size), (after, _) in pairwise(written):
        gathered = gathered + size if after == before else 0
        assert gathered <= 2 * HIGH_WATER
