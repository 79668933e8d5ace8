"""What changed in an account since a state, as JMAP's /changes methods tell it (RFC 8620 §5.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from mailbox_server.model.ids import AccountId, MailboxId, MessageId, ThreadId
from mailbox_server.model.state_token import StateToken

Id = TypeVar("Id")


@dataclass(frozen=True, slots=True)
class AccountChanges(Generic[Id]):
    """What came, changed and went since a state; no id stands in two of the three.

    upto: ask again from here while complete is False; when complete it is the account's
        present state.
    only_counts: of mailboxes, nothing of those in `updated` changed but what they count.
    """

    created: Sequence[Id]
    updated: Sequence[Id]
    destroyed: Sequence[Id]
    upto: StateToken
    complete: bool
    only_counts: bool = False


class ChangeReader(Protocol):
    """The changes of an account, oldest first, in pages of at most so many ids.

    A page may end inside one write, and may be empty though it is not complete.  What was
    created since the state's base is told as created, however often it changed since; what
    came and went again is told as destroyed, and only while paging, when the coming may
    have been told before.  An id is told again in a later page when it changed meanwhile.

    Each raises AccountMissing, and StateTooOld when changes that old have been forgotten, or
    when the account never stood there.
    """

    def state(self, account: AccountId) -> StateToken:
        """Where the account stands."""

    def messages_since(
        self, account: AccountId, since: StateToken, limit: int
    ) -> AccountChanges[MessageId]:
        """Messages that JMAP sees: those with a live placement that is not \\Deleted.

        Updated: keywords or mailboxes changed.
        """

    def threads_since(
        self, account: AccountId, since: StateToken, limit: int
    ) -> AccountChanges[ThreadId]:
        """Threads of such messages.  Updated: a message came to the thread or went from it."""

    def mailboxes_since(
        self, account: AccountId, since: StateToken, limit: int
    ) -> AccountChanges[MailboxId]:
        """Mailboxes.  Updated: name, parent, role, subscription, or what they count."""
