"""What one client is sent: gathered in pieces, deflated if agreed, and written to the wire."""

import asyncio
from typing import Final

from mailbox_server.imap.stream.compression import Compression
from mailbox_server.imap.stream.wire import Wire

GATHERED_OCTETS: Final = 32 * 1024


class Outgoing:
    """The way to one client.

    compression: deflates what leaves; None in plain text.  What was gathered before it
        changes must be flushed first.
    """

    def __init__(self, wire: Wire) -> None:
        self.compression: Compression | None = None
        self._wire = wire
        self._gathered: list[bytes] = []
        self._gathered_octets = 0
        self._unyielded = 0

    def write(self, octets: bytes) -> None:
        """Queue octets; they leave when GATHERED_OCTETS are together, or by flush."""
        self._gathered.append(octets)
        self._gathered_octets += len(octets)
        self._unyielded += len(octets)
        if self._gathered_octets >= GATHERED_OCTETS:
            self.flush()

    def flush(self) -> None:
        """Send what is gathered."""
        if self._gathered:
            octets = b"".join(self._gathered)
            if self.compression is not None:
                octets = self.compression.deflated(octets)
            self._wire.write(octets)
            self._gathered.clear()
            self._gathered_octets = 0

    async def drained(self) -> None:
        """Wait while the network is behind.  Raises ConnectionResetError when lost."""
        if self._unyielded >= GATHERED_OCTETS:
            # A long answer to a fast peer never waits otherwise: let other sessions in.
            self._unyielded = 0
            await asyncio.sleep(0)
        await self._wire.drained()
