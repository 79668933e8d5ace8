"""One connection that is asyncio's protocol on one side and Twisted's transport on the other.

One TLS stack, one certificate table and uvloop's speed for all protocols, and no reactor.
A Twisted protocol sees ITransport, IConsumer and IPushProducer as it knows them, plus:

- back-pressure both ways: above 64 KiB of unsent octets nothing more is read from the
  peer, push producers are paused, and `drained()` waits;
- a peer that does not take what we send is aborted (`write_deadline.py`);
- `startTLS` with an ssl.SSLContext, which ends the connection when anything was sent
  behind STARTTLS or is written before the handshake is done (`handshake.py`);
- a peer that closes its sending side only is answered to the end if the protocol is
  IHalfCloseableProtocol (our line protocols are); otherwise what is written is flushed.

connectionLost reaches the protocol exactly once, with ConnectionDone, ConnectionAborted
or ConnectionLost.
"""

import asyncio
import enum
import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, cast

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IProducer,
    IProtocol,
    IPullProducer,
    IPushProducer,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from mailbox_server.model.envelope import TlsState
from mailbox_server.net.admission import Ticket
from mailbox_server.net.direct_write import LARGE_OCTETS, Octets, write_directly
from mailbox_server.net.handshake import HANDSHAKE_SECONDS, PlaintextForgetting, secure
from mailbox_server.net.prompt_acknowledgment import acknowledge_now
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.tls import describe_tls
from mailbox_server.net.tls_ends import TlsEnds, describe_ends
from mailbox_server.net.write_deadline import WriteDeadline

HIGH_WATER: Final = 64 * 1024
WRITE_SECONDS: Final = 120.0
_PULLS_A_TURN: Final = 16


class _State(enum.Enum):
    OPEN = "open"
    HANDSHAKING = "startTLS was called, TLS is not up yet"
    CLOSING = "loseConnection was called"
    LOST = "over"


class ProtocolBuilder(Protocol):
    """What builds the protocol of a connection: a Twisted Factory, seen from here."""

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """Make a protocol for the peer at addr; None refuses it."""


