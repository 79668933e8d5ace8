"""What is remembered for an hour of mail that accounts sent, in the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports.contents import Receipt, ReceiptReader, ReceiptWriter


@dataclass(frozen=True, slots=True)
class FiledCopy:
    """A copy that we filed, and until when it yields.

    key: of its account and Message-ID, 32 octets.
    """

    key: bytes
    mailbox: MailboxId
    uid: int
    until: datetime


class SentReceiptReader(ReceiptReader, Protocol):
    """Receipts of what accounts sent; is_there is true of all."""


class SentReceiptWriter(ReceiptWriter, Protocol):
    """The same, to change; settle removes all but those that are still open."""

    def add(self, receipt: Receipt) -> None:
        """One more, in place of one with its fingerprint."""

    def forget(self, fingerprints: Sequence[bytes]) -> None:
        """Their clients have seen the reply, or may not have it any more."""

    def forget_old(self, before: datetime) -> int:
        """Remove those of before then, whoever knows of them; how many."""


class SentCopyReader(Protocol):
    """Copies that were filed."""

    def since(self, now: datetime, most: int) -> list[FiledCopy]:
        """Those that yield still, a number of them."""


class SentCopyWriter(SentCopyReader, Protocol):
    """The same, to change."""

    def add(self, copy: FiledCopy) -> None:
        """One more, in place of one with its key."""

    def remove(self, copies: Sequence[FiledCopy]) -> None:
        """They yield no more; one that lies elsewhere under the same key does still."""

    def forget(self, now: datetime) -> int:
        """Remove those that yield no more by now; how many."""
