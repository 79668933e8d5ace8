"""Twisted protocols behave on asyncio transports as on Twisted's own, on both loops."""

import asyncio
import contextlib
import errno
import resource
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IConsumer,
    IProtocol,
    IPushProducer,
    ITransport,
)
from zope.interface.verify import verifyObject

from mailbox_server.net.admission import AdmissionLimits, NetworkLimit, Phase
from mailbox_server.net.listeners import UnixAddress
from tests.contract.transport.lines import (
    LIMIT,
    HalfClosing,
    Run,
    hang_up,
    holding,
    read_to_end,
    served,
)


def test_lines_are_answered_and_the_end_is_told_once(run: Run) -> None:
    async def scene() -> None:
        async with served() as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            for interface in (ITransport, IConsumer, IPushProducer):
                assert verifyObject(interface, protocol.link)
            assert verifyObject(IProtocol, protocol)
            assert protocol.link.getPeer().port == writer.get_extra_info("sockname")[1]
            assert protocol.link.getHost().port == here.listener.port
            assert protocol.link.tls is None
            writer.write(b"one\r\ntw")
            assert await reader.readline() == b"did one\r\n"
            writer.write(b"o\r\n")
            assert await reader.readline() == b"did two\r\n"
            await hang_up(writer)
            assert await protocol.ended() is ConnectionDone
            assert protocol.link.getPeer().host == "127.0.0.1"
            assert len(here.admissions) == 0
            protocol.link.write(b"into the void")
            protocol.link.loseConnection()
            protocol.link.abortConnection()
            assert await protocol.ended() is ConnectionDone

    run(scene())


def test_small_writes_leave_at_once(run: Run) -> None:
    async def scene() -> None:
        async with served() as here:
            _, writer = await here.connect()
            protocol = await here.next()
            carrier = protocol.link._raw.get_extra_info("socket")
            assert carrier.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
            await hang_up(writer)
            await protocol.ended()

    run(scene())


def test_unix_socket(run: Run, tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "s"
        async with served(address=UnixAddress(path)) as here:
            reader, writer = await asyncio.open_unix_connection(str(path))
            protocol = await here.next()
            assert protocol.link.ticket.ip is None
            writer.write(b"QUIT\r\n")
            assert await reader.read() == b"bye\r\n"
            await hang_up(writer)
            await protocol.ended()
        assert not path.exists()

    run(scene())


def test_half_close_is_answered_to_the_end(run: Run) -> None:
    async def scene() -> None:
        async with served(HalfClosing) as here:
            reader, writer = await here.connect()
            writer.write(b"one\r\n")
            writer.write_eof()
            assert await reader.read() == b"did one\r\ndid the rest\r\nbye\r\n"
            protocol = await here.next()
            assert await protocol.ended() is ConnectionDone
            await hang_up(writer)

    run(scene())


def test_without_half_close_what_is_written_is_flushed(run: Run) -> None:
    async def scene() -> None:
        async with served() as here:
            reader, writer = await here.connect()
            writer.write(b"one\r\n")
            writer.write_eof()
            assert await reader.read() == b"did one\r\n"
            await hang_up(writer)

    run(scene())


def test_our_own_half_close(run: Run) -> None:
    async def scene() -> None:
        async with served() as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            protocol.link.write(b"that is all")
            protocol.link.loseWriteConnection()
            assert await reader.read() == b"that is all"
            writer.write(b"heard\r\n")
            await protocol.until(lambda: protocol.received == 7)
            await hang_up(writer)

    run(scene())


ALL_COUNT = AdmissionLimits(2, (NetworkLimit(32, 64, 2),), grace_seconds=0, exempt=())


@pytest.mark.parametrize("secure", [False, True])
def test_no_place_no_service(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], secure: bool
) -> None:
    server, client = own_tls

    async def scene() -> None:
        tls = server if secure else None
        async with served(tls=tls, limits=ALL_COUNT, refusal=b"421 full\r\n") as here:
            writers = []
            for _ in range(2):
                _, writer = await here.connect(client if secure else None)
                writers.append(writer)
                protocol = await here.next()
                protocol.link.ticket.enter(Phase.BUSY)
            if secure:
                with pytest.raises(OSError):
                    await here.connect(client)
            else:
                reader, writer = await here.connect()
                assert await reader.read() == b"421 full\r\n"
                writers.append(writer)
            assert len(here.admissions) == 2
            for writer in writers:
                await hang_up(writer)
            await protocol.ended()

    run(scene())


def test_the_slowest_stranger_makes_room(run: Run) -> None:
    async def scene() -> None:
        async with served(limits=ALL_COUNT) as here:
            first, one = await here.connect()
            stranger = await here.next()
            _, two = await here.connect()
            (await here.next()).link.ticket.enter(Phase.BUSY)
            third, three = await here.connect()
            assert await read_to_end(first) == b""
            assert await stranger.ended() is ConnectionAborted
            three.write(b"hello\r\n")
            assert await third.readline() == b"did hello\r\n"
            for writer in (one, two, three):
                await hang_up(writer)

    run(scene())


def test_a_handshake_under_way_can_be_shed(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(tls=server, limits=ALL_COUNT) as here:
            silent = [await here.connect() for _ in range(2)]
            await holding(here.admissions, 2)
            reader, writer = await here.connect(client)
            writer.write(b"hello\r\n")
            assert await reader.readline() == b"did hello\r\n"
            assert await read_to_end(silent[0][0]) == b""
            for one in (writer, silent[0][1], silent[1][1]):
                await hang_up(one)

    run(scene())


def test_stop_listening_leaves_connections_alone(run: Run) -> None:
    async def scene() -> None:
        async with served() as here:
            reader, writer = await here.connect()
            here.port.stopListening()
            await asyncio.sleep(0)
            with pytest.raises(OSError):
                await here.connect()
            writer.write(b"still here\r\n")
            assert await reader.readline() == b"did still here\r\n"
            await hang_up(writer)

    run(scene())


@contextlib.contextmanager
def few_descriptors(spare: int) -> Iterator[None]:
    """Leave room for spare descriptors only."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        highest = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + spare, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_without_descriptors_standing_connections_are_served(kind: str) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, _context: None)
        async with served() as here:
            reader, writer = await here.connect()
            (await here.next()).link.ticket.enter(Phase.BUSY)
            ahead = [socket.socket() for _ in range(8)]
            with few_descriptors(1):
                hungry = [socket.socket()]
                with contextlib.suppress(OSError):
                    while True:
                        hungry.append(socket.socket())
                for client in ahead:
                    client.setblocking(False)
                    client.connect_ex(("127.0.0.1", here.listener.port))
                for _ in range(20):
                    writer.write(b"hello\r\n")
                    assert await reader.readline() == b"did hello\r\n"
                for client in (*hungry, *ahead):
                    client.close()
            assert all(one.errno == errno.EMFILE for one in here.scarce)
            assert 1 <= len(here.scarce) <= 2  # a try a second, no spin
            again, other = await here.connect()
            other.write(b"back\r\n")
            assert await again.readline() == b"did back\r\n"
            await hang_up(writer)
            await hang_up(other)

    factory = uvloop.new_event_loop if kind == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(scene(), LIMIT))
