"""TlsUpkeep: what is done from time to time about what we know of other servers' TLS.

Policy hosts and report places may be slow, and there may be many: what waits for them goes on
beside housekeeping, each kind once at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable

from mailbox_server.model.errors import MailboxServerFault
from mailbox_server.model.ports import Events
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.mta_sts.keeper import PolicyKeeper
from mailbox_server.relay.session_news import SessionNews
from mailbox_server.relay.tls_levels import TlsLevels
from mailbox_server.relay.tls_reports.reporting import TlsReporter
from mailbox_server.store.ports import Store


class TlsUpkeep:
    """Called by housekeeping; sends_reports may be changed while running."""

    def __init__(
        self,
        *,
        store: Store,
        policies: PolicyKeeper,
        news: SessionNews,
        levels: TlsLevels,
        reporter: TlsReporter,
        sends_reports: bool,
        tasks: TaskKeeper,
        events: Events,
    ) -> None:
        self._store = store
        self._policies = policies
        self._news = news
        self._levels = levels
        self._reporter = reporter
        self.sends_reports = sends_reports
        self._tasks = tasks
        self._events = events
        self._running: dict[str, asyncio.Task[None]] = {}

    async def settle(self) -> None:
        """Write down what was counted and noted; every minute, and before the end.

        Raises StoreUnavailable.
        """
        await self._news.settle(self._store)

    async def refresh(self) -> None:
        """Forget what is of no use, and begin to fetch policies anew; every day.

        Raises StoreUnavailable.
        """
        await self._levels.forget(self._store)
        self._begin("refresh MTA-STS policies", self._policies.refresh)

    async def report(self) -> None:
        """Begin to send the reports that are due; every hour.  Raises StoreUnavailable."""
        if self.sends_reports:
            self._begin("send TLS reports", self._reporter.send_due)
        else:
            await self._reporter.forget_old()

    def stop(self) -> None:
        """Leave off; what was left is begun again another time."""
        for task in self._running.values():
            task.cancel()

    def _begin(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        if name not in self._running:
            task = self._tasks.spawn(name, self._told(name, work))
            self._running[name] = task
            task.add_done_callback(lambda _: self._running.pop(name, None))

    async def _told(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except MailboxServerFault as fault:
            self._events.warning("relay.upkeep_failed", work=name, reason=str(fault))
