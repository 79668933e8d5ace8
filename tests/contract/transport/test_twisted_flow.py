"""Back-pressure on asyncio transports: nobody makes us keep what is not taken."""

import asyncio
import gc
import ssl
import weakref

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IPullProducer,
    IPushProducer,
)
from zope.interface import implementer

from mailbox_server.net.twisted_transport import HIGH_WATER, AsyncioTransport
from tests.contract.transport.lines import Lines, Run, hang_up, read_to_end, served


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("ending", [False, True])
def test_a_client_that_does_not_read_is_aborted(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], secure: bool, ending: bool
) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(tls=server if secure else None, write_seconds=0.1) as here:
            _, writer = await here.connect(client if secure else None, limit=1)
            protocol = await here.next()
            if ending:
                protocol.link.write(bytes(20_000_000))
                protocol.link.loseConnection()
            else:
                written = 0
                with pytest.raises(ConnectionResetError):
                    while True:
                        protocol.link.write(bytes(HIGH_WATER))
                        written += HIGH_WATER
                        await protocol.link.drained()
                assert written < 20_000_000  # what the sockets of both sides hold
            assert await protocol.ended() is ConnectionAborted
            await hang_up(writer)

    run(scene())


def test_what_a_client_that_has_gone_did_not_take_is_let_go_of(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """TLS keeps it until nobody refers to the transport; who was served there still does."""
    server, client = own_tls

    async def scene() -> None:
        async with served(tls=server) as here:
            _, writer = await here.connect(client, limit=1)
            protocol = await here.next()
            session = weakref.ref(protocol.link._raw.get_extra_info("ssl_object"))
            protocol.link.write(bytes(20_000_000))
            writer.transport.abort()
            await protocol.ended()
            await asyncio.sleep(0)
            assert session() is None
            protocol.link.write(b"too late")
            protocol.link.abortConnection()

    gc.disable()
    try:
        run(scene())
    finally:
        gc.enable()


def test_a_slow_reader_that_goes_on_is_served_past_the_deadline(run: Run) -> None:
    async def scene() -> None:
        async with served(write_seconds=0.05) as here:
            reader, writer = await here.connect(limit=4096)
            protocol = await here.next()
            protocol.link.write(bytes(6_000_000))
            protocol.link.loseConnection()
            got = 0
            while piece := await reader.read(200_000):
                got += len(piece)
                await asyncio.sleep(0.001)
            assert got == 6_000_000
            assert await protocol.ended() is ConnectionDone
            await hang_up(writer)

    run(scene())


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("hurry", [False, True])
def test_pieces_arrive_in_their_order_whatever_is_written_around_them(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], secure: bool, hurry: bool
) -> None:
    server, client = own_tls
    rounds = [[b"%d " % number * size for size in (1, 50_000, 0, 7)] for number in range(60)]

    async def scene() -> None:
        async with served(tls=server if secure else None) as here:
            reader, writer = await here.connect(client if secure else None, limit=4096)
            link = (await here.next()).link

            async def say() -> None:
                for pieces in rounds:
                    link.write(b"(")
                    link.writeSequence(pieces)
                    link.writeSequence([b")", b"\r\n"])
                    if not hurry:
                        await link.drained()
                link.loseConnection()
                link.writeSequence([bytes(100_000)])

            saying = asyncio.create_task(say())
            came = await read_to_end(reader)
            await saying
            assert came == b"".join(b"(%b)\r\n" % b"".join(each) for each in rounds)
            await hang_up(writer)

    run(scene())


def test_pieces_for_who_does_not_read_are_kept_within_bounds(run: Run) -> None:
    async def scene() -> None:
        async with served(write_seconds=0.1) as here:
            _, writer = await here.connect(limit=1)
            protocol = await here.next()
            pieces = [bytes(1_000)] * 1_000
            written = 0
            with pytest.raises(ConnectionResetError):
                while True:
                    protocol.link.writeSequence(pieces)
                    written += 1_000_000
                    assert protocol.link._raw.get_write_buffer_size() <= 1_000_000
                    await protocol.link.drained()
            assert written < 20_000_000  # what the sockets of both sides hold
            assert await protocol.ended() is ConnectionAborted
            await hang_up(writer)

    run(scene())


@implementer(IPullProducer)
class Pull:
    """Gives pieces when asked, and notes how much was unsent at the worst."""

    def __init__(self, link: AsyncioTransport, pieces: int, octets: int) -> None:
        self._link = link
        self._left = pieces
        self._piece = bytes(octets)
        self.worst = 0
        self.is_stopped = False

    def resumeProducing(self) -> None:
        self._left -= 1
        self._link.write(self._piece)
        self.worst = max(self.worst, self._link._raw.get_write_buffer_size())
        if self._left == 0:
            self._link.unregisterProducer()

    def stopProducing(self) -> None:
        self.is_stopped = True


@pytest.mark.parametrize("secure", [False, True])
def test_a_pull_producer_of_50_megabytes_is_never_buffered(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], secure: bool
) -> None:
    server, client = own_tls
    pieces, octets = 3200, 16384

    async def scene() -> None:
        async with served(tls=server if secure else None) as here:
            reader, writer = await here.connect(client if secure else None)
            protocol = await here.next()
            producer = Pull(protocol.link, pieces, octets)
            protocol.link.registerProducer(producer, False)
            with pytest.raises(RuntimeError):
                protocol.link.registerProducer(producer, False)
            protocol.link.loseConnection()  # waits for the producer
            got = 0
            while piece := await reader.read(65536):
                got += len(piece)
            assert got == pieces * octets
            assert producer.worst <= HIGH_WATER + 2 * octets
            assert not producer.is_stopped
            await hang_up(writer)

    run(scene())


@implementer(IPushProducer)
class Push:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


def test_a_push_producer_is_paused_resumed_and_stopped(run: Run) -> None:
    async def scene() -> None:
        async with served() as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            producer = Push()
            protocol.link.registerProducer(producer, True)
            protocol.link.write(bytes(10_000_000))
            assert producer.told == ["pause"]
            await reader.readexactly(10_000_000)
            await protocol.link.drained()
            assert producer.told == ["pause", "resume"]
            await hang_up(writer)
            await protocol.ended()
            assert producer.told == ["pause", "resume", "stop"]
            late = Push()
            protocol.link.registerProducer(late, True)
            assert late.told == ["stop"]

    run(scene())


@pytest.mark.parametrize("secure", [False, True])
def test_commands_are_not_read_while_answers_are_not_taken(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], secure: bool
) -> None:
    server, client = own_tls

    class Verbose(Lines):
        def execute(self, line: bytes) -> None:
            self.executed.append(line)
            self.link.write(bytes(1000))

    async def scene() -> None:
        async with served(Verbose, tls=server if secure else None, write_seconds=0.3) as here:
            _, writer = await here.connect(client if secure else None, limit=1)
            protocol = await here.next()
            writer.write(b"NOOP\r\n" * 500_000)
            assert await protocol.ended() is ConnectionAborted
            # What the sockets of both sides hold, and one read of 256 KiB beyond.
            assert protocol.received < 1_500_000
            await hang_up(writer)

    run(scene())


def test_paused_protocols_are_given_nothing(run: Run) -> None:
    async def scene() -> None:
        async with served() as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            protocol.link.pauseProducing()
            writer.write(b"one\r\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readline(), 0.05)
            assert protocol.received == 0
            protocol.link.resumeProducing()
            assert await reader.readline() == b"did one\r\n"
            await hang_up(writer)

    run(scene())
