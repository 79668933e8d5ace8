"""Twisted protocols behave on asyncio transports as on Twisted's own, on both loops."""

import asyncio
import contextlib
import errno
import ipaddress
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IListeningPort,
    IProtocol,
    IPullProducer,
    IPushProducer,
    IStreamServerEndpoint,
    ITransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailbox_server.model.address import Domain
from mailbox_server.model.ports import SystemClock
from mailbox_server.net.admission import AdmissionLimits, Admissions, NetworkLimit, Phase
from mailbox_server.net.certificates import ensure_server_certificate
from mailbox_server.net.listeners import Listener, TcpAddress, UnixAddress, open_listener
from mailbox_server.net.reception import AsyncioServerEndpoint, ReceptionPlan
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.tls import ServerTls
from mailbox_server.net.twisted_transport import HIGH_WATER, AsyncioTransport

Run = Callable[[Coroutine[Any, Any, None]], None]

LIMIT = 30.0


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run one coroutine on a fresh loop of either kind; trouble the loop reports fails."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def on_loop(work: Coroutine[Any, Any, None]) -> None:
        troubles: list[dict[str, Any]] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(
                lambda _loop, context: troubles.append(context)
            )
            await asyncio.wait_for(work, LIMIT)

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(bounded())
        assert troubles == []

    return on_loop


@pytest.fixture(scope="module")
def own_tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server context, and a client context that trusts it."""
    issued = ensure_server_certificate(
        tmp_path_factory.mktemp("tls"),
        [Domain("localhost")],
        [ipaddress.ip_address("127.0.0.1")],
        SystemClock(),
    )
    served = ServerTls.open([issued.files])
    assert isinstance(served, ServerTls)
    return served.context, ssl.create_default_context(cafile=issued.authority)


@implementer(IHandshakeListener)
class Lines(Protocol):
    """Answers each line; LINE STARTTLS begins TLS, as a careful protocol does."""

    def __init__(self) -> None:
        self.executed: list[bytes] = []
        self.received = 0
        self.ends: list[Failure] = []
        self.handshakes = 0
        self._buffer = b""
        self._news = asyncio.Event()
        self.context: ssl.SSLContext | None = None

    @property
    def link(self) -> AsyncioTransport:
        assert isinstance(self.transport, AsyncioTransport)
        return self.transport

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        self._buffer += data
        while b"\r\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            self.execute(line)
        self._news.set()

    def execute(self, line: bytes) -> None:
        self.executed.append(line)
        if line == b"STARTTLS":
            assert self.context is not None
            self.link.write(b"go ahead\r\n")
            self.link.startTLS(self.context)
        elif line == b"QUIT":
            self.link.write(b"bye\r\n")
            self.link.loseConnection()
        else:
            self.link.write(b"did " + line + b"\r\n")

    def forget_plaintext(self) -> int:
        dropped, self._buffer = len(self._buffer), b""
        return dropped

    def handshakeCompleted(self) -> None:
        self.handshakes += 1

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        self.ends.append(reason)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()

    async def ended(self) -> type[BaseException]:
        await self.until(lambda: bool(self.ends))
        assert len(self.ends) == 1
        kind = self.ends[0].type
        assert kind is not None
        return kind


@implementer(IHalfCloseableProtocol)
class HalfClosing(Lines):
    """Goes on after the peer's end of sending."""

    def readConnectionLost(self) -> None:
        self.execute(b"the rest")
        self.execute(b"QUIT")

    def writeConnectionLost(self) -> None:
        """Not of interest."""


class House(Factory):
    """Builds protocols of one kind and hands them to the test in order of arrival."""

    def __init__(self, kind: type[Lines], context: ssl.SSLContext | None) -> None:
        self._kind = kind
        self._context = context
        self.arrivals: asyncio.Queue[Any] = asyncio.Queue()

    def buildProtocol(self, addr: object) -> Lines:
        protocol = self._kind()
        protocol.factory = self
        protocol.context = self._context
        self.arrivals.put_nowait(protocol)
        return protocol


class Served:
    """A running endpoint and what a test wants to know of it."""

    def __init__(self, house: House, listener: Listener, admissions: Admissions) -> None:
        self.house = house
        self.listener = listener
        self.admissions = admissions
        self.failures: list[BaseException] = []
        self.scarce: list[OSError] = []
        self.port: IListeningPort

    async def connect(
        self, context: ssl.SSLContext | None = None, limit: int = 65536
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1",
            self.listener.port,
            ssl=context,
            server_hostname="localhost" if context else None,
            limit=limit,
        )

    async def next(self) -> Any:
        return await self.house.arrivals.get()


