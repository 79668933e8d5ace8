"""What the owner of a forward hears: one report a day and address, the other failures counted.

A target that is gone for good would fill the owner's mailbox with a report for each message
otherwise; who floods an alias would do so through us.  The report that follows tells how many
failures there were that nobody heard of, or a message of its own once the day is over
(overdue_forwards); the passport of each message has its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mailbox_server.model.address import Address
from mailbox_server.model.bounce import FailedForwards
from mailbox_server.model.ids import AccountId
from mailbox_server.store.ports import ReadTx, WriteTx

SPAN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CountedForward:
    """One failure more of which the account does not hear."""

    account: AccountId
    address: Address

    def write(self, tx: WriteTx, now: datetime) -> None:
        """Count it, within the write that records it."""
        tx.bounces.count_failed_forward(self.account, self.address)


def known_failures(
    tx: ReadTx, account: AccountId, addresses: Iterable[Address]
) -> Mapping[Address, FailedForwards]:
    """What the account knows of each; point queries."""
    found = {each: tx.bounces.failed_forwards(account, each) for each in addresses}
    return {each: known for each, known in found.items() if known is not None}


def was_told(known: FailedForwards | None, now: datetime) -> bool:
    """Whether it heard of the address within SPAN; a clock that was set back tells again."""
    return known is not None and now - SPAN < known.told <= now


def tell(tx: WriteTx, account: AccountId, addresses: Sequence[Address], now: datetime) -> bool:
    """Whether a report about these is to be delivered, in the write that would do so.

    Another one may have been since this was made: then it is counted only.
    """
    known = known_failures(tx, account, addresses)
    if all(was_told(known.get(each), now) for each in addresses):
        for each in addresses:
            tx.bounces.count_failed_forward(account, each)
        return False
    for each in addresses:
        tx.bounces.told_failed_forward(account, each, now)
    return True
