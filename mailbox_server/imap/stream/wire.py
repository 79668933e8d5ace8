"""What the conversation asks of the transport, and tells it."""

import enum
from collections.abc import Sequence
from typing import Protocol

from mailbox_server.net.tls_ends import TlsEnds


class Progress(enum.Enum):
    """What the transport's register of connections wants to know.

    Before login only the first command and STARTTLS count: others lead nowhere, and a
    client that waits in the middle of AUTHENTICATE has no better claim to its place.
    """

    IDLE = "nobody is logged in"
    BUSY = "logged in"


class Wire(Protocol):
    """The transport, seen from the conversation; its methods do nothing once it is lost."""

    @property
    def tls_ends(self) -> TlsEnds | None:
        """What TLS says of both ends; None in plain text."""

    def write(self, octets: bytes) -> None:
        """Send octets behind all written before."""

    def write_all(self, pieces: Sequence[bytes]) -> None:
        """The same of all pieces, which in plain text need not be joined."""

    @property
    def is_behind(self) -> bool:
        """Whether drained() would wait or raise."""

    async def drained(self) -> None:
        """Wait while too much is unsent.  Raises ConnectionResetError when lost."""

    def pause_reading(self) -> None:
        """Bring nothing more for now."""

    def resume_reading(self) -> None:
        """Go on."""

    def acknowledge(self) -> None:
        """Acknowledge what came, though nothing is answered yet (net.prompt_acknowledgment)."""

    async def start_tls(self) -> bool:
        """Flush, shake hands; False when that failed."""

    def progressed(self, progress: Progress) -> None:
        """The client got on."""

    def close(self) -> None:
        """Flush and close."""