@contextlib.asynccontextmanager
async def served(
    kind: type[Lines] = Lines,
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    write_seconds: float = 60,
    handshake_seconds: float = 10,
    limits: AdmissionLimits | None = None,
    refusal: bytes = b"",
    address: TcpAddress | UnixAddress | None = None,
) -> AsyncIterator[Served]:
    listener = open_listener(address or TcpAddress("127.0.0.1", 0))
    assert isinstance(listener, Listener)
    admissions = Admissions(limits or AdmissionLimits(), SystemClock())
    here = Served(House(kind, starttls), listener, admissions)
    tasks = TaskKeeper(lambda _name, error: here.failures.append(error))
    plan = ReceptionPlan(tls, refusal, handshake_seconds, here.scarce.append)
    endpoint = AsyncioServerEndpoint(listener, admissions, tasks, plan, write_seconds=write_seconds)
    assert verifyObject(IStreamServerEndpoint, endpoint)
    here.port = await endpoint.listen(here.house).asFuture(asyncio.get_running_loop())
    assert verifyObject(IListeningPort, here.port)
    yield here
    here.port.stopListening()
    for ticket in list(admissions._tickets):
        ticket.on_shed()
    await tasks.drain(1)
    await empty(admissions)
    assert here.failures == []


async def holding(admissions: Admissions, count: int) -> None:
    while len(admissions) != count:  # noqa: ASYNC110 - the register has no event
        await asyncio.sleep(0)


async def empty(admissions: Admissions) -> None:
    await holding(admissions, 0)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while piece := await reader.read(65536):
            got += piece
    return got


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


def test_implicit_tls(run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(tls=server) as here:
            reader, writer = await here.connect(client)
            protocol = await here.next()
            assert protocol.handshakes == 1
            assert protocol.link.tls.version == "TLSv1.3"
            assert protocol.link.tls.bits >= 128
            writer.write(b"one\r\nQUIT\r\n")
            assert await reader.read() == b"did one\r\nbye\r\n"
            await hang_up(writer)
            assert await protocol.ended() is ConnectionDone

    run(scene())


def test_starttls(run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(starttls=server) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            writer.write(b"one\r\n")
            assert await reader.readline() == b"did one\r\n"
            writer.write(b"STARTTLS\r\n")
            assert await reader.readline() == b"go ahead\r\n"
            assert protocol.handshakes == 0
            await writer.start_tls(client, server_hostname="localhost")
            assert await protocol.link.secured()
            assert protocol.handshakes == 1
            assert protocol.link.tls is not None
            writer.write(b"two\r\n")
            assert await reader.readline() == b"did two\r\n"
            with pytest.raises(RuntimeError):
                protocol.link.startTLS(server)
            writer.write(b"QUIT\r\n")
            assert await reader.read() == b"bye\r\n"
            await hang_up(writer)
            assert await protocol.ended() is ConnectionDone

    run(scene())


class TlsByHand:
    """A TLS client whose flights the test puts on the wire itself."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    async def shake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handshake, but keep the last flight in outgoing."""
        while True:
            try:
                self.session.do_handshake()
                return
            except ssl.SSLWantReadError:
                writer.write(self.outgoing.read())
                self.incoming.write(await reader.read(65536))

    async def line(self, reader: asyncio.StreamReader) -> bytes:
        got = b""
        while not got.endswith(b"\n"):
            try:
                got += self.session.read(65536)
            except ssl.SSLWantReadError:
                self.incoming.write(await reader.read(65536))
        return got


@pytest.mark.parametrize("implicit", [False, True])
def test_a_command_in_the_flight_that_ends_the_handshake_is_heard(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], implicit: bool
) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(tls=server if implicit else None, starttls=server) as here:
            reader, writer = await here.connect()
            if not implicit:
                writer.write(b"STARTTLS\r\n")
                assert await reader.readline() == b"go ahead\r\n"
            by_hand = TlsByHand(client)
            await by_hand.shake(reader, writer)
            by_hand.session.write(b"early\r\n")
            writer.write(by_hand.outgoing.read())
            assert await by_hand.line(reader) == b"did early\r\n"
            await hang_up(writer)

    run(scene())


INJECTED = b"STARTTLS\r\nLOGIN eve\r\n"


@pytest.mark.parametrize("cut", range(len(INJECTED) + 1))
def test_what_follows_starttls_is_never_executed(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], cut: int
) -> None:
    async def scene() -> None:
        async with served(starttls=own_tls[0]) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            writer.write(INJECTED[:cut])
            seen = min(cut, len(b"STARTTLS\r\n"))
            await protocol.until(lambda: protocol.received >= seen or bool(protocol.ends))
            writer.write(INJECTED[cut:])
            answer = await read_to_end(reader)
            assert b"LOGIN" not in answer
            await protocol.ended()
            assert protocol.executed in ([b"STARTTLS"], [])
            assert protocol.link.tls is None
            await hang_up(writer)

    run(scene())


