"""What is done from time to time, as one literal table; a job that fails is tried again later.

When a long job last came to its end is kept in the store, with what it came to where it is a
sample: a server that is restarted daily checks its store all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from mailbox_server.auth.known_networks import KnownNetworks
from mailbox_server.checks.dkim.key_keeper import KeyKeeper
from mailbox_server.model.errors import MailboxServerFault
from mailbox_server.model.ids import message_object_id
from mailbox_server.model.ports import Clock, Events, SystemEntropy
from mailbox_server.ops.index_status import ATTACHED_JOB, INDEX_JOB
from mailbox_server.ops.tracing import catch_up
from mailbox_server.store.attached_text.catching_up import AttachedTexts
from mailbox_server.store.cold_contents import ColdContents
from mailbox_server.store.collection import collect, sweep
from mailbox_server.store.destroyed_messages import forget_destroyed
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.integrity import violations
from mailbox_server.store.job_runs import Sample, last_runs, note_run, since_when
from mailbox_server.store.leftovers import Leftovers, forget_leftovers
from mailbox_server.store.ports import Room, WriteTx
from mailbox_server.store.scrub import damaged_contents
from mailbox_server.store.search_index.catching_up import SearchIndexer
from mailbox_server.store.unhurried import Unhurried

_LONG: Final = timedelta(hours=1)
_SETTLING: Final = timedelta(minutes=10)
"""After a start, before the first long job: people and peers come back first."""
_SENDINGS_FOR: Final = timedelta(days=2)
"""The limits on sending look back for a day (delivery.submitting.pace)."""
_BOUNCES_FOR: Final = timedelta(days=365)
_PURGE_GRACE: Final = timedelta(hours=24)
_LOW_PAUSE_SECONDS: Final = 2.0
_COMPRESSED_AT_ONCE: Final = 512 * 1024 * 1024
"""Octets of contents that are looked at in one run, a few seconds: other jobs are due, too."""


class Probes(Protocol):
    """Who makes sure whom list mail does not reach (delivery.bounces.probing.Prober)."""

    async def send_due(self) -> int:
        """Send what is due; how many."""


class TellsForwards(Protocol):
    """Who tells of mail that was not passed on (delivery.bounces.overdue_forwards)."""

    async def tell_due(self) -> int:
        """Tell what is due; in how many messages."""


class Tidies(Protocol):
    """Who keeps what goes out of date (delivery.receiving.Receiver)."""

    def tidy(self) -> None:
        """Drop it."""


class TidiesStore(Protocol):
    """Who keeps it in the store as well (delivery.submitting.submitter.Submitter)."""

    async def tidy(self) -> None:
        """Drop it."""


class KeepsTls(Protocol):
    """Who knows of other servers' TLS (relay.tls_upkeep.TlsUpkeep)."""

    async def settle(self) -> None:
        """Write down what sessions came to."""

    async def refresh(self) -> None:
        """Fetch policies before they run out."""

    async def report(self) -> None:
        """Send the reports that are due."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job: what it is called in the log, how often it runs, what it does.

    Work that samples returns what it came to, after all that may fail.
    """

    name: str
    every: timedelta
    work: Callable[["Housekeeping"], Awaitable[Sample | None]]

    @property
    def is_long(self) -> bool:
        """Whether it is worth remembering when it ran."""
        return self.every >= _LONG


@dataclass(frozen=True, slots=True)
class HousekeepingRules:
    """What an operator may set.

    tombstones_for: how long it is remembered what was expunged.
    passports_for: how long it is remembered what became of mail that has left or is gone.
    compress_after: how long contents stay as received; None for ever.
    """

    tombstones_for: timedelta
    passports_for: timedelta
    compress_after: timedelta | None


@dataclass(frozen=True, slots=True)
class Keepers:
    """Who else keeps something that goes out of date; each has a job or two."""

    receiver: Tidies
    submitter: TidiesStore
    known_networks: KnownNetworks
    key_keeper: KeyKeeper
    tls: KeepsTls


