"""Accepting connections from a listener: a place first, then TLS, then the protocol.

One way in for every protocol, asyncio's own (aiosmtpd) and Twisted's alike.  The order
matters under attack: a stranger beyond the limits costs neither a handshake nor the
memory of the TLS layer.
"""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from mailbox_server.model.address import IpAddress
from mailbox_server.net.admission import Admissions, Crowded, Ticket
from mailbox_server.net.handshake import HANDSHAKE_SECONDS, secure
from mailbox_server.net.listeners import BACKLOG, Listener
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.twisted_transport import WRITE_SECONDS, AsyncioTransport, socket_address

BuildProtocol = Callable[[Ticket], asyncio.Protocol]


@dataclass(frozen=True, slots=True)
class ReceptionPlan:
    """How connections of one listener are taken in.

    context: for implicit TLS; None begins in plain text.
    refusal: sent in plain text to a peer for whom there is no place (`421 ...`); not sent
        where TLS is implicit.
    """

    context: ssl.SSLContext | None = None
    refusal: bytes = b""
    handshake_seconds: float = HANDSHAKE_SECONDS


class Reception:
    """Accepts from one listener until told to stop."""

    def __init__(
        self,
        listener: Listener,
        build: BuildProtocol,
        admissions: Admissions,
        tasks: TaskKeeper,
        plan: ReceptionPlan,
    ) -> None:
        """build makes the protocol of one admitted connection, its TLS already up.

        That protocol must release the ticket in connection_lost, and may set its on_shed.
        """
        self.listener = listener
        self._build = build
        self._admissions = admissions
        self._tasks = tasks
        self._plan = plan
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Begin to accept."""
        loop = asyncio.get_running_loop()
        for listening in self.listener.sockets:
            if listening.family.name == "AF_UNIX":
                server = await loop.create_unix_server(
                    self._arrival, sock=listening, backlog=BACKLOG
                )
            else:
                server = await loop.create_server(self._arrival, sock=listening, backlog=BACKLOG)
            self._servers.append(server)

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections that stand are not touched."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        self.listener.close()

    def _arrival(self) -> asyncio.Protocol:
        return _Arrival(self._build, self._admissions, self._tasks, self._plan)


class _Arrival(asyncio.Protocol):
    """One connection from accept until its protocol has it."""

    def __init__(
        self,
        build: BuildProtocol,
        admissions: Admissions,
        tasks: TaskKeeper,
        plan: ReceptionPlan,
    ) -> None:
        self._build = build
        self._admissions = admissions
        self._tasks = tasks
        self._plan = plan

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        raw = cast(asyncio.Transport, transport)
        ip = _ip(raw.get_extra_info("peername"))
        ticket = self._admissions.admit(ip, raw.abort)
        if isinstance(ticket, Crowded):
            if self._plan.context is None and self._plan.refusal:
                raw.write(self._plan.refusal)
                raw.close()
            else:
                raw.abort()
            return
        if self._plan.context is None:
            protocol = self._build(ticket)
            raw.set_protocol(protocol)
            protocol.connection_made(raw)
        else:
            work = self._secure(raw, ticket, self._plan.context)
            self._tasks.spawn("net.handshake", work)

    async def _secure(
        self, raw: asyncio.Transport, ticket: Ticket, context: ssl.SSLContext
    ) -> None:
        secured = None
        with contextlib.ExitStack() as undo:
            undo.callback(ticket.release)
            secured = await secure(raw, context, seconds=self._plan.handshake_seconds)
            if secured is None or ticket.is_released:
                raw.abort()
                return
            undo.pop_all()
        protocol = self._build(ticket)
        secured.hand_over(protocol)
        protocol.connection_made(secured.transport)
        if secured.early:
            protocol.data_received(secured.early)
        if secured.is_ended:
            protocol.eof_received()


def _ip(peername: object) -> IpAddress | None:
    if not isinstance(peername, tuple):
        return None
    return ipaddress.ip_address(peername[0])


@implementer(IStreamServerEndpoint)
class AsyncioServerEndpoint:
    """A Twisted endpoint whose protocols run on asyncio transports.

    Needs a running loop when listen is called.
    """

    def __init__(
        self,
        listener: Listener,
        admissions: Admissions,
        tasks: TaskKeeper,
        plan: ReceptionPlan,
        *,
        write_seconds: float = WRITE_SECONDS,
    ) -> None:
        self._listener = listener
        self._admissions = admissions
        self._tasks = tasks
        self._plan = plan
        self._write_seconds = write_seconds

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Accept connections for the factory; fires with an AsyncioPort."""
        return Deferred.fromFuture(self._tasks.spawn("net.listen", self._listen(protocolFactory)))

    async def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        return await self.serve(factory)

    async def serve(self, factory: IProtocolFactory) -> "AsyncioPort":
        """As listen, for those who await."""

        def build(ticket: Ticket) -> asyncio.Protocol:
            return AsyncioTransport(factory, self._tasks, ticket, write_seconds=self._write_seconds)

        reception = Reception(self._listener, build, self._admissions, self._tasks, self._plan)
        factory.doStart()
        await reception.start()
        return AsyncioPort(reception, factory)


@implementer(IListeningPort)
class AsyncioPort:
    """A listening port of AsyncioServerEndpoint."""

    def __init__(self, reception: Reception, factory: IProtocolFactory) -> None:
        self._reception = reception
        self._factory: IProtocolFactory | None = factory
        self._host = socket_address(reception.listener.sockets[0].getsockname())

    def startListening(self) -> None:
        """Listening already."""

    def stopListening(self) -> Deferred[None]:
        """Accept no more; connections that stand are not touched."""
        factory, self._factory = self._factory, None
        if factory is not None:
            self._reception.stop_accepting()
            factory.doStop()
        return succeed(None)

    def getHost(self) -> IAddress:
        """Where it listens; the first socket of several."""
        return self._host
