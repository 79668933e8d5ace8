"""The recipients of one message to whom its sender never wrote, and whether they are too many.

Who of them is a stranger is looked up only once the message might go to more than may be
met now; while all of them may be strangers, nobody asks.
"""

from datetime import timedelta

from mailbox_server.delivery.submitting.pace import Pace
from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId
from mailbox_server.store.ports import ReadTx


class Strangers:
    """Grows with each recipient that is taken."""

    def __init__(self, account: AccountId, pace: Pace | None) -> None:
        """pace: as it was at MAIL; None for a message that was held, and counted then."""
        self._account = account
        self._pace = pace
        self._left = 0 if pace is None else pace.strangers_left
        self._met: set[str] = set()
        self._unasked: dict[str, Address] = {}

    def matters(self, address: Address) -> bool:
        """Whether the message may go to address only if that is no stranger."""
        key = address.key
        if self._pace is None or key in self._met or key in self._unasked:
            return False
        return len(self._met) + len(self._unasked) >= self._left

    def find(self, tx: ReadTx, address: Address) -> set[str] | None:
        """Who is a stranger, of the recipients not yet asked about and this one; point queries.

        None where it makes no difference.
        """
        if not self.matters(address):
            return None
        return tx.correspondents.strangers(self._account, (*self._unasked.values(), address))

    def wait(self, address: Address, found: set[str] | None) -> timedelta:
        """How long until the message may go to address as well; found: what find found."""
        if self._pace is None or found is None:
            return timedelta()
        self._met |= found - {address.key}
        self._unasked.clear()
        if address.key not in found:
            return timedelta()
        return self._pace.wait(1, len(self._met) + 1)

    def taken(self, address: Address) -> None:
        """The address is one of the recipients now."""
        if self._pace is not None and address.key not in self._met:
            self._unasked[address.key] = address
