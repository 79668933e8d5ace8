"""What is done from time to time, as one literal table; a job that fails is tried again later."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from mailbox_server.model.errors import MailboxServerFault
from mailbox_server.model.ports import Clock, Events
from mailbox_server.store.collection import collect, sweep
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.integrity import violations
from mailbox_server.store.ports import Room, WriteTx
from mailbox_server.store.scrub import damaged_contents

_PURGE_GRACE: Final = timedelta(hours=24)


class Settles(Protocol):
    """Who has something to write down about once a minute (delivery.receiving.Receiver)."""

    async def settle(self) -> None:
        """Write it down."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job: what it is called in the log, how often it runs, what it does."""

    name: str
    every: timedelta
    work: Callable[["Housekeeping"], Awaitable[None]]


class Housekeeping:
    """Runs the jobs, one at a time."""

    def __init__(
        self,
        store: SqliteStore,
        receiver: Settles,
        clock: Clock,
        events: Events,
        tombstones_for: timedelta,
    ) -> None:
        self.store = store
        self.receiver = receiver
        self.clock = clock
        self.events = events
        self.tombstones_for = tombstones_for

    async def run(self) -> None:
        """Run every job when it is due, until cancelled."""
        due = {job.name: self.clock.monotonic() + job.every.total_seconds() for job in JOBS}
        while True:
            job = min(JOBS, key=lambda each: due[each.name])
            await asyncio.sleep(max(0.0, due[job.name] - self.clock.monotonic()))
            await self.do(job)
            due[job.name] = self.clock.monotonic() + job.every.total_seconds()

    async def do(self, job: Job) -> None:
        """Run one job now; trouble is logged and passes."""
        try:
            await job.work(self)
        except MailboxServerFault as fault:
            self.events.warning("housekeeping.failed", job=job.name, reason=str(fault))
        except Exception as error:  # a bug in one job must not stop the others: it is logged
            self.events.fault("housekeeping.fault", error, job=job.name)


async def _settle(keeper: Housekeeping) -> None:
    await keeper.receiver.settle()


async def _collect(keeper: Housekeeping) -> None:
    now = keeper.clock.now()
    grace = timedelta(0) if keeper.store.room() is Room.LOW else _PURGE_GRACE
    await _repeat(keeper, lambda tx: tx.messages.forget_destroyed(now - grace))
    done = await collect(keeper.store, int((now - grace).timestamp()))
    if done.contents:
        keeper.events.info("housekeeping.collected", contents=done.contents, octets=done.octets)


async def _sweep(keeper: Housekeeping) -> None:
    before = keeper.clock.now().timestamp() - keeper.store.settings.orphan_age
    swept = await sweep(keeper.store, before)
    if swept:
        keeper.events.info("housekeeping.swept", files=swept)


async def _forget(keeper: Housekeeping) -> None:
    before: datetime = keeper.clock.now() - keeper.tombstones_for
    await _repeat(keeper, lambda tx: tx.messages.forget_tombstones(before))


async def _check(keeper: Housekeeping) -> None:
    found = await violations(keeper.store)
    for violation in found:
        keeper.events.warning(
            "store.violation", invariant=violation.invariant, row=violation.row[:200]
        )
    damaged = 0
    async for content in damaged_contents(keeper.store):
        damaged += 1
        keeper.events.warning("store.damaged", content=content)
    keeper.events.info("store.checked", violations=len(found), damaged=damaged)


async def _repeat(keeper: Housekeeping, step: Callable[[WriteTx], int]) -> None:
    while await keeper.store.write(step):
        pass


JOBS: Final = (
    Job("settle receipts", timedelta(minutes=1), _settle),
    Job("collect contents", timedelta(minutes=10), _collect),
    Job("sweep files", timedelta(hours=6), _sweep),
    Job("forget tombstones", timedelta(hours=6), _forget),
    Job("check the store", timedelta(hours=24), _check),
)
