"""Where a transaction takes the octets of its message from, each once and in order."""

from collections.abc import AsyncIterator
from typing import Protocol

from mailbox_server.relay.client.content.survey import PIECE_OCTETS, read_exactly
from mailbox_server.relay.client.mail import MailContent


class Source(Protocol):
    """The content of one transaction."""

    async def next_piece(self) -> tuple[bytes, bool]:
        """Some octets, and whether they are the last.  Raises what reading raises."""


class Unchanged:
    """The content as it is; it must have exactly size octets."""

    def __init__(self, content: MailContent, size: int) -> None:
        self._content = content
        self._size = size
        self._at = 0

    async def next_piece(self) -> tuple[bytes, bool]:
        at = self._at
        wanted = min(PIECE_OCTETS, self._size - at)
        self._at = at + wanted
        octets = await read_exactly(self._content, at, wanted) if wanted else b""
        return octets, self._at == self._size


class Converted:
    """Pieces of which nobody knows how many there are."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    async def next_piece(self) -> tuple[bytes, bool]:
        try:
            return await anext(self._pieces), False
        except StopAsyncIteration:
            return b"", True
