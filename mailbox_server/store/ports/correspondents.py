"""To whom accounts have written, and how much they sent of late, in the store."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId

SPAN: Final = timedelta(minutes=10)
"""What is sent is counted by spans of this length."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What an account sent in the span from began on: messages, addresses new to it."""

    began: datetime
    messages: int
    strangers: int


class CorrespondentReader(Protocol):
    """Correspondents of accounts."""

    def strangers(self, account: AccountId, addresses: Collection[Address]) -> set[str]:
        """Those (their keys) of the addresses to which the account has never written."""

    def sendings(self, account: AccountId, since: datetime) -> list[Sending]:
        """Spans that began then or later, oldest first."""


class CorrespondentWriter(CorrespondentReader, Protocol):
    """Correspondents of accounts, to add."""

    def sent(self, account: AccountId, strangers: Sequence[str], now: datetime) -> None:
        """Count one message, and remember the keys of those who are strangers no more."""

    def forget_sendings(self, before: datetime) -> int:
        """Forget spans that began before then; how many."""