class Housekeeping:
    """Runs the jobs, one at a time; only collection does not wait when room is low."""

    def __init__(
        self,
        store: SqliteStore,
        keepers: Keepers,
        indexer: SearchIndexer,
        attached: AttachedTexts,
        clock: Clock,
        events: Events,
        rules: HousekeepingRules,
        prober: Probes | None = None,
        forwards: TellsForwards | None = None,
    ) -> None:
        self.store = store
        self.keepers = keepers
        self.indexer = indexer
        self.attached = attached
        self.clock = clock
        self.events = events
        self.rules = rules
        self.prober = prober
        self.forwards = forwards
        self.cold_contents = ColdContents(store)
        self.collecting = asyncio.Lock()

    async def run(self) -> None:
        """Run every job when it is due, until cancelled."""
        low = asyncio.Event()
        self.store.when_low(low.set)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._collect_when(low), name="collect at low room")
            await self._run_jobs()

    async def first_due(self) -> dict[str, float]:
        """By name, when each job is due for the first time; seconds of the monotonic clock."""
        now, begun = self.clock.now(), self.clock.monotonic()
        try:
            runs, first = await last_runs(self.store), await since_when(self.store)
        except MailboxServerFault as fault:
            self.events.warning("housekeeping.unknown_runs", reason=str(fault))
            runs, first = {}, datetime.min.replace(tzinfo=UTC)
        # On the first day owners bring their mail, and there is nothing old to be checked.
        age = timedelta() if first is None else now - first
        due: dict[str, float] = {}
        for job in JOBS:
            wait = job.every
            if job.is_long:
                since = now - runs[job.name].ended if job.name in runs else age
                # A clock that was set back must not put it off for longer than its time.
                wait = min(max(job.every - since, _SETTLING), job.every)
            due[job.name] = begun + wait.total_seconds()
        return due

    async def _run_jobs(self) -> None:
        due = await self.first_due()
        while True:
            job = min(JOBS, key=lambda each: due[each.name])
            await asyncio.sleep(max(0.0, due[job.name] - self.clock.monotonic()))
            await self.do(job)
            due[job.name] = self.clock.monotonic() + job.every.total_seconds()

    async def _collect_when(self, low: asyncio.Event) -> None:
        while True:
            await low.wait()
            low.clear()
            # What is expunged because of it is released only later, while room stays low.
            while True:
                await self.do(COLLECT)
                if self.store.room() is not Room.LOW:
                    break
                await asyncio.sleep(_LOW_PAUSE_SECONDS)

    async def do(self, job: Job) -> None:
        """Run one job now; trouble is logged and passes."""
        try:
            sample = await job.work(self)
            if job.is_long:
                await note_run(self.store, job.name, sample)
        except MailboxServerFault as fault:
            self.events.warning("housekeeping.failed", job=job.name, reason=str(fault))
        except Exception as error:  # a bug in one job must not stop the others: it is logged
            self.events.fault("housekeeping.fault", error, job=job.name)


async def _tidy(keeper: Housekeeping) -> None:
    keeper.keepers.receiver.tidy()
    await keeper.keepers.submitter.tidy()


async def _settle(keeper: Housekeeping) -> None:
    await keeper.keepers.known_networks.settle(keeper.store)


async def _keep_keys(keeper: Housekeeping) -> None:
    await keeper.keepers.key_keeper.keep()


async def _settle_tls(keeper: Housekeeping) -> None:
    await keeper.keepers.tls.settle()


async def _refresh_tls(keeper: Housekeeping) -> None:
    await keeper.keepers.tls.refresh()


async def _report_tls(keeper: Housekeeping) -> None:
    await keeper.keepers.tls.report()


async def _collect(keeper: Housekeeping) -> None:
    async with keeper.collecting:
        now = keeper.clock.now()
        grace = timedelta(0) if keeper.store.room() is Room.LOW else _PURGE_GRACE
        forgotten = await forget_destroyed(keeper.store, now - grace)
        done = await collect(keeper.store, int((now - grace).timestamp()))
    if forgotten.mended:
        named = " ".join(map(message_object_id, forgotten.named))
        keeper.events.warning("store.mended", messages=forgotten.mended, named=named)
    if done.contents:
        keeper.events.info("housekeeping.collected", contents=done.contents, octets=done.octets)


async def _sweep(keeper: Housekeeping) -> None:
    before = keeper.clock.now().timestamp() - keeper.store.settings.orphan_age
    swept = await sweep(keeper.store, before)
    if swept:
        keeper.events.info("housekeeping.swept", files=swept)


async def _forget(keeper: Housekeeping) -> None:
    before: datetime = keeper.clock.now() - keeper.rules.tombstones_for
    await _repeat(keeper, lambda tx: tx.messages.forget_tombstones(before))
    uncounted = keeper.clock.now() - _SENDINGS_FOR
    await keeper.store.write(lambda tx: tx.correspondents.forget_sendings(uncounted))


