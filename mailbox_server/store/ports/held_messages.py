"""Messages that wait in an Outbox, in the store."""

from datetime import datetime
from typing import Protocol

from mailbox_server.model.held_message import HeldMessage, UnreadableHeld
from mailbox_server.model.ids import AccountId, MailboxId


class HeldMessageReader(Protocol):
    """Held messages."""

    def due(self, now: datetime, most: int) -> list[HeldMessage | UnreadableHeld]:
        """Those whose time has come, the longest overdue first."""

    def listed(
        self, account: AccountId | None, after: tuple[MailboxId, int] | None, most: int
    ) -> list[HeldMessage | UnreadableHeld]:
        """Those of the account, or all, by mailbox and UID; from behind that place on."""

    def waits(self, mailbox: MailboxId, uid: int) -> bool:
        """Whether what lies there is held."""

    def count(self, account: AccountId) -> int:
        """How many the account has."""


class HeldMessageWriter(HeldMessageReader, Protocol):
    """Held messages, to change."""

    def add(self, held: HeldMessage) -> None:
        """Hold one that lies there already."""

    def put_off(self, mailbox: MailboxId, uid: int, until: datetime) -> None:
        """Hold it until then; silent where it waits no more."""

    def remove(self, mailbox: MailboxId, uid: int) -> bool:
        """It waits no more; whether it did."""
