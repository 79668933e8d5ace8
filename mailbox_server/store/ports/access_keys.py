"""Mailbox access keys in the store (RFC 4467 §2.2)."""

from typing import Protocol

from mailbox_server.model.ids import AccountId, MailboxId


class AccessKeyReader(Protocol):
    """The secret of an account and a mailbox, under which the account authorizes URLs."""

    def find(self, account: AccountId, mailbox: MailboxId) -> bytes | None:
        """The key, or None where there is none yet."""


class AccessKeyWriter(AccessKeyReader, Protocol):
    """Access keys, to change."""

    def set(self, account: AccountId, mailbox: MailboxId, key: bytes) -> None:
        """Put a key in place of the one before.  Raises AccountMissing."""

    def remove_all(self, account: AccountId) -> None:
        """Forget all keys of an account.  Raises AccountMissing."""
