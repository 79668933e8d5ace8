"""Mailboxes in the store: names, roles, counts and subscriptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import Mailbox, MailboxStatus, Role


@dataclass(frozen=True, slots=True)
class Unpurged:
    """What a deleted mailbox still holds: the placements above a UID."""

    mailbox: MailboxId
    above: int


@dataclass(frozen=True, slots=True)
class MovedMailboxes:
    """What became of an account's mailboxes since a modseq, up to another one.

    moved: as they are now, in no order; of what they count all but what is \\Recent, which
    is 0.  deleted: those that are no more; some may never have been told of.
    """

    upto: ModSeq
    moved: Sequence[MailboxStatus]
    deleted: Sequence[MailboxId]


class MailboxReader(Protocol):
    """Mailboxes by name and id.  Names are in their stored form (model.mailbox)."""

    def all(self, account: AccountId, beginning: str = "") -> list[Mailbox]:
        """The account's mailboxes whose names begin so, by name, INBOX first."""

    def find(self, account: AccountId, name: str) -> Mailbox | None:
        """The mailbox of that name, or None."""

    def get(self, mailbox: MailboxId) -> Mailbox | None:
        """The mailbox of that id, or None when it was deleted."""

    def by_role(self, account: AccountId, role: Role) -> Mailbox | None:
        """The mailbox with that role, or None."""

    def status(
        self,
        mailbox: MailboxId,
        *,
        counts_recent: bool = True,
        weighs_deleted: bool = False,
        reader: AccountId | None = None,
    ) -> MailboxStatus:
        """Its counts, from kept columns.  Raises MailboxMissing.

        counts_recent: also what is \\Recent, which is counted row by row; else it is 0.
        weighs_deleted: also what is \\Deleted, which is summed up from its rows.
        reader: who asks and is not the owner; has seen other messages, and none is \\Recent.
        """

    def statuses(self, account: AccountId, beginning: str = "") -> Sequence[MailboxStatus]:
        """What status says to the owner of mailboxes whose names begin so, in any order.

        What is \\Recent is not counted, and what is \\Deleted not weighed.
        """

    def counted(
        self, statuses: Sequence[MailboxStatus], *, counts_recent: bool, weighs_deleted: bool
    ) -> Sequence[MailboxStatus]:
        """The same, of the same read, with what is counted row by row, for the owner."""

    def filled(self, account: AccountId) -> Mapping[MailboxId, int]:
        """How many messages each of the account's mailboxes has, of those that have any."""

    def moved_since(self, account: AccountId, modseq: ModSeq) -> MovedMailboxes:
        """Mailboxes of which a name, a use, a subscription, a count or a flag changed since.

        Raises AccountMissing.
        """

    def subscriptions(self, account: AccountId, beginning: str = "") -> list[str]:
        """Subscribed names that begin so, also of mailboxes that do not exist.

        RFC 3501 §6.3.9.
        """


class MailboxWriter(MailboxReader, Protocol):
    """Mailboxes, to change."""

    def create(self, account: AccountId, name: str, role: Role | None = None) -> Mailbox:
        """Create it and the missing levels above; each gets a fresh UIDVALIDITY.

        Raises MailboxExists, TooManyMailboxes.
        """

    def set_role(self, account: AccountId, name: str, role: Role | None) -> None:
        """Say what the mailbox is for from now on.

        Raises MailboxMissing, MailboxExists where another one has that role, and
        MailboxProtected for INBOX.
        """

    def rename(self, account: AccountId, name: str, new_name: str) -> None:
        """Rename with all that lies below; a name may be one of which only others lie below.

        INBOX keeps existing and its messages move, what lies below it stays (RFC 9051
        §6.3.6).  Raises MailboxMissing, MailboxExists, MailboxNameMalformed (too deep or
        long, or below itself).
        """

    def delete(self, account: AccountId, name: str) -> Unpurged | None:
        """Delete it with its messages; levels below stay (RFC 9051 §6.3.5).

        From now on nobody finds it.  What it holds beyond 5,000 messages is returned, for
        purge; until then it counts as the account's.  Raises MailboxMissing,
        MailboxProtected for INBOX.
        """

    def purge(self, rest: Unpurged) -> Unpurged | None:
        """Expunge up to 5,000 messages of a deleted mailbox; what is left then.

        Call it in a write of its own until it returns None; who does not come so far leaves
        the rest to housekeeping.
        """

    def subscribe(self, account: AccountId, name: str) -> None:
        """Any name may be subscribed; twice is once."""

    def unsubscribe(self, account: AccountId, name: str) -> None:
        """Silent where it was not subscribed."""

    def claim_recent(self, mailbox: MailboxId) -> tuple[int, int]:
        """Take the UIDs that no session was told of yet as (first, next): RFC 3501 \\Recent."""
