"""Accepting connections from a listener: a place first, then TLS, then the protocol.

One way in for every protocol, asyncio's own (aiosmtpd) and Twisted's alike.  The order
matters under attack: a stranger beyond the limits costs neither a handshake nor the
memory of a TLS layer.  That is why we accept ourselves: loop.create_server tells of a
connection only after its handshake.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

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
from mailbox_server.net.handshake import HANDSHAKE_SECONDS, SHUTDOWN_SECONDS
from mailbox_server.net.listeners import Listener
from mailbox_server.net.peer_address import ip_of_name
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.twisted_transport import WRITE_SECONDS, AsyncioTransport, socket_address

BuildProtocol = Callable[[Ticket], asyncio.Protocol]

ACCEPTS_A_TURN: Final = 64
_PAUSE_SECONDS: Final = 1.0


def _untold(_error: OSError) -> None:
    """For those who do not want to know."""


def _unheard(_peer: IpAddress | None, _reason: str) -> None:
    """For those who do not want to know."""


@dataclass(frozen=True, slots=True)
class ReceptionPlan:
    """How connections of one listener are taken in.

    context: for implicit TLS; None begins in plain text.
    refusal: sent in plain text to a peer for whom there is no place (`421 ...`); not sent
        where TLS is implicit.
    on_scarcity: called when the system has no descriptor or no memory for a newcomer, at
        most once a second and listener.
    on_failed_handshake: called with the peer's address and the reason where implicit TLS
        did not come about.
    """

    context: ssl.SSLContext | None = None
    refusal: bytes = b""
    handshake_seconds: float = HANDSHAKE_SECONDS
    on_scarcity: Callable[[OSError], None] = _untold
    on_failed_handshake: Callable[[IpAddress | None, str], None] = _unheard


class Reception:
    """Accepts from one listener until told to stop.

    Without free descriptors or memory it stops accepting for a second at a time, and sheds
    a stranger; newcomers wait in the backlog, and connections that stand are served.
    """

    def __init__(
        self,
        listener: Listener,
        build: BuildProtocol,
        admissions: Admissions,
        tasks: TaskKeeper,
        plan: ReceptionPlan,
    ) -> None:
        """build makes the protocol of one admitted connection, before its handshake.

        The protocol's connection_made is called when TLS is up, or not at all.  It must
        release the ticket in connection_lost, and may set its on_shed.
        """
        self.listener = listener
        self._build = build
        self._admissions = admissions
        self._tasks = tasks
        self._plan = plan
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Begin to accept on the running loop."""
        for listening in self.listener.sockets:
            self._watch(listening)

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections that stand are not touched."""
        loop = asyncio.get_running_loop()
        for listening in self.listener.sockets:
            if listening.fileno() >= 0:
                loop.remove_reader(listening)
        for pause in self._pauses.values():
            pause.cancel()
        self._pauses.clear()
        self.listener.close()

    def _watch(self, listening: socket.socket) -> None:
        self._pauses.pop(listening, None)
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        # Who is cut for a newcomer holds a descriptor until this turn of the loop is over.
        for _ in range(min(ACCEPTS_A_TURN, self._admissions.limits.leaving + 1)):
            try:
                accepted, name = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # No descriptors or no memory, mostly; trying again at once would spin.
                self._plan.on_scarcity(error)
                self._admissions.shed_one()
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                self._pauses[listening] = loop.call_later(_PAUSE_SECONDS, self._watch, listening)
                return
            self._receive(accepted, name)

    def _receive(self, accepted: socket.socket, name: object) -> None:
        accepted.setblocking(False)
        ticket = self._admissions.admit(ip_of_name(name), lambda: _hang_up(accepted))
        if isinstance(ticket, Crowded):
            if self._plan.context is None:
                with contextlib.suppress(OSError):
                    accepted.send(self._plan.refusal)
            accepted.close()
            return
        self._tasks.spawn("net.arrival", self._connect(accepted, ticket))

    async def _connect(self, accepted: socket.socket, ticket: Ticket) -> None:
        """Make the transport, with TLS where planned; a failed handshake leaves nothing."""
        protocol = self._build(ticket)
        context = self._plan.context
        seconds = self._plan.handshake_seconds
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                accepted,
                ssl=context,
                ssl_handshake_timeout=None if context is None else seconds,
                ssl_shutdown_timeout=None if context is None else SHUTDOWN_SECONDS,
            )
        except (OSError, EOFError) as error:
            # The peer gave up, or spoke no TLS that we want.
            ticket.release()
            if context is not None:
                self._plan.on_failed_handshake(ticket.ip, _reason(error))
        except BaseException:  # cancelled, or a bug: the place is free again
            ticket.release()
            raise


def _reason(error: OSError | EOFError) -> str:
    """Why a handshake failed: OpenSSL's word for it, or what became of the connection."""
    word = error.reason if isinstance(error, ssl.SSLError) else None
    return word or str(error) or type(error).__name__


def _hang_up(accepted: socket.socket) -> None:
    """End a connection from below; whoever has it hears of its end as of any other."""
    with contextlib.suppress(OSError):
        accepted.shutdown(socket.SHUT_RDWR)


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
            return AsyncioTransport(
                factory,
                self._tasks,
                ticket,
                write_seconds=self._write_seconds,
                handshake_seconds=self._plan.handshake_seconds,
            )

        reception = Reception(self._listener, build, self._admissions, self._tasks, self._plan)
        factory.doStart()
        reception.start()
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
