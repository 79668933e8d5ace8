"""IMAP on a Twisted transport: octets to the conversation, its words to the network."""

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence
from typing import Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailbox_server.imap.commands import COMMAND_TABLE
from mailbox_server.imap.responses import bye
from mailbox_server.imap.session import Security, Services
from mailbox_server.imap.stream.conversation import SERVER_FULL, Conversation
from mailbox_server.imap.stream.wire import Progress
from mailbox_server.model.address import IpAddress
from mailbox_server.model.ports import Entropy
from mailbox_server.net.admission import Phase
from mailbox_server.net.peer_address import ip_of_host
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.tls_ends import TlsEnds
from mailbox_server.net.twisted_transport import AsyncioTransport

TICK_SECONDS: Final = 5.0
REFUSAL_OF_NEWCOMERS: Final = bye(SERVER_FULL)
"""For net.reception.ReceptionPlan: what a client without a place reads."""

# A peer on a UNIX socket is on this machine.
_LOCAL: Final = ipaddress.IPv4Address("127.0.0.1")
_CONNECTION_OCTETS: Final = 6


@implementer(IHalfCloseableProtocol)
class ImapProtocol(Protocol):
    """One connection; also the conversation's Wire.  Made by ImapFactory."""

    conversation: Conversation

    def __init__(self, factory: "ImapFactory", peer: IpAddress, connection: str) -> None:
        self._server = factory
        self._peer = peer
        self._connection = connection

    # What the transport tells us

    def connectionMade(self) -> None:
        """Greet, and begin to converse."""
        assert isinstance(self.transport, AsyncioTransport)
        self._transport: AsyncioTransport = self.transport
        self.conversation = Conversation(
            self._server.services,
            COMMAND_TABLE,
            self,
            connection=self._connection,
            peer=self._peer,
            security=Security.PLAIN if self._transport.tls is None else Security.TLS,
        )
        if self._transport.ticket is not None:
            self._transport.ticket.on_shed = self.conversation.make_room
        self._server.began(self)

    def dataReceived(self, data: bytes) -> None:
        """Octets from the client."""
        self.conversation.received(data)

    def readConnectionLost(self) -> None:
        """The client sends no more."""
        self.conversation.hung_up()

    def writeConnectionLost(self) -> None:
        """We never close our sending side alone."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is over."""
        self.conversation.lost()
        self._server.ended(self)

    def forget_plaintext(self) -> int:
        """Drop what was sent behind STARTTLS (net.handshake.PlaintextForgetting)."""
        return self.conversation.forget_plaintext()

    # What the conversation asks for (Wire)

    @property
    def tls_ends(self) -> TlsEnds | None:
        """What TLS says of both ends."""
        return self._transport.tls_ends

    def write(self, octets: bytes) -> None:
        """Send octets."""
        self._transport.write(octets)

    def write_all(self, pieces: Sequence[bytes]) -> None:
        """Send pieces one behind the other."""
        self._transport.writeSequence(pieces)

    @property
    def is_behind(self) -> bool:
        """Whether the network is behind."""
        return self._transport.is_behind

    async def drained(self) -> None:
        """Wait while the network is behind.  Raises ConnectionResetError."""
        await self._transport.drained()

    def pause_reading(self) -> None:
        """Bring nothing more for now."""
        self._transport.pauseProducing()

    def resume_reading(self) -> None:
        """Go on."""
        self._transport.resumeProducing()

    def acknowledge(self) -> None:
        """Acknowledge what came, though nothing is answered yet."""
        self._transport.acknowledge()

    async def start_tls(self) -> bool:
        """Shake hands behind what is written; whether the connection is in TLS."""
        context = self._server.context
        if context is None or self._transport.disconnecting:
            return False
        self._transport.startTLS(context)
        return await self._transport.secured()

    def progressed(self, progress: Progress) -> None:
        """Tell the register of connections."""
        if self._transport.ticket is not None:
            is_in = progress is Progress.BUSY
            self._transport.ticket.enter(Phase.BUSY if is_in else Phase.IDLE)

    def close(self) -> None:
        """Flush and close."""
        self._transport.loseConnection()


class ImapFactory(Factory):
    """Makes the protocols of all IMAP listeners, with and without implicit TLS.

    context: for STARTTLS; None where there is no certificate (services.offers_tls says the
        same to sessions).
    """

    noisy = False

    def __init__(
        self,
        services: Services,
        tasks: TaskKeeper,
        entropy: Entropy,
        context: ssl.SSLContext | None,
    ) -> None:
        self.services = services
        self.context = context
        self._tasks = tasks
        self._entropy = entropy
        self._protocols: set[ImapProtocol] = set()
        self._ticking: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._protocols)

    def buildProtocol(self, addr: IAddress | None) -> ImapProtocol:
        """A protocol for the client at addr."""
        connection = self._entropy.octets(_CONNECTION_OCTETS).hex()
        protocol = ImapProtocol(self, _ip(addr), connection)
        protocol.factory = self
        return protocol

    def shut_down(self) -> None:
        """Say BYE to every client; commands under way are finished first."""
        for protocol in tuple(self._protocols):
            protocol.conversation.shut_down()

    def began(self, protocol: ImapProtocol) -> None:
        """A connection is made: run its conversation; the first one starts the timer."""
        self._protocols.add(protocol)
        self._tasks.spawn("imap.conversation", protocol.conversation.run())
        if self._ticking is None:
            self._tick_later()

    def ended(self, protocol: ImapProtocol) -> None:
        """A connection is over."""
        self._protocols.discard(protocol)

    def _tick_later(self) -> None:
        self._ticking = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def tick(self) -> None:
        """Let every conversation see what time it is."""
        for protocol in tuple(self._protocols):
            protocol.conversation.tick()

    @property
    def rests(self) -> bool:
        """Whether nothing goes on in any conversation."""
        return all(protocol.conversation.rests for protocol in self._protocols)

    def _tick(self) -> None:
        """One timer for all connections, and none while there are no connections."""
        self._ticking = None
        self.tick()
        if self._protocols:
            self._tick_later()


def _ip(address: IAddress | None) -> IpAddress:
    """The client's address."""
    if not isinstance(address, IPv4Address | IPv6Address):
        return _LOCAL
    return ip_of_host(address.host)