@implementer(ITransport, IConsumer, IPushProducer)
class AsyncioTransport(asyncio.Protocol):
    """One connection between asyncio and a Twisted protocol.

    ticket: the place in the register of connections; given back when the connection is
        lost.  The protocol tells it of its phases and may set its on_shed.
    tls: None in plain text; the session's parameters once a handshake is done.
    tls_ends: likewise, what it says of both ends.
    """

    disconnecting = False

    def __init__(
        self,
        factory: ProtocolBuilder,
        tasks: TaskKeeper,
        ticket: Ticket | None = None,
        *,
        write_seconds: float = WRITE_SECONDS,
        handshake_seconds: float = HANDSHAKE_SECONDS,
    ) -> None:
        self.ticket = ticket
        self.tls: TlsState | None = None
        self.tls_ends: TlsEnds | None = None
        self._factory = factory
        self._tasks = tasks
        self._write_seconds = write_seconds
        self._handshake_seconds = handshake_seconds
        self._state = _State.OPEN
        self._is_full = False
        self._is_reading = True
        self._wants_reading = True
        self._is_aborted = False
        self._is_ended = False
        self._written = 0
        self._producer: IProducer | None = None
        self._is_pull = False
        self._pull_turn: asyncio.Handle | None = None
        self._room: asyncio.Future[None] | None = None
        self._handshake: asyncio.Task[bool] | None = None

    # What asyncio tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Build the Twisted protocol and let it begin; called once."""
        raw = cast(asyncio.Transport, transport)
        self._raw = raw
        self._deadline = WriteDeadline(self._write_seconds, self._taken, self.abortConnection)
        self._peer = socket_address(transport.get_extra_info("peername"))
        self._host = socket_address(transport.get_extra_info("sockname"))
        self._adopt(raw)
        if self.ticket is not None:
            self.ticket.on_shed = self.ticket.on_cut = self.abortConnection
        protocol = self._factory.buildProtocol(self._peer)
        if protocol is None:
            self._protocol: IProtocol | None = None
            self.abortConnection()
            return
        self._protocol = protocol
        protocol.makeConnection(self)
        self._tell_of_handshake()

    def data_received(self, data: bytes) -> None:
        """Octets from the peer, in plain text or decrypted."""
        if self._protocol is None or self._state is _State.LOST:
            return
        if self._state is _State.HANDSHAKING:
            # Reading was paused, so this came with what was read before: plain text
            # behind STARTTLS.
            self.abortConnection()
            return
        self._protocol.dataReceived(data)

    def eof_received(self) -> bool:
        """The peer sends no more; True keeps our side open."""
        protocol = self._protocol
        if protocol is None or not IHalfCloseableProtocol.providedBy(protocol):
            return False
        protocol.readConnectionLost()
        # TLS has no half-open state in asyncio: what was written by now is flushed.
        return self.tls is None and self._state is not _State.LOST

    def pause_writing(self) -> None:
        """The peer takes less than we give: stop all that produces."""
        self._is_full = True
        self._deadline.start()
        self._apply_reading()
        if self._producer is not None and not self._is_pull:
            self._push_producer().pauseProducing()

    def resume_writing(self) -> None:
        """The buffer has room again."""
        self._is_full = False
        # Later, not now: asyncio calls this in the middle of its own sending, where a
        # close or abort by whoever wakes up would end the transport twice.
        asyncio.get_running_loop().call_soon(self._resume)

    def _resume(self) -> None:
        if self._is_full or self._state is _State.LOST:
            return
        if self._state is not _State.CLOSING:
            self._deadline.stop()
        self._wake()
        self._apply_reading()
        if self._producer is not None:
            if self._is_pull:
                self._pull_soon()
            else:
                self._push_producer().resumeProducing()
        self._close_if_done()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over; tell everybody once."""
        if self._state is _State.LOST:
            return
        self._state = _State.LOST
        self.disconnecting = True
        self._deadline.stop()
        if self.ticket is not None:
            self.ticket.release()
        self._wake()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connectionLost(Failure(self._reason(exc)))  # type: ignore[no-untyped-call]
        # What a TLS transport could not send it keeps for as long as it lives; who is served here
        # may refer to us in circles.  It is asked nothing any more.
        self._raw = asyncio.Transport()

    def _reason(self, exc: Exception | None) -> Exception:
        if self._is_aborted:
            return ConnectionAborted()
        if exc is None or isinstance(exc, EOFError):
            return ConnectionDone()
        return ConnectionLost(str(exc))

    # ITransport

    def write(self, data: bytes) -> None:
        """Send data after all written before; never waits.

        Give long answers in blocks of at most 64 KiB with `drained()` between them: the TLS
        layer hands each write on whole, and notices a full buffer at the next one.

        Dropped once the connection is closing, closed for writing, or lost.  Writing
        between startTLS and the end of the handshake answers somebody who spoke too
        early: it ends the connection.
        """
        if self._takes_writing():
            self._written += len(data)
            self._raw.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send all pieces in one write, in plain text without joining them."""
        pieces = list(data)
        if self.tls is not None:
            self.write(b"".join(pieces))
        elif self._takes_writing():
            octets = sum(map(len, pieces))
            self._written += octets
            rest = self._written_around(pieces) if octets >= LARGE_OCTETS else pieces
            if rest:
                self._raw.writelines(rest)

    def _written_around(self, pieces: Sequence[bytes]) -> Sequence[Octets]:
        """Write past the event loop if nothing waits in front; what is left to be written."""
        carrier = self._raw.get_extra_info("socket")
        if carrier is None or self._raw.get_write_buffer_size():
            return pieces
        return write_directly(carrier.fileno(), pieces)

    def _takes_writing(self) -> bool:
        """Whether something can be written now; ends the connection of who spoke too early."""
        if self._state is _State.HANDSHAKING:
            self.abortConnection()
            return False
        if self._state is _State.LOST or self._is_ended or self._raw.is_closing():
            return False
        return self._state is not _State.CLOSING or self._producer is not None

    def loseConnection(self) -> None:
        """Close when what is written has been sent and no producer is left.

        A peer that does not take it is aborted after the write deadline.
        """
        if self._state is _State.HANDSHAKING:
            self.abortConnection()
        elif self._state is _State.OPEN:
            self._state = _State.CLOSING
            self.disconnecting = True
            self._deadline.start()
            self._close_if_done()

    def abortConnection(self) -> None:
        """Close at once; what was not sent is lost."""
        if self._state is _State.LOST:
            return
        self._is_aborted = True
        self.disconnecting = True
        if self._handshake is not None and self._state is _State.HANDSHAKING:
            self._handshake.cancel()
        self._raw.abort()

    def getPeer(self) -> IAddress:
        """The peer's address; stands after the connection is lost."""
        return self._peer

    def getHost(self) -> IAddress:
        """Our address of this connection."""
        return self._host

    # ITCPTransport, as far as it means something on UNIX sockets and TLS as well

    def loseWriteConnection(self) -> None:
        """Say that nothing more follows, and go on reading; on TLS, close."""
        if self._state is not _State.OPEN or self._is_ended:
            return
        if self.tls is None and self._raw.can_write_eof():
            self._is_ended = True
            self._raw.write_eof()
        else:
            self.loseConnection()

    # IPushProducer: the connection as the source of what the protocol reads

    def pauseProducing(self) -> None:
        """Read nothing more from the peer until resumeProducing."""
        self._wants_reading = False
        self._apply_reading()

    def resumeProducing(self) -> None:
        """Read on, as soon as the outgoing buffer has room."""
        self._wants_reading = True
        self._apply_reading()

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    # IConsumer: the connection as the sink of a producer

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Let producer write: asked for each piece, or (streaming) paused when full."""
        if self._producer is not None:
            raise RuntimeError(f"{self._producer!r} produces already")
        if self._state is _State.LOST:
            producer.stopProducing()
            return
        self._producer = producer
        self._is_pull = not streaming
        if self._is_pull:
            self._pull_soon()
        elif self._is_full:
            self._push_producer().pauseProducing()

    def unregisterProducer(self) -> None:
        """The producer has written all."""
        self._producer = None
        self._close_if_done()

    # For async sessions

    @property
    def is_behind(self) -> bool:
        """Whether drained() may wait or raise."""
        return (
            self._is_full
            or self._state is not _State.OPEN
            or self._raw.get_write_buffer_size() > HIGH_WATER
        )

    async def drained(self) -> None:
        """Wait until less than 64 KiB is unsent and no handshake is under way.

        Raises ConnectionResetError when the connection is lost, also while waiting.
        """
        if self._state is _State.OPEN and self._raw.get_write_buffer_size() > HIGH_WATER:
            # uvloop's TLS looks at its buffer only after this turn of the loop.
            await asyncio.sleep(0)
        while self._state is not _State.LOST and (
            self._is_full or self._state is _State.HANDSHAKING
        ):
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)
        if self._state is _State.LOST:
            raise ConnectionResetError("the connection is lost")

    # TLS

    def startTLS(self, context: ssl.SSLContext) -> None:
        """Begin the server's handshake behind what is already written.

        The protocol must be PlaintextForgetting (TypeError otherwise), and in plain text
        (RuntimeError).  It hears of the end through IHandshakeListener or `secured()`;
        a failed handshake is a lost connection.
        """
        if self.tls is not None or self._state is not _State.OPEN:
            raise RuntimeError("startTLS needs an open connection in plain text")
        protocol = self._protocol
        if not isinstance(protocol, PlaintextForgetting):
            raise TypeError(f"{protocol!r} cannot forget what it received in plain text")
        self._state = _State.HANDSHAKING
        self._apply_reading()
        if protocol.forget_plaintext():
            self.abortConnection()
            return
        self._handshake = self._tasks.spawn("net.starttls", self._shake(protocol, context))

    async def secured(self) -> bool:
        """Wait for the handshake that startTLS began; whether the connection is in TLS."""
        if self._handshake is not None:
            await asyncio.wait([self._handshake])
        return self.tls is not None

    async def _shake(self, protocol: PlaintextForgetting, context: ssl.SSLContext) -> bool:
        # `secure` refuses a transport whose buffer is full; give it time to empty.
        while self._is_full and self._state is _State.HANDSHAKING:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)
        if self._state is not _State.HANDSHAKING or self._raw.is_closing():
            return False
        try:
            secured = await secure(self._raw, context, seconds=self._handshake_seconds)
        except asyncio.CancelledError:
            self.connection_lost(None)
            raise
        if secured is None:
            self.connection_lost(ConnectionResetError("the TLS handshake failed"))
            return False
        secured.hand_over(self)
        self._raw = secured.transport
        self._state = _State.OPEN
        self._adopt(secured.transport)
        if protocol.forget_plaintext():
            self.abortConnection()
            return False
        self._wake()
        self._tell_of_handshake()
        if secured.early:
            self.data_received(secured.early)
        if secured.is_ended:
            self.eof_received()
        return True

    def _tell_of_handshake(self) -> None:
        protocol = self._protocol
        if self.tls is not None and IHandshakeListener.providedBy(protocol):
            protocol.handshakeCompleted()

    def acknowledge(self) -> None:
        """Acknowledge what came although nothing is answered yet; see prompt_acknowledgment."""
        if self._state is not _State.LOST:
            acknowledge_now(self._raw)

    # Inner workings

    def _adopt(self, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(high=HIGH_WATER)
        session = transport.get_extra_info("ssl_object")
        self.tls, self.tls_ends = describe_tls(session), describe_ends(session)
        carrier = transport.get_extra_info("socket")
        if carrier is not None and carrier.family in (socket.AF_INET, socket.AF_INET6):
            carrier.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._is_reading = True
        self._apply_reading()

    def _taken(self) -> int:
        return self._written - self._raw.get_write_buffer_size()

    def _apply_reading(self) -> None:
        wanted = self._wants_reading and not self._is_full and self._state is not _State.HANDSHAKING
        if wanted == self._is_reading or self._state is _State.LOST or self._raw.is_closing():
            return
        self._is_reading = wanted
        if wanted:
            self._raw.resume_reading()
        else:
            self._raw.pause_reading()

    def _wake(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _push_producer(self) -> IPushProducer:
        return IPushProducer(self._producer)

    def _close_if_done(self) -> None:
        if self._state is _State.CLOSING and self._producer is None and not self._is_full:
            self._raw.close()

    def _pull_soon(self) -> None:
        if self._pull_turn is None:
            self._pull_turn = asyncio.get_running_loop().call_soon(self._pull)

    def _pull(self) -> None:
        """Ask for pieces until the buffer is full; then let others have their turn."""
        self._pull_turn = None
        for _ in range(_PULLS_A_TURN):
            if (
                self._producer is None
                or not self._is_pull
                or self._is_full
                or self._state is _State.HANDSHAKING
            ):
                return
            IPullProducer(self._producer).resumeProducing()
        self._pull_soon()


def socket_address(name: object) -> IAddress:
    """A socket name of asyncio as a Twisted address."""
    if isinstance(name, tuple):
        if len(name) == 4:
            return IPv6Address("TCP", *name)
        return IPv4Address("TCP", *name)
    # A peer on a UNIX socket mostly has no name at all.
    return UNIXAddress(name.encode() if isinstance(name, str) else b"")
