"""The server side of STARTTLS: from plain text to TLS on a connection that stands.

What makes it safe (RFC 3207 §4.2, RFC 9051 §6.2.1) is decided here once, for all protocols:

- `secure` hands over only a transport whose handshake is done, together with what has
  been decrypted meanwhile; octets that came before the handshake are fed to it by asyncio
  and make it fail, so nothing said in plain text can come out as if it had been secured.
- what the protocol itself had received and not yet used is its own to forget; see
  PlaintextForgetting, which whoever offers STARTTLS must be.
"""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

HANDSHAKE_SECONDS: Final = 10.0
SHUTDOWN_SECONDS: Final = 10.0
UNSENT_MOST: Final = 16 * 1024


@runtime_checkable
class PlaintextForgetting(Protocol):
    """A protocol that can be taken from plain text to TLS."""

    def forget_plaintext(self) -> int:
        """Drop all octets and commands received and not yet carried out; return how many.

        Anything dropped here was sent behind STARTTLS without waiting for the reply,
        which no honest client does: the connection is then ended.  Called when the
        handshake begins and again when it is done.
        """


class _Holding(asyncio.Protocol):
    """Keeps what arrives between the end of the handshake and the hand-over."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.is_ended = False
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self.octets += data

    def eof_received(self) -> None:
        self.is_ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True


@dataclass(frozen=True, slots=True)
class SecuredTransport:
    """A TLS transport, and what was received before anybody could take it.

    early: decrypted octets, at most one read of the TLS layer (256 KiB).
    is_ended: whether the peer has said already that nothing follows.
    """

    transport: asyncio.Transport
    early: bytes
    is_ended: bool

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Let protocol have all that comes from now on; early is the caller's to deliver."""
        self.transport.set_protocol(protocol)


async def secure(
    raw: asyncio.Transport, context: ssl.SSLContext, *, seconds: float = HANDSHAKE_SECONDS
) -> SecuredTransport | None:
    """Do the handshake on raw; None when it fails, after which raw is closed.

    Reading from raw must be paused since STARTTLS was understood: uvloop otherwise gives
    the client's first flight to the old protocol.  That protocol hears nothing more, not
    even connection_lost.  Call hand_over without
    awaiting in between.  Cancelling ends the connection.
    """
    if raw.is_closing() or raw.get_write_buffer_size() > UNSENT_MOST:
        # asyncio's TLS layer cannot take over a transport that has paused its writer, and
        # no honest peer asks for TLS without having read what it was told before.
        raw.abort()
        return None
    holding = _Holding()
    try:
        # The annotation of start_tls promises None only for a transport lost meanwhile.
        transport = await asyncio.get_running_loop().start_tls(
            raw,
            holding,
            context,
            server_side=True,
            ssl_handshake_timeout=seconds,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )
    except (OSError, EOFError):
        raw.abort()
        return None
    except BaseException:  # cancelled: nobody will look after the connection
        raw.abort()
        raise
    if transport is None or holding.is_lost or transport.is_closing():
        raw.abort()
        return None
    return SecuredTransport(transport, bytes(holding.octets), holding.is_ended)
