"""What accounts sent of late, in memory, so that MAIL costs no look into the store.

It is what the last committed write of an account counted, in the order of commits.  Between
a commit and the loop's hearing of it the memory lacks that message: good enough to begin one
more, for the write of that decides.  It never says more than the store does: only committed
writes are in it, and the number of an account is not given out again.  At MAIL nobody is
refused without a look (Means.pace); strangers at RCPT are refused by what MAIL went by.
"""

from collections.abc import Sequence
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.store.ports import Sending

MOST: Final = 256
"""Accounts; a day of one that sends in every span takes about 25 KiB."""


class RecentSendings:
    """A bounded memory; used in the event loop's thread only."""

    def __init__(self) -> None:
        self._known: dict[AccountId, Sequence[Sending]] = {}

    def find(self, account: AccountId) -> Sequence[Sending] | None:
        """The account's spans, oldest first, some of them too old to count; None says nothing."""
        return self._known.get(account)

    def put(self, account: AccountId, sendings: Sequence[Sending]) -> None:
        """What the account has sent by now; who has sent nothing for longest is forgotten."""
        self._known.pop(account, None)
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[account] = sendings
