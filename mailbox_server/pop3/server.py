"""POP3 on a Twisted transport: octets to the engine, replies to the network, time to bounds.

One task a connection carries out commands in order.  Replies, small messages among them,
are gathered while further commands are at hand, and leave in one write before anything is
waited for.  While more than limits.unread_octets of commands wait, or the client does not
take what we send, nothing is read from it; a client that does not read at all is aborted by
the transport.
"""

import asyncio
import ipaddress
import ssl
from typing import Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailbox_server.auth.outcomes import Service, Visitor
from mailbox_server.model.account import Scope
from mailbox_server.model.address import IpAddress
from mailbox_server.model.ports import Entropy
from mailbox_server.net.admission import Phase
from mailbox_server.net.peer_address import ip_of_host
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.tls_ends import TlsEnds
from mailbox_server.net.twisted_transport import AsyncioTransport
from mailbox_server.pop3 import replies
from mailbox_server.pop3.capabilities import Tls
from mailbox_server.pop3.engine import Engine, Response
from mailbox_server.pop3.grammar import Command, Malformed, State
from mailbox_server.pop3.session import Pop3Services, Session
from mailbox_server.pop3.settings import Pop3Settings

REFUSAL_OF_NEWCOMERS: Final = replies.SERVER_FULL
"""For net.reception.ReceptionPlan: what a client without a place reads."""

