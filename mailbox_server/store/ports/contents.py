"""Contents in the store, and the evidence and receipts that go with messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailbox_server.model.ids import (
    ContentId,
    MessageId,
    OutboundId,
)
from mailbox_server.model.passport import Evidence


class StagedContent(Protocol):
    """Content received whole but not yet named by a row; give it to one write or discard it."""

    @property
    def size(self) -> int:
        """Octets."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of the octets."""

    def read(self, start: int, length: int) -> bytes:
        """Octets [start, start + length), shorter at the end; blocking when in a file.

        Raises StoreUnavailable where the file cannot be read.
        """

    @property
    def in_memory(self) -> bool:
        """Whether read never blocks."""

    def discard(self) -> None:
        """Give its room back; never while a write has it.  Silent after it was given back."""


class Staging(Protocol):
    """Content while it is received.  Bounded memory: spills to a file."""

    def feed(self, octets: bytes) -> bool:
        """Take more octets, never blocking.  True: await drained() before feeding more."""

    async def drained(self) -> None:
        """Wait until what was fed is out of memory.  Raises DiskLow, StoreUnavailable."""

    async def finish(self) -> StagedContent:
        """All is here; a file is synced with its directory.  Raises DiskLow,
        StoreUnavailable."""

    def discard(self) -> None:
        """Forget it; silent after finish."""


class ContentReader(Protocol):
    """Content octets."""

    def size(self, content: ContentId) -> int:
        """Raises ContentMissing."""

    def read(self, content: ContentId, start: int, length: int) -> bytes:
        """Octets [start, start + length), shorter at the end; at most 1 MiB at a time.

        Raises ContentMissing, ContentDamaged.
        """

    def small(self, contents: Collection[ContentId]) -> dict[ContentId, bytes]:
        """Those of the contents that lie in one piece in a row, whole; others are left out.

        Ask for what is small together.  Raises ContentDamaged.
        """


class ContentWriter(ContentReader, Protocol):
    """Content octets, to keep."""

    def keep(self, staged: StagedContent) -> ContentId:
        """Give staged content its row; a message must name it in the same write.

        May be called again with the same staged content when work is run again.
        """


class PassportReader(Protocol):
    """Evidence about messages."""

    def of(self, message: MessageId) -> list[Evidence]:
        """Oldest first."""


class PassportWriter(PassportReader, Protocol):
    """Evidence about messages, to add."""

    def stamp(self, message: MessageId, evidence: Sequence[Evidence]) -> None:
        """Append to the message's passport."""

    def forget(self, before: datetime) -> int:
        """Remove the passports of messages destroyed before then, at most 1,000; how many.

        That of a message that lives stays, and so does one whose octets may still be asked
        for (store.destroyed_messages).
        """


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was answered to one SMTP transaction: fingerprint, when, which messages.

    messages: ids as they stand in the reply.  outbound: a recipient in the queue, of mail that
        our own people send.
    """

    fingerprint: bytes
    at: datetime
    messages: tuple[MessageId, ...]
    outbound: OutboundId | None = None


class ReceiptReader(Protocol):
    """Replies that may have been lost on the way to the peer (store.md §2).

    A message keeps the fingerprint of the transaction that brought it (NewMessage), so a
    receipt costs a delivery nothing.  Who asks keeps in memory which of them count.
    """

    def since(self, moment: datetime) -> list[Receipt]:
        """The receipts from then on, each fingerprint once, its newest messages.

        Those that settle closed are left out.
        """

    def is_there(self, receipt: Receipt) -> bool:
        """Whether what the receipt promises is kept.

        False where a message's content file is gone or cut: who has a message like that
        must not be told again that it is kept.  A message removed since is no loss.
        """


class ReceiptWriter(ReceiptReader, Protocol):
    """Receipts, to change."""

    def settle(self, still_open: Sequence[Receipt]) -> None:
        """Close all receipts up to now but these; said when the server stops in order."""
