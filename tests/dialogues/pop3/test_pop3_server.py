"""What only a real connection shows: time, TLS, clients that do not read, and half-closed lines."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from mailbox_server.model.account import AccountState
from mailbox_server.pop3.capabilities import Tls
from mailbox_server.pop3.settings import Pop3Limits
from tests.dialogues.pop3.driver import ServedWorld, World, served
from tests.dialogues.pop3.test_pop3_dialogues import contexts

__all__ = ["contexts"]

LOGIN = b"USER ann@example.org\r\nPASS secret\r\n"
PATIENCE = 20.0


@pytest.fixture
def world() -> World:
    made = World()
    made.make_true("account ann with INBOX of 2 messages")
    return made


@pytest.fixture
async def server(
    world: World, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> AsyncIterator[ServedWorld]:
    async with served(world, contexts[0]) as made:
        yield made


class Line:
    """One client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def line(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readline()

    async def until(self, end: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(end)

    async def rest(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def say(self, octets: bytes) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    async def log_in(self) -> None:
        await self.say(LOGIN)
        assert (await self.line()).startswith(b"+OK send")
        assert (await self.line()).startswith(b"+OK maildrop")


async def connect(server: ServedWorld) -> Line:
    line = Line(*await asyncio.open_connection("127.0.0.1", await server.port(), limit=1 << 26))
    assert (await line.line()).startswith(b"+OK mail.example.org")
    return line


async def gone(server: ServedWorld) -> None:
    """Wait until the server has let go of every session."""
    assert server.factory is not None
    async with asyncio.timeout(PATIENCE):
        while server.factory.protocols or len(server.tasks):  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.01)


# TLS

INJECTED = b"STLS\r\nAUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\nDELE 1\r\nQUIT\r\n"


@pytest.mark.parametrize("waits_for_reply", [False, True])
async def test_commands_behind_stls_are_never_carried_out_however_they_are_cut(
    world: World, server: ServedWorld, waits_for_reply: bool
) -> None:
    for cut in range(1, len(INJECTED)):
        line = await connect(server)
        await line.say(INJECTED[:cut])
        if waits_for_reply and cut >= 6:
            assert await line.line() == b"+OK begin TLS\r\n"
        elif waits_for_reply:
            # Long enough for the server to have seen the first piece by itself.
            await asyncio.sleep(0)
        with contextlib.suppress(ConnectionError):
            await line.say(INJECTED[cut:])
        assert b"maildrop" not in await line.rest()
        line.writer.close()
    assert not [event for event, _ in world.house.events.seen if event.startswith("auth.")]
    assert len(world.house.store.uids_in(world.accounts["ann"])) == 2


async def test_a_megabyte_behind_stls_ends_the_connection(server: ServedWorld) -> None:
    line = await connect(server)
    with contextlib.suppress(ConnectionError):
        await line.say(b"STLS\r\n" + b"NOOP\r\n" * 170_000)
    assert (await line.rest()).count(b"\r\n") <= 1


async def test_commands_injected_before_tls_are_not_carried_out_inside_it(
    world: World, server: ServedWorld, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    line = await connect(server)
    await line.say(b"STLS\r\nUSER ann@example.org\r\n")
    await line.line()
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        async with asyncio.timeout(PATIENCE):
            await line.writer.start_tls(contexts[1], server_hostname="localhost")


async def test_a_large_message_through_tls_is_exact(
    world: World, server: ServedWorld, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    body = b"".join(b".%d" % n + b"\xff" * (n % 70) + b"\r\n" for n in range(100_000))
    octets = b"Subject: large\r\n\r\n" + body
    world.house.store.add_message(world.accounts["ann"], octets)
    world.settings = replace(world.settings, plaintext_on_loopback=False)
    line = await connect(server)
    await line.say(b"STLS\r\n")
    await line.line()
    await line.writer.start_tls(contexts[1], server_hostname="localhost")
    await line.log_in()
    await line.say(b"RETR 3\r\n")
    assert await line.line() == b"+OK %d octets\r\n" % len(octets)
    sent = await line.until(b"\r\n.\r\n")
    lines = [one[1:] if one.startswith(b".") else one for one in sent[:-3].split(b"\r\n")]
    assert b"\r\n".join(lines) == octets
    await line.say(b"QUIT\r\n")
    assert (await line.rest()).startswith(b"+OK goodbye")


async def test_tls_from_the_first_octet(
    world: World, server: ServedWorld, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    world.settings = replace(world.settings, plaintext_on_loopback=False)
    server.is_implicit_tls = True
    line = Line(
        *await asyncio.open_connection(
            "127.0.0.1", await server.port(), ssl=contexts[1], server_hostname="localhost"
        )
    )
    await line.say(b"CAPA\r\n" + LOGIN + b"QUIT\r\n")
    answers = await line.rest()
    assert b"\r\nSASL SCRAM-SHA-256 PLAIN LOGIN OAUTHBEARER XOAUTH2\r\n" in answers
    assert b"STLS" not in answers
    assert answers.endswith(b"+OK goodbye (2 messages left)\r\n")


# Time


async def test_an_idle_session_ends_without_a_word_and_removes_nothing(
    world: World, server: ServedWorld
) -> None:
    world.settings = replace(world.settings, limits=Pop3Limits(idle_seconds=0.2))
    line = await connect(server)
    await line.log_in()
    await line.say(b"DELE 1\r\n")
    assert (await line.line()).startswith(b"+OK")
    assert await line.rest() == b""
    await gone(server)
    assert len(world.house.store.uids_in(world.accounts["ann"])) == 2


async def test_a_client_that_never_logs_in_is_sent_away_though_it_talks(
    world: World, server: ServedWorld
) -> None:
    world.settings = replace(world.settings, limits=Pop3Limits(login_seconds=0.3))
    line = await connect(server)

    async def talk() -> None:
        while True:
            await line.say(b"CAPA\r\n")
            await asyncio.sleep(0.02)

    talking = asyncio.ensure_future(talk())
    await line.rest()
    talking.cancel()


# Clients that do not read, or talk too much


async def test_a_client_that_does_not_read_holds_little_and_reads_nothing_ahead(
    world: World, server: ServedWorld
) -> None:
    octets = b"Subject: x\r\n\r\n" + b"y" * 30_000_000 + b"\r\n"
    world.house.store.add_message(world.accounts["ann"], octets)
    line = await connect(server)
    await line.log_in()
    line.reader._limit = 1  # type: ignore[attr-defined]
    world.house.store.content_reads = 0
    await line.say(b"RETR 3\r\n")
    assert server.factory is not None
    (protocol,) = server.factory.protocols
    async with asyncio.timeout(PATIENCE):
        while not protocol._transport._is_full:  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.01)
    assert world.house.store.content_reads < 60
    assert protocol._transport._raw.get_write_buffer_size() < 600_000
    line.writer.transport.abort()
    await gone(server)
    assert protocol not in server.factory.protocols


async def test_pipelined_commands_are_bounded_and_all_answered(
    world: World, server: ServedWorld
) -> None:
    line = await connect(server)
    await line.log_in()
    assert server.factory is not None
    (protocol,) = server.factory.protocols
    most = 0
    receive = protocol._engine.receive

    def watched(octets: bytes) -> None:
        nonlocal most
        receive(octets)
        most = max(most, protocol._engine.pending)

    protocol._engine.receive = watched  # type: ignore[method-assign]
    sending = asyncio.ensure_future(line.say(b"NOOP\r\n" * 100_000 + b"QUIT\r\n"))
    answers = await line.rest()
    await sending
    assert answers == b"+OK done\r\n" * 100_000 + b"+OK goodbye (2 messages left)\r\n"
    assert most <= 64 * 1024 + 256 * 1024


async def test_replies_to_one_packet_leave_in_one_write(server: ServedWorld) -> None:
    line = await connect(server)
    await line.log_in()
    assert server.factory is not None
    (protocol,) = server.factory.protocols
    writes: list[bytes] = []
    protocol._transport.write = writes.append  # type: ignore[method-assign]
    await line.say(b"NOOP\r\nSTAT\r\nUIDL\r\nLIST\r\n")
    async with asyncio.timeout(PATIENCE):
        while not writes:  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.01)
    assert len(writes) == 1
    assert writes[0].count(b"+OK") == 4


# Ends


async def test_a_half_closed_line_is_answered_to_the_end(world: World, server: ServedWorld) -> None:
    line = await connect(server)
    await line.say(LOGIN + b"DELE 1\r\nQUIT\r\n")
    line.writer.write_eof()
    answers = (await line.rest()).split(b"\r\n")
    assert answers[-2] == b"+OK goodbye (1 messages left)"
    assert len(world.house.store.uids_in(world.accounts["ann"])) == 1


async def test_a_half_closed_line_without_quit_removes_nothing(
    world: World, server: ServedWorld
) -> None:
    line = await connect(server)
    await line.say(LOGIN + b"DELE 1\r\nDELE 2\r\nSTA")
    line.writer.write_eof()
    assert (await line.rest()).endswith(b"+OK message 2 deleted\r\n")
    await gone(server)
    assert len(world.house.store.uids_in(world.accounts["ann"])) == 2


async def test_a_line_lost_during_quit_does_not_stop_the_removal(
    world: World, server: ServedWorld
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    write = world.house.store.write

    async def slow(work: object) -> object:
        begun.set()
        await go_on.wait()
        return await write(work)  # type: ignore[arg-type]

    world.house.store.write = slow  # type: ignore[method-assign, assignment]
    line = await connect(server)
    await line.log_in()
    await line.say(b"DELE 1\r\nQUIT\r\n")
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    line.writer.transport.abort()
    await asyncio.sleep(0.05)
    go_on.set()
    await gone(server)
    assert len(world.house.store.uids_in(world.accounts["ann"])) == 1


async def test_shutting_down_says_goodbye_to_the_idle_and_lets_the_busy_finish(
    world: World, server: ServedWorld
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    write = world.house.store.write

    async def slow(work: object) -> object:
        begun.set()
        await go_on.wait()
        return await write(work)  # type: ignore[arg-type]

    world.house.store.write = slow  # type: ignore[method-assign, assignment]
    idle, stranger, busy = [await connect(server) for _ in range(3)]
    await idle.log_in()
    await busy.log_in()
    await busy.say(b"DELE 1\r\nQUIT\r\n")
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    assert server.factory is not None
    server.factory.shut_down()
    goodbye = b"-ERR [SYS/TEMP] the server is shutting down\r\n"
    assert await idle.rest() == goodbye
    assert await stranger.rest() == goodbye
    go_on.set()
    assert (await busy.rest()).endswith(b"+OK goodbye (1 messages left)\r\n")


async def test_a_disabled_account_ends_an_open_idle_connection(
    world: World, server: ServedWorld
) -> None:
    world.settings = replace(world.settings, limits=Pop3Limits(valid_seconds=0.05))
    line = await connect(server)
    await line.log_in()
    world.house.clock.seconds += 2
    world.house.store.set_state(world.accounts["ann"], AccountState.DISABLED)
    assert await line.rest() == b"-ERR [SYS/PERM] this login is no longer valid\r\n"


async def test_without_a_certificate_there_is_no_stls(world: World, server: ServedWorld) -> None:
    world.tls = Tls.ABSENT
    line = await connect(server)
    await line.say(b"STLS\r\nQUIT\r\n")
    assert (await line.rest()).startswith(b"-ERR TLS is not available\r\n+OK")
