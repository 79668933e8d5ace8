"""Copies of what was sent that we filed, until the program that sent it files its own.

Many programs put a copy into Sent by themselves.  Where one does within an hour, its copy stays
and ours goes, in one write.  In memory only: after a restart within that hour there are two.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.message import Placed
from mailbox_server.model.ports import Clock

LIFETIME: Final = timedelta(hours=1)
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class SentCopy:
    """Where one lies, and until when it yields."""

    mailbox: MailboxId
    uid: int
    until: float


class SentCopies:
    """By account and Message-ID; used in the event loop's thread only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._copies: dict[tuple[AccountId, str], SentCopy] = {}

    def filed(self, account: AccountId, message_id: str, placed: Placed) -> None:
        """One was filed; of several with the same Message-ID the last yields."""
        now = self._clock.monotonic()
        if len(self._copies) >= _MOST:
            self._copies = {key: each for key, each in self._copies.items() if each.until > now}
            if len(self._copies) >= _MOST:
                self._copies.clear()
        until = now + LIFETIME.total_seconds()
        self._copies[account, message_id] = SentCopy(placed.mailbox, placed.uid, until)

    def find(self, account: AccountId, message_id: str | None) -> SentCopy | None:
        """The one that yields to the account's own copy, if there is one."""
        if message_id is None:
            return None
        found = self._copies.get((account, message_id))
        return found if found is not None and found.until > self._clock.monotonic() else None

    def yielded(self, account: AccountId, message_id: str | None) -> None:
        """It is gone; silent where there was none."""
        if message_id is not None:
            self._copies.pop((account, message_id), None)