async def _forget_leftovers(keeper: Housekeeping) -> None:
    done = await forget_leftovers(keeper.store, keeper.clock.now() - keeper.rules.tombstones_for)
    if done != Leftovers():
        keeper.events.info(
            "housekeeping.leftovers",
            thread_links=done.thread_links,
            keyword_sets=done.keyword_sets,
            seen_runs=done.seen_runs,
            mailboxes=done.mailboxes,
        )


async def _forget_bounces(keeper: Housekeeping) -> None:
    before = keeper.clock.now() - _BOUNCES_FOR
    await keeper.store.write(lambda tx: tx.bounces.forget(before))


async def _probe(keeper: Housekeeping) -> None:
    if keeper.prober is not None:
        await keeper.prober.send_due()


async def _tell_forwards(keeper: Housekeeping) -> None:
    if keeper.forwards is not None:
        await keeper.forwards.tell_due()


async def _follow(keeper: Housekeeping) -> None:
    await catch_up(keeper.store)


async def _forget_passports(keeper: Housekeeping) -> None:
    before: datetime = keeper.clock.now() - keeper.rules.passports_for
    await _repeat(keeper, lambda tx: tx.outbound.forget(before))
    await _repeat(keeper, lambda tx: tx.passports.forget(before))


async def _compress(keeper: Housekeeping) -> None:
    if keeper.rules.compress_after is None:
        return
    before = int((keeper.clock.now() - keeper.rules.compress_after).timestamp())
    done = await keeper.cold_contents.compress(before, _COMPRESSED_AT_ONCE)
    if done.contents:
        keeper.events.info(
            "housekeeping.compressed",
            contents=done.contents,
            octets=done.octets,
            saved=done.saved,
        )


async def _check(keeper: Housekeeping) -> None:
    found = await violations(keeper.store)
    for violation in found:
        keeper.events.warning(
            "store.violation", invariant=violation.invariant, row=violation.row[:200]
        )
    damaged = 0
    async for content in damaged_contents(keeper.store, Unhurried(keeper.clock).rest):
        damaged += 1
        keeper.events.warning("store.damaged", content=content)
    keeper.events.info("store.checked", violations=len(found), damaged=damaged)


async def _try_index(keeper: Housekeeping) -> Sample:
    worn = await keeper.indexer.make_worn_stale()
    sampled = await keeper.indexer.sample(SystemEntropy(), Unhurried(keeper.clock).rest)
    tried, wrong = sampled.trials, len(sampled.wrong)
    keeper.events.info("search_index.sampled", trials=tried, wrong=wrong, worn=worn)
    return Sample(tried, wrong)


async def _try_attached(keeper: Housekeeping) -> Sample:
    gone = await keeper.attached.forget_gone()
    tried, missed = await keeper.attached.sample(SystemEntropy())
    keeper.events.info("attachments.sampled", trials=tried, wrong=missed, forgotten=gone)
    return Sample(tried, missed)


async def _repeat(keeper: Housekeeping, step: Callable[[WriteTx], int]) -> None:
    while await keeper.store.write(step):
        pass


COLLECT: Final = Job("collect contents", timedelta(minutes=10), _collect)
JOBS: Final = (
    Job("forget old receipts", timedelta(minutes=1), _tidy),
    Job("settle known networks", timedelta(minutes=1), _settle),
    Job("settle TLS sessions", timedelta(minutes=1), _settle_tls),
    COLLECT,
    Job("follow passports", timedelta(minutes=10), _follow),
    Job("compress contents", timedelta(minutes=10), _compress),
    Job("keep signing keys", timedelta(hours=6), _keep_keys),
    Job("probe recipients", timedelta(minutes=30), _probe),
    Job("tell of failed forwards", timedelta(minutes=30), _tell_forwards),
    Job("sweep files", timedelta(hours=6), _sweep),
    Job("forget tombstones", timedelta(hours=6), _forget),
    Job("forget passports", timedelta(hours=6), _forget_passports),
    Job("send TLS reports", timedelta(hours=1), _report_tls),
    Job("refresh TLS policies", timedelta(hours=24), _refresh_tls),
    Job("forget bounces", timedelta(hours=24), _forget_bounces),
    Job("forget leftovers", timedelta(hours=24), _forget_leftovers),
    Job(INDEX_JOB, timedelta(hours=24), _try_index),
    Job(ATTACHED_JOB, timedelta(hours=24), _try_attached),
    Job("check the store", timedelta(hours=24), _check),
)
