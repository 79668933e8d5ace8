"""What a session needs of its connection; the transport and the tests' player provide it."""

from typing import Protocol

from mailbox_server.net.tls_ends import TlsEnds
from mailbox_server.pop3.capabilities import Tls


class Output(Protocol):
    """The way to the client."""

    @property
    def tls(self) -> Tls:
        """Where the connection stands with TLS."""

    @property
    def tls_ends(self) -> TlsEnds | None:
        """What TLS says of both ends; None in plain text."""

    def write(self, octets: bytes) -> None:
        """Send, after all written before; never waits, nothing happens on a lost line."""

    async def drained(self) -> None:
        """Wait until the client has taken most of it.

        Raises ConnectionResetError when the connection is lost.
        """

    def start_tls(self) -> None:
        """Begin the handshake behind what is written; unread plain text ends the connection."""

    def close(self) -> None:
        """Close when all written has been sent."""

    def abort(self) -> None:
        """Close at once, in the middle of a response."""
