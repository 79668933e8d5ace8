"""Rights in mailboxes: who beside its owner may do what there (RFC 4314)."""

from dataclasses import dataclass
from typing import Final, Protocol

from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.rights import Grant, Rights

ANYONE: Final = AccountId(0)
"""Whose bell rings after a write that changed what anyone may do in a mailbox."""


@dataclass(frozen=True, slots=True)
class SharedMailbox:
    """A mailbox of somebody else, or of a shared account, and what one may do there."""

    owner: Address
    is_shared: bool
    mailbox: Mailbox
    rights: Rights


class RightReader(Protocol):
    """Rights of accounts in mailboxes."""

    def grants(self, mailbox: MailboxId) -> list[Grant]:
        """The entries of its list, anyone's first, the others by address.

        The owner, who has all rights, has none.
        """

    def held(self, mailbox: Mailbox, account: AccountId) -> Rights:
        """What the account may do in it: its entries and anyone's, less the negative ones."""

    def visible(self, account: AccountId) -> list[SharedMailbox]:
        """The mailboxes of others that the account may look up, by owner and name."""


class RightWriter(RightReader, Protocol):
    """Rights, to change."""

    def set(
        self, mailbox: Mailbox, holder: AccountId | None, rights: Rights, *, is_negative: bool
    ) -> None:
        """Make these the rights of an entry; without any it is removed.

        holder: None for anyone; never the owner.  Raises TooManyRights.
        """
