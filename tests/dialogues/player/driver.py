"""What the player needs of the thing under test, in memory or behind real sockets."""

from datetime import timedelta
from enum import Enum
from typing import Protocol


class Ending(Enum):
    """Why receive brought no octets."""

    SILENT = "nothing came"
    CLOSED = "the server closed the connection"


class StatementUnknown(Exception):
    """A `given` that this driver cannot make true."""


class Driver(Protocol):
    """Clients, numbered from 1, of one server whose clock is turned by hand."""

    async def given(self, statement: str) -> None:
        """Make the statement true before anybody connects; raises StatementUnknown."""

    async def connect(self, client: int) -> None:
        """Open a connection.  Called once a client, before its first step."""

    async def send(self, client: int, octets: bytes) -> None:
        """Hand octets to the server; need not wait until it has worked on them."""

    async def receive(self, client: int, *, wait: bool) -> bytes | Ending:
        """Return what the server sent since the last call, one octet at least.

        wait: let the server work until something comes for this client, it closes, or it is
            certain (in memory: everything rests; sockets: patience is over) that nothing
            will come.  Without it only what is there once the server rests.
        """

    async def start_tls(self, client: int) -> None:
        """Shake hands; in memory, tell the session that TLS is on."""

    async def hang_up(self, client: int) -> None:
        """Close the client's end."""

    async def advance(self, span: timedelta) -> None:
        """Turn the clock on and let everything happen that then is due."""
