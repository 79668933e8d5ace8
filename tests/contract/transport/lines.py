"""A Twisted protocol that answers lines, and what serves it to a test."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IListeningPort,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailbox_server.model.ports import SystemClock
from mailbox_server.net.admission import AdmissionLimits, Admissions
from mailbox_server.net.listeners import Listener, TcpAddress, UnixAddress, open_listener
from mailbox_server.net.reception import AsyncioServerEndpoint, ReceptionPlan
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.twisted_transport import AsyncioTransport

Run = Callable[[Coroutine[Any, Any, None]], None]


LIMIT = 30.0


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