def test_a_handshake_behind_injected_text_does_not_happen(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(starttls=server) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            by_hand = TlsByHand(client)
            with pytest.raises(ssl.SSLWantReadError):
                by_hand.session.do_handshake()
            writer.write(b"STARTTLS\r\nLOGIN eve\r\n" + by_hand.outgoing.read())
            await read_to_end(reader)
            assert await protocol.ended() is ConnectionAborted
            assert protocol.executed == [b"STARTTLS"]
            await hang_up(writer)

    run(scene())


class Careless(Lines):
    """Splits what it gets before it acts, so that it forgets nothing at STARTTLS."""

    def dataReceived(self, data: bytes) -> None:
        for line in data.splitlines():
            self.execute(line)


def test_a_careless_protocol_loses_the_connection_instead_of_its_safety(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with served(Careless, starttls=own_tls[0]) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            writer.write(b"STARTTLS\r\nLOGIN eve\r\n")
            assert b"did LOGIN" not in await read_to_end(reader)
            assert await protocol.ended() is ConnectionAborted
            assert protocol.link.tls is None
            await hang_up(writer)

    run(scene())


class Unforgetting(Lines):
    forget_plaintext = None  # type: ignore[assignment]


def test_starttls_needs_a_protocol_that_forgets(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with served(Unforgetting) as here:
            _, writer = await here.connect()
            protocol = await here.next()
            protocol.forget_plaintext = None
            with pytest.raises(TypeError):
                protocol.link.startTLS(own_tls[0])
            await hang_up(writer)
            await protocol.ended()

    run(scene())


def test_starttls_of_a_peer_that_reads_nothing_ends(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with served(starttls=own_tls[0], write_seconds=0.1) as here:
            _, writer = await here.connect(limit=1)
            protocol = await here.next()
            protocol.link.write(bytes(20_000_000))
            protocol.link.startTLS(own_tls[0])
            assert await protocol.ended() is ConnectionAborted
            assert not await protocol.link.secured()
            await hang_up(writer)

    run(scene())


def test_starttls_waits_until_what_was_written_is_read(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(starttls=server) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            protocol.link.write(bytes(20_000_000))
            protocol.link.startTLS(server)
            await reader.readexactly(20_000_000)
            await writer.start_tls(client, server_hostname="localhost")
            assert await protocol.link.secured()
            writer.write(b"two\r\n")
            assert await reader.readline() == b"did two\r\n"
            await hang_up(writer)

    run(scene())


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x00", b""])
@pytest.mark.parametrize("implicit", [False, True])
def test_failed_handshakes_free_their_place(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], garbage: bytes, implicit: bool
) -> None:
    async def scene() -> None:
        tls = own_tls[0] if implicit else None
        async with served(tls=tls, starttls=own_tls[0], handshake_seconds=0.2) as here:
            reader, writer = await here.connect()
            if not implicit:
                writer.write(b"STARTTLS\r\n")
                assert await reader.readline() == b"go ahead\r\n"
            writer.write(garbage)
            if not garbage and not implicit:
                writer.write_eof()
            await read_to_end(reader)
            if not implicit:
                protocol = await here.next()
                await protocol.ended()
                assert not await protocol.link.secured()
            else:
                assert here.house.arrivals.empty()
            await empty(here.admissions)
            await hang_up(writer)

    run(scene())


def test_abort_in_the_middle_of_a_handshake(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with served(starttls=own_tls[0]) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            writer.write(b"STARTTLS\r\n")
            assert await reader.readline() == b"go ahead\r\n"
            protocol.link.loseConnection()
            await read_to_end(reader)
            assert await protocol.ended() is ConnectionAborted
            with pytest.raises(ConnectionResetError):
                await protocol.link.drained()
            await hang_up(writer)

    run(scene())


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
