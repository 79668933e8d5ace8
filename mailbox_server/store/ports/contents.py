"""Contents in the store, and the evidence and receipts that go with messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailbox_server.model.ids import (
    ContentId,
    MessageId,
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
        """Octets [start, start + length), shorter at the end; blocking when in a file."""

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


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was answered to one SMTP transaction: fingerprint, when, which messages.

    messages: object ids as they stand in the reply.
    """

    fingerprint: bytes
    at: datetime
    messages: tuple[MessageId, ...]


class ReceiptReader(Protocol):
    """Replies that may have been lost on the way to the peer (store.md §2)."""

    def find(self, fingerprint: bytes, since: datetime) -> Receipt | None:
        """The unconfirmed receipt of that transaction, not older than since.

        None as well where it is later than now, because the clock was put back, and where
        the file of a message's content is not there whole.
        """


class ReceiptWriter(ReceiptReader, Protocol):
    """Receipts, to change."""

    def add(self, receipt: Receipt) -> None:
        """Remember a transaction; replaces an older one of that fingerprint."""

    def confirm(self, fingerprints: Sequence[bytes]) -> None:
        """The peers saw these replies; forget the receipts."""

    def forget(self, before: datetime) -> None:
        """Drop receipts older than that, or later than now."""
