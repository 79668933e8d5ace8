"""The trail: which messages had a Message-ID, an address, or an account for it."""

from dataclasses import dataclass
from typing import Protocol

from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId, MessageId


@dataclass(frozen=True, slots=True)
class Followed:
    """Some steps of the trail: keys with their messages, of those after up to upto."""

    after: int
    upto: int
    keys: tuple[tuple[int, int], ...]


class TrailReader(Protocol):
    """The trail, to look into.  It follows the store at a distance: let it catch up first."""

    def named(self, message_id: str, before: MessageId | None, most: int) -> list[MessageId]:
        """Messages of that Message-ID, without its brackets, newest first, below before."""

    def with_address(
        self, address: Address, before: MessageId | None, most: int
    ) -> list[MessageId]:
        """Messages from or for that address, newest first, below before.

        From is its envelope sender or in its From field.
        """

    def of_account(
        self, account: AccountId, before: MessageId | None, most: int
    ) -> list[MessageId]:
        """Messages that others brought for that account, newest first, below before."""

    def next_step(self) -> Followed | None:
        """What is to be put in next, of at most 200 messages; None where it has caught up."""


class TrailWriter(TrailReader, Protocol):
    """The trail, to be continued."""

    def follow(self, followed: Followed) -> None:
        """Put in what next_step found, unless somebody else has."""
