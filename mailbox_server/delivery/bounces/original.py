"""The message that a report is about: its envelope, and its octets read in blocks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mailbox_server.model.address import ReversePath
from mailbox_server.model.envelope import BodyType, Return
from mailbox_server.model.ids import AccountId, ContentId
from mailbox_server.model.outbound import Departure, Origin
from mailbox_server.store.ports import StagedContent, Store

BLOCK_OCTETS: Final = 64 * 1024

ReadBlock = Callable[[int, int], Awaitable[bytes]]
"""Start and length in the content to octets, in the background; fewer at its end."""


@dataclass(frozen=True, slots=True)
class Original:
    """What all recipients share.

    trace: what goes before the content.  size: of both.
    account: on whose behalf it was sent or passed on.  deliver_by: RFC 2852.
    """

    origin: Origin
    account: AccountId | None
    reverse_path: ReversePath
    trace: bytes
    size: int
    message_id: str | None
    body: BodyType
    smtputf8: bool
    require_tls: bool
    ret: Return
    envelope_id: str | None
    arrived: datetime
    read: ReadBlock
    deliver_by: datetime | None = None

    async def beginning(self, octets: int) -> bytes:
        """The first octets of trace and content."""
        missing = octets - len(self.trace)
        return self.trace[:octets] + (await self.read(0, missing) if missing > 0 else b"")

    async def blocks(self) -> AsyncIterator[bytes]:
        """Trace and content, at most BLOCK_OCTETS of the content at a time."""
        yield self.trace
        left, start = self.size - len(self.trace), 0
        while left > 0:
            block = await self.read(start, min(BLOCK_OCTETS, left))
            if not block:
                return
            yield block
            start += len(block)
            left -= len(block)


def of_departure(departure: Departure, store: Store) -> Original:
    """A message on its way out."""
    return Original(
        origin=departure.origin,
        account=departure.account,
        reverse_path=departure.reverse_path,
        trace=departure.trace,
        size=departure.size,
        message_id=departure.message_id,
        body=departure.body,
        smtputf8=departure.smtputf8,
        require_tls=departure.require_tls,
        ret=departure.ret,
        envelope_id=departure.envelope_id,
        arrived=departure.arrived,
        read=content_reader(store, departure.content),
        deliver_by=None if departure.deliver_by is None else departure.deliver_by.until,
    )


def content_reader(store: Store, content: ContentId) -> ReadBlock:
    """Read content that the store keeps.  Raises ContentMissing, ContentDamaged."""

    async def read(start: int, length: int) -> bytes:
        return await store.read(lambda tx: tx.contents.read(content, start, length))

    return read


def staged_reader(staged: StagedContent) -> ReadBlock:
    """Read content that is staged, in memory or in a file."""

    async def read(start: int, length: int) -> bytes:
        return staged.read(start, length)

    return read
