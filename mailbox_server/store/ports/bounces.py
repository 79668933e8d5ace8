"""What came back, in the store: addresses that mail does not reach, and scores of recipients."""

from datetime import datetime
from typing import Protocol

from mailbox_server.model.address import Address
from mailbox_server.model.bounce import (
    BouncedAddress,
    BounceScore,
    Cause,
    FailedForwards,
    ListMember,
    OverdueForward,
)
from mailbox_server.model.ids import AccountId


class BounceReader(Protocol):
    """What is remembered."""

    def find(self, account: AccountId, address: Address) -> BouncedAddress | None:
        """Whether mail of the account came back from the address; a point query."""

    def keys(self, account: AccountId, most: int) -> list[str]:
        """Of the addresses that mail of the account came back from, the keys, at most so many."""

    def listed(
        self, account: AccountId | None, address: Address | None, most: int
    ) -> list[BouncedAddress]:
        """Of an account or of all, of an address or of any; the latest first."""

    def failed_forwards(self, account: AccountId, address: Address) -> FailedForwards | None:
        """What the account knows of mail not passed on to the address; a point query."""

    def overdue_forwards(
        self, before: datetime, now: datetime, after: OverdueForward | None, most: int
    ) -> list[OverdueForward]:
        """Failures not told, where the account was told last until before, or later than now.

        By account, then by address; from after it on.
        """

    def score(self, scope: str, address: Address) -> BounceScore | None:
        """The score of a recipient within a scope; a point query."""

    def scores(self, scope: str | None, address: Address | None, most: int) -> list[BounceScore]:
        """Of a scope or of all, of an address or of any; the latest first."""

    def member(self, number: int) -> ListMember | None:
        """Whom a return path means by its number."""

    def known_member(self, scope: str, address: Address) -> ListMember | None:
        """The same by its address; None where no mail with a return path of its own went there."""

    def suspects(self, most: int) -> list[BounceScore]:
        """Who is to be probed, those that wait longest first."""


class BounceWriter(BounceReader, Protocol):
    """What is remembered, to change."""

    def remember(
        self, account: AccountId, address: Address, cause: Cause, words: str, now: datetime
    ) -> None:
        """Mail of the account came back from the address; words are cut."""

    def told_failed_forward(self, account: AccountId, address: Address, now: datetime) -> None:
        """The account is told now; what it was not told of before is told with it."""

    def told_overdue_forward(self, overdue: OverdueForward, now: datetime) -> bool:
        """The account is told of it now; False where it stands as it was read no more."""

    def count_failed_forward(self, account: AccountId, address: Address) -> None:
        """One message more that it is not told of; silent where it was never told of any."""

    def set_score(self, score: BounceScore) -> None:
        """Put a score in place of the one before; words are cut."""

    def number_of(self, scope: str, address: Address) -> int:
        """The number of a recipient in return paths; it gets one where it has none."""

    def clear(self, account: AccountId | None, address: Address | None) -> int:
        """Forget addresses of an account or of all; how many."""

    def clear_scores(self, scope: str | None, address: Address | None) -> int:
        """Forget scores of a scope or of all; how many."""

    def forget(self, before: datetime) -> int:
        """Forget addresses, failed forwards and scores last told before then; how many.

        A recipient that is disabled stays so.
        """
