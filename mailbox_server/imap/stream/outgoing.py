"""What one client is sent: gathered in pieces, deflated if agreed, and written to the wire."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from mailbox_server.imap.stream.compression import Compression
from mailbox_server.imap.stream.wire import Wire

GATHERED_OCTETS: Final = 32 * 1024
BLOCK_OCTETS: Final = 1 << 17
PROMPT_SECONDS: Final = 0.005


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
        octets = b"".join(self._gathered)
        if octets:
            if self.compression is not None:
                octets = self.compression.deflated(octets)
            self._wire.write(octets)
            self._gathered.clear()
            self._gathered_octets = 0

    async def pour(self, pieces: Sequence[bytes]) -> bool:
        """Send pieces, and wait while the network is behind.

        In plain text they leave as they are, all at once; True where the network took them in
        no time, so that what comes next had better be made meanwhile.  TLS and deflate see
        blocks of about BLOCK_OCTETS, others having their turn between: they work on this
        thread, and who works beside it gets into its way.

        Raises ConnectionResetError when lost.
        """
        octets = sum(map(len, pieces))
        if octets < GATHERED_OCTETS:
            self.write(b"".join(pieces))
            if self.is_behind:
                await self.drained()
            return False
        if self.compression or self._wire.tls_ends:
            for block in _blocks(pieces):
                self.write(block)
                await self.drained()
            return False
        self.flush()
        self._wire.write_all(pieces)
        self._unyielded += octets
        return await self.drained()

    @property
    def is_behind(self) -> bool:
        """Whether drained() would do anything."""
        return self._unyielded >= GATHERED_OCTETS or self._wire.is_behind

    async def drained(self) -> bool:
        """Wait while the network is behind; whether it hardly was.

        Raises ConnectionResetError when lost.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        if self._unyielded >= GATHERED_OCTETS:
            # A long answer to a fast peer never waits otherwise: let other sessions in.
            self._unyielded = 0
            await asyncio.sleep(0)
        await self._wire.drained()
        return loop.time() - begun < PROMPT_SECONDS


def _blocks(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """The pieces joined, in blocks of at most twice BLOCK_OCTETS."""
    ends = list(accumulate(map(len, pieces)))
    place = octets = 0
    while place < len(pieces):
        beyond = min(bisect_left(ends, octets + BLOCK_OCTETS, place) + 1, len(pieces))
        block = b"".join(pieces[place:beyond])
        place, octets = beyond, ends[beyond - 1]
        if len(block) <= 2 * BLOCK_OCTETS:
            yield block
        else:
            for at in range(0, len(block), BLOCK_OCTETS):
                yield block[at : at + BLOCK_OCTETS]
