"""Annotations in the store (RFC 5464)."""

from typing import Protocol

from mailbox_server.model.annotation import ChangedEntry
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq


class AnnotationReader(Protocol):
    """Annotations of an account's mailboxes and, with None for the mailbox, of the server."""

    def all(self, account: AccountId, mailbox: MailboxId | None) -> dict[str, bytes]:
        """Entries by name, in their stored form (model.annotation)."""

    def sizes(self, account: AccountId, mailbox: MailboxId | None) -> dict[str, int]:
        """How many octets each entry's value has; no value is read."""

    def value(self, account: AccountId, mailbox: MailboxId | None, entry: str) -> bytes | None:
        """The value of one entry, or None."""

    def changed(self, account: AccountId, after: ModSeq) -> list[tuple[ModSeq, ChangedEntry]]:
        """What was set or removed since, oldest first, each once, with its modseq.

        Of removed entries only the last 200 of a mailbox are known.
        """


class AnnotationWriter(AnnotationReader, Protocol):
    """Annotations, to change."""

    def set(
        self, account: AccountId, mailbox: MailboxId | None, entry: str, value: bytes | None
    ) -> ModSeq:
        """Set an entry, or remove it with None; the modseq of the write.

        Raises AnnotationTooLarge, TooManyAnnotations.
        """