# A peer on a UNIX socket is on this machine.
_LOCAL: Final = ipaddress.IPv4Address("127.0.0.1")
_GATHERED_OCTETS: Final = 32 * 1024
COMMANDS_A_TURN: Final = 16
_CONNECTION_OCTETS: Final = 6


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class Pop3Protocol(Protocol):
    """One connection; also the session's Output.  Made by Pop3Factory."""

    def __init__(self, factory: "Pop3Factory", visitor: Visitor) -> None:
        self._limits = factory.settings.limits
        self._context = factory.context
        self._tasks = factory.tasks
        self._protocols = factory.protocols
        self._engine = Engine(self._limits.line_octets)
        self._session = Session(factory.services, factory.settings, visitor, self)
        self._gathered: list[bytes] = []
        self._gathered_octets = 0
        self._unyielded_octets = 0
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._is_busy = False
        self._is_paused = False
        self._has_ended = False
        self._farewell: bytes | None = None
        self._progress = Phase.GREETING
        self._connected_at = self._active_at = 0.0

    # What the transport tells us

    def connectionMade(self) -> None:
        """Greet, and begin to carry out commands."""
        assert isinstance(self.transport, AsyncioTransport)
        self._transport: AsyncioTransport = self.transport
        self._protocols.add(self)
        if self._transport.ticket is not None:
            self._transport.ticket.on_shed = self.make_room
        self._connected_at = self._active_at = asyncio.get_running_loop().time()
        self._arm()
        self._session.greet()
        self._flush()
        self._tasks.spawn("pop3.session", self._converse())

    def handshakeCompleted(self) -> None:
        """TLS is up, from the first octet or after STLS."""
        self._session.secured()

    def forget_plaintext(self) -> int:
        """Drop what was sent behind STLS (net.handshake.PlaintextForgetting)."""
        return self._engine.forget()

    def dataReceived(self, data: bytes) -> None:
        """Octets from the client."""
        self._engine.receive(data)
        if self._engine.pending > self._limits.unread_octets and not self._is_paused:
            self._is_paused = True
            self._transport.pauseProducing()
        self._news.set()

    def readConnectionLost(self) -> None:
        """The client says nothing more; what it said is still answered."""
        self._has_ended = True
        self._news.set()

    def writeConnectionLost(self) -> None:
        """We never close our sending side alone."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is over; nothing is removed but by a QUIT that is under way."""
        self._protocols.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._has_ended = True
        if not self._is_busy:
            self._session.ended()
        self._news.set()

    def leave(self, farewell: bytes = replies.SHUTTING_DOWN) -> None:
        """End: at once between two commands, else after the present one."""
        self._farewell = farewell
        if not self._is_busy and not self._session.is_over:
            self._session.shut_down(farewell)
        self._news.set()

    def make_room(self) -> None:
        """The place is needed for somebody else."""
        self.leave(replies.SERVER_FULL)

    # What the session asks for (Output)

    @property
    def tls(self) -> Tls:
        """Where the connection stands with TLS."""
        if self._transport.tls is not None:
            return Tls.ACTIVE
        return Tls.ABSENT if self._context is None else Tls.AVAILABLE

    @property
    def tls_ends(self) -> TlsEnds | None:
        """What TLS says of both ends."""
        return self._transport.tls_ends

    def write(self, octets: bytes) -> None:
        """Gather octets; they leave with the next flush."""
        self._gathered.append(octets)
        self._gathered_octets += len(octets)
        if self._gathered_octets >= _GATHERED_OCTETS:
            self._flush()

    async def drained(self) -> None:
        """Wait until the client has taken most of it; ConnectionResetError when it is gone."""
        self._flush()
        if self._unyielded_octets >= _GATHERED_OCTETS:
            # A long answer to a fast client never waits otherwise: let others in.
            self._unyielded_octets = 0
            await asyncio.sleep(0)
        await self._transport.drained()

    def start_tls(self) -> None:
        """Begin the handshake."""
        assert self._context is not None
        self._flush()
        self._transport.startTLS(self._context)

    def close(self) -> None:
        """Close when all was sent."""
        self._flush()
        self._transport.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        self._gathered.clear()
        self._transport.abortConnection()

    # One command after the other

    async def _converse(self) -> None:
        commands = 0
        try:
            while not self._session.is_over:
                self._news.clear()
                event = self._next_event()
                if event is not None:
                    await self._carry_out(event)
                    commands += 1
                    if commands < COMMANDS_A_TURN and self._unyielded_octets < _GATHERED_OCTETS:
                        continue
                    # Many commands sent ahead never wait otherwise: let others in.
                    await asyncio.sleep(0)
                elif self._has_ended:
                    break
                else:
                    await self.drained()
                    await self._news.wait()
                commands = self._unyielded_octets = 0
        except ConnectionResetError:
            pass
        finally:
            self._session.ended()
            self.close()

    def _next_event(self) -> Command | Response | None:
        if self._session.awaits_response:
            event: Command | Response | None = self._engine.next_response()
        else:
            event = self._engine.next_command()
        if self._is_paused and self._engine.pending <= self._limits.unread_octets // 2:
            self._is_paused = False
            self._transport.resumeProducing()
        return event

    async def _carry_out(self, event: Command | Response) -> None:
        self._is_busy = True
        if self._progress is Phase.GREETING and not isinstance(event, Malformed):
            self._progressed(Phase.IDLE)
        try:
            await self._session.handle(event)
            await self._transport.drained()
        finally:
            self._is_busy = False
            self._active_at = asyncio.get_running_loop().time()
        if self._progress is Phase.IDLE and self._session.state is State.TRANSACTION:
            self._progressed(Phase.BUSY)
        if self._farewell is not None and not self._session.is_over:
            self._session.shut_down(self._farewell)

    def _flush(self) -> None:
        if self._gathered:
            octets = b"".join(self._gathered)
            self._gathered.clear()
            self._gathered_octets = 0
            self._unyielded_octets += len(octets)
            self._transport.write(octets)

    def _progressed(self, phase: Phase) -> None:
        """Tell the register of connections; commands that lead nowhere do not count."""
        self._progress = phase
        if self._transport.ticket is not None:
            self._transport.ticket.enter(phase)

    # Autologout

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        # Logging in may bring the end nearer, so never sleep past any of the spans.
        limits = self._limits
        wait = min(self._due_at() - loop.time(), limits.idle_seconds, limits.valid_seconds)
        self._timer = loop.call_later(max(wait, 0.02), self._check_time)

    def _due_at(self) -> float:
        if self._session.state is State.TRANSACTION:
            return self._active_at + self._limits.idle_seconds
        return self._connected_at + self._limits.login_seconds

    def _check_time(self) -> None:
        """Close an idle connection without a word and without UPDATE (RFC 1939 §3)."""
        self._session.check_login()
        if self._is_busy or asyncio.get_running_loop().time() < self._due_at():
            self._arm()
        else:
            self._session.ended()
            self._transport.loseConnection()
        self._news.set()


class Pop3Factory(Factory):
    """Makes the protocols of all POP3 listeners, with and without implicit TLS.

    context: for STLS; None where there is no certificate.
    """

    noisy = False

    def __init__(
        self,
        services: Pop3Services,
        settings: Pop3Settings,
        tasks: TaskKeeper,
        entropy: Entropy,
        context: ssl.SSLContext | None,
    ) -> None:
        self.services = services
        self.settings = settings
        self.tasks = tasks
        self.context = context
        self.protocols: set[Pop3Protocol] = set()
        self._entropy = entropy

    def buildProtocol(self, addr: IAddress | None) -> Pop3Protocol:
        """A protocol for the client at addr."""
        connection = self._entropy.octets(_CONNECTION_OCTETS).hex()
        visitor = Visitor(_ip(addr), Service.POP3, Scope.READ, connection)
        protocol = Pop3Protocol(self, visitor)
        protocol.factory = self
        return protocol

    def shut_down(self) -> None:
        """Tell every client to come back later; commands under way are finished first."""
        for protocol in tuple(self.protocols):
            protocol.leave()


def _ip(address: IAddress | None) -> IpAddress:
    if isinstance(address, IPv4Address | IPv6Address):
        return ip_of_host(address.host)
    return _LOCAL
