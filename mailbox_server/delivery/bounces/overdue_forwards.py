"""Tell owners of forwards, once the day is over, what was only counted since they were told last.

The next failure's report would tell it too (failed_forwards); where none comes, this does, in
one message for all addresses of an account.  It counts as being told, so that of each address
an owner hears once a day at most.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final

from mailbox_server.delivery.bounces import catalogue
from mailbox_server.delivery.bounces.failed_forwards import SPAN
from mailbox_server.delivery.bounces.reporting import PreparedReports, Reporter
from mailbox_server.delivery.bounces.wording import moment
from mailbox_server.mime.encoded_words import without_controls
from mailbox_server.model.account import Account
from mailbox_server.model.bounce import OverdueForward
from mailbox_server.model.errors import Unavailable
from mailbox_server.model.ids import AccountId
from mailbox_server.model.ports import Clock, Events
from mailbox_server.store.ports import ReadTx, Store, WriteTx

AT_ONCE: Final = 100
"""Addresses of one look; those of an account beyond it are told in another message."""


class _ToldMeanwhile(Exception):
    """What was read does not stand any more."""


class OverdueForwards:
    """Tells what nobody has heard of for a day."""

    def __init__(self, store: Store, reporter: Reporter, clock: Clock, events: Events) -> None:
        self._store = store
        self._reporter = reporter
        self._clock = clock
        self._events = events

    async def tell_due(self) -> int:
        """Tell all that is due; how many messages that took.

        Raises StoreUnavailable, DiskLow, SyncFailed; what was not told is told the next time.
        """
        told = 0
        after: OverdueForward | None = None
        while True:
            found = await self._store.read(_due(self._clock, after))
            for number, some in groupby(found, lambda each: each.account):
                try:
                    told += await self._tell(number, list(some))
                except Unavailable:
                    raise
                except Exception as error:  # of one account: the owners of others are told
                    self._events.fault("bounce.forwards_untold", error, account=number)
            if len(found) < AT_ONCE:
                return told
            after = found[-1]

    async def _tell(self, number: AccountId, overdue: Sequence[OverdueForward]) -> bool:
        owner = await self._store.read(lambda tx: tx.accounts.get(number))
        if owner is None:
            return False
        prepared = await self._reporter.notice(
            owner, catalogue.OVERDUE_SUBJECT, _text(owner, overdue), len(overdue)
        )
        try:
            await self._store.write(self._work(prepared, overdue), prepared.contents)
        except _ToldMeanwhile:
            return False
        count = sum(each.untold for each in overdue)
        self._events.info("bounce.forwards_told", account=number, messages=count)
        return True

    def _work(
        self, prepared: PreparedReports, overdue: Sequence[OverdueForward]
    ) -> Callable[[WriteTx], None]:
        def work(tx: WriteTx) -> None:
            for each in overdue:
                if not tx.bounces.told_overdue_forward(each, prepared.now):
                    raise _ToldMeanwhile
            prepared.write(tx)

        return work


def _due(clock: Clock, after: OverdueForward | None) -> Callable[[ReadTx], list[OverdueForward]]:
    now = clock.now()
    return lambda tx: tx.bounces.overdue_forwards(now - SPAN, now, after, AT_ONCE)


def _text(owner: Account, overdue: Sequence[OverdueForward]) -> str:
    lines = []
    for each in overdue:
        line = catalogue.OVERDUE_ONE if each.untold == 1 else catalogue.OVERDUE
        lines.append(
            line.format(
                address=without_controls(each.key), count=each.untold, since=moment(each.told)
            )
        )
    return catalogue.OVERDUE_TEXT.format(owner=owner.address, lines="\n".join(lines))
