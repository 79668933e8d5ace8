"""Write down what became of recipients, with the reports that are owed for it, in one write.

A message that another server has taken is recorded until that is on the disk, whatever the
store says meanwhile: what is not recorded is sent again.  All else may be lost, since the
next attempt brings it back; so trouble with a report only puts its recipients off.  Where a
bug of ours is the trouble, again and again, they are held in the end.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Final, Protocol

from mailbox_server.delivery.bounces.happening import Happening
from mailbox_server.delivery.bounces.original import Original, of_departure
from mailbox_server.model.errors import (
    CommitUnknown,
    MailboxServerFault,
    SyncFailed,
    Unavailable,
)
from mailbox_server.model.ids import DepartureId, OutboundId
from mailbox_server.model.outbound import Attempt, Departure, Finding, Outbound, OutboundState
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.queue.decision import Decision, Proxy, decide
from mailbox_server.relay.queue.recording import Recording
from mailbox_server.relay.queue.stumbling import TIMES_BORNE, Stumbling
from mailbox_server.relay.schedule import ScheduleRules
from mailbox_server.store.ports import Conclusion, StagedContent, Store, WriteTx

PUT_OFF: Final = timedelta(minutes=30)
"""Until the next attempt, where trouble of ours came in the way of this one."""
_RETRY_SECONDS: Final = (1.0, 2.0, 5.0, 15.0, 30.0)
_CHANCES: Final = 1 << 20
_SHOWN_CHARACTERS: Final = 200


class Prepared(Protocol):
    """Reports that are staged (delivery.bounces.reporting.PreparedReports)."""

    @property
    def contents(self) -> tuple[StagedContent, ...]:
        """What Store.write takes over."""

    def write(self, tx: WriteTx) -> None:
        """Put each report where it belongs."""

    def discard(self) -> None:
        """No write comes."""


class Reports(Protocol):
    """Who tells senders (delivery.bounces.reporting.Reporter)."""

    async def prepare(self, original: Original, happenings: Sequence[Happening]) -> Prepared:
        """Stage what is owed.  Raises DiskLow, StoreUnavailable, SyncFailed."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Recipients of one departure and the attempt that was made at each.

    proxy: where it was made for others.
    """

    departure: Departure
    attempts: Sequence[tuple[Outbound, Attempt]]
    proxy: Proxy | None = None


class _DroppedMeanwhile(MailboxServerFault):
    """Recipients of which a report speaks were dropped while they were tried."""

    def __init__(self, outbounds: frozenset[OutboundId]) -> None:
        super().__init__("recipients were dropped meanwhile")
        self.outbounds = outbounds


class Settling:
    """Records attempts and gives up leases."""

    def __init__(
        self,
        *,
        store: Store,
        reports: Reports,
        rules: ScheduleRules,
        clock: Clock,
        entropy: Entropy,
        events: Events,
        tasks: TaskKeeper,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._reports = reports
        self._clock = clock
        self._entropy = entropy
        self._events = events
        self._sleep = sleep
        self._stumbling = Stumbling()
        self._soonest: datetime | None = None
        self._recording = Recording(self._write_untold, tasks)
        self.rules = rules

    def take_soonest(self) -> datetime | None:
        """The soonest turn of who was put off since this was asked; None where nobody was."""
        soonest, self._soonest = self._soonest, None
        return soonest

    def _note_turns(self, turns: Iterable[datetime]) -> None:
        known = () if self._soonest is None else (self._soonest,)
        self._soonest = min((*known, *turns), default=None)

    async def settle(self, tried: Sequence[Tried]) -> None:
        """Record attempts with what follows from them; returns when that is on the disk.

        Raises SyncFailed and CommitUnknown, which end the process.
        """
        decided = [
            (one.departure, [self._decide(one, job, attempt) for job, attempt in one.attempts])
            for one in tried
        ]
        if not any(each.happening for _, some in decided for each in some):
            decisions = [each for _, some in decided for each in some]
            await self._recording.record(decisions)
            self._tell(decisions)
            self._stumbling.went_well(each.job.id for each in decisions)
            return
        stumbled: dict[OutboundId, DepartureId] = {}
        for pause in _pauses():
            prepared: list[Prepared] = []
            try:
                decided = [await self._prepare(*one, prepared, stumbled) for one in decided]
                decisions = [decision for _, some in decided for decision in some]
                contents = [staged for one in prepared for staged in one.contents]
                work = self._recorded(decisions, prepared, self._held(stumbled))
                await self._store.write(work, contents)
                self._tell(decisions)
                self._stumbling.went_well(
                    each.job.id for each in decisions if each.job.id not in stumbled
                )
                self._tell_held(stumbled)
                return
            except _DroppedMeanwhile as dropped:
                decided = [(of, _without(some, dropped.outbounds)) for of, some in decided]
            except (SyncFailed, CommitUnknown):
                raise
            except Unavailable as trouble:
                await self._rest(trouble, pause)
            except Exception as error:  # a message that was taken must be recorded all the same
                if not prepared:
                    raise
                self._events.fault("relay.unreported", error)
                _note(stumbled, (each for _, some in decided for each in some))
                decided = [(of, [self._untold(each) for each in some]) for of, some in decided]

    async def put_back(self, jobs: Sequence[Outbound], wait: timedelta) -> None:
        """Give up leases without an attempt; what has been recorded stays as it is.

        Raises SyncFailed and CommitUnknown.
        """
        due, ids = self._clock.now() + wait, [job.id for job in jobs]
        await self._persist(lambda tx: tx.outbound.put_back(ids, due))
        self._note_turns((due,))

    async def gone_wrong(self, jobs: Sequence[Outbound], error: Exception) -> None:
        """Put recipients off; where a bug of ours is why, hold those who had it too often.

        Raises SyncFailed and CommitUnknown.
        """
        if isinstance(error, Unavailable):
            await self.put_back(jobs, PUT_OFF)
            return
        await self.stumbled({job.id: job.departure for job in jobs})

    async def stumbled(self, stumbled: Mapping[OutboundId, DepartureId]) -> None:
        """The same of recipients in the way of whom a bug came, perhaps of taking them at all."""
        due, ids = self._clock.now() + PUT_OFF, list(stumbled)
        held = self._held(stumbled)

        def work(tx: WriteTx) -> None:
            tx.outbound.put_off(ids, due)
            tx.outbound.put_back(ids, due)
            self._hold(tx, held)

        await self._persist(work)
        self._tell_held(stumbled)

    # ------------------------------------------------------------ inside

    async def _persist(self, work: Callable[[WriteTx], None]) -> None:
        for pause in _pauses():
            try:
                await self._store.write(work)
                return
            except (SyncFailed, CommitUnknown):
                raise
            except Unavailable as trouble:
                await self._rest(trouble, pause)

    def _held(self, stumbled: Mapping[OutboundId, DepartureId]) -> dict[OutboundId, DepartureId]:
        return {each: stumbled[each] for each in self._stumbling.would_be_held(stumbled)}

    def _hold(self, tx: WriteTx, held: Mapping[OutboundId, DepartureId]) -> None:
        """Hold these, and say so in the passports of their messages."""
        tx.queue.hold(list(held))
        for departure, count in Counter(held.values()).items():
            facts = (("recipients", str(count)), ("times", str(TIMES_BORNE)))
            tx.outbound.stamp(departure, (Evidence(self._clock.now(), "held", facts),))

    def _tell_held(self, stumbled: Mapping[OutboundId, DepartureId]) -> None:
        """What was written is counted, and who has to look at it is told."""
        for departure, count in Counter(self._held(stumbled).values()).items():
            self._events.warning(
                "relay.held", departure=departure, recipients=count, times=TIMES_BORNE
            )
        self._stumbling.stumbled(stumbled)

    async def _write_untold(self, decisions: Sequence[Decision]) -> None:
        await self._persist(self._recorded(decisions, (), {}))

    async def _rest(self, trouble: Unavailable, seconds: float) -> None:
        self._events.warning("relay.not_recorded", reason=str(trouble))
        await self._sleep(seconds)

    def _decide(self, tried: Tried, job: Outbound, attempt: Attempt) -> Decision:
        chance = 0.0
        if attempt.finding is Finding.DEFERRED:
            chance = self._entropy.below(_CHANCES) / _CHANCES
        return decide(job, tried.departure, attempt, self.rules, chance, tried.proxy)

    async def _prepare(
        self,
        departure: Departure,
        decisions: list[Decision],
        prepared: list[Prepared],
        stumbled: dict[OutboundId, DepartureId],
    ) -> tuple[Departure, list[Decision]]:
        happenings = [each.happening for each in decisions if each.happening is not None]
        if not happenings:
            return departure, decisions
        try:
            prepared.append(
                await self._reports.prepare(of_departure(departure, self._store), happenings)
            )
        except SyncFailed:
            raise
        except Exception as error:  # a message that was taken must be recorded all the same
            self._events.fault("relay.unreported", error)
            if not isinstance(error, Unavailable):
                _note(stumbled, decisions)
            return departure, [self._untold(each) for each in decisions]
        return departure, decisions

    def _untold(self, decision: Decision) -> Decision:
        """The same without its report: what would have ended is tried again later instead."""
        if decision.happening is None or decision.state is OutboundState.DELIVERED:
            return replace(decision, happening=None)
        due = max(decision.due, self._clock.now() + PUT_OFF)
        return replace(
            decision, state=OutboundState.WAITING, due=due, tells_delay=False, happening=None
        )

    def _recorded(
        self,
        decisions: Sequence[Decision],
        prepared: Sequence[Prepared],
        held: Mapping[OutboundId, DepartureId],
    ) -> Callable[[WriteTx], None]:
        """All of it in one write, which raises _DroppedMeanwhile."""
        told = [each.job.id for each in decisions if each.tells_delay]
        reported = {each.job.id for each in decisions if each.happening is not None}
        now = self._clock.now()
        conclusions = [
            Conclusion(each.job.id, each.attempt, each.state, each.due, each.expires)
            for each in decisions
        ]

        def work(tx: WriteTx) -> None:
            recorded = tx.outbound.record_all(conclusions)
            dropped = {
                one.outbound
                for one, done in zip(conclusions, recorded, strict=True)
                if not done.was_open and one.outbound in reported
            }
            if dropped:
                raise _DroppedMeanwhile(frozenset(dropped))
            tx.outbound.told_delay(told, now)
            if held:
                self._hold(tx, held)
            for one in prepared:
                one.write(tx)

        return work

    def _tell(self, decisions: Sequence[Decision]) -> None:
        self._note_turns(each.due for each in decisions if not each.state.is_end)
        for each in decisions:
            attempt = each.attempt
            words = " ".join(attempt.reply.lines)[:_SHOWN_CHARACTERS]
            tell = self._events.info
            if each.state in (OutboundState.FAILED, OutboundState.EXPIRED):
                tell = self._events.warning
            tell(
                "relay." + ("deferred" if not each.state.is_end else each.state.value),
                departure=each.job.departure,
                outbound=each.job.id,
                recipient=str(each.job.address),
                host=attempt.host,
                tls=None if attempt.tls is None else attempt.tls.version,
                policy=attempt.policy,
                reply=f"{attempt.reply.code} {attempt.reply.enhanced} {words}",
                shared=attempt.is_shared,
            )


def _pauses() -> Iterator[float]:
    """Seconds to wait before each further try at the store, ever longer up to the last."""
    return chain(_RETRY_SECONDS, repeat(_RETRY_SECONDS[-1]))


def _note(stumbled: dict[OutboundId, DepartureId], decisions: Iterable[Decision]) -> None:
    """Remember who would have ended, but for a report that a bug of ours keeps from being made.

    Who only would have been told of a delay goes on without that.
    """
    for each in decisions:
        if each.happening is not None and each.state in (
            OutboundState.FAILED,
            OutboundState.EXPIRED,
        ):
            stumbled[each.job.id] = each.job.departure


def _without(decisions: Sequence[Decision], outbounds: frozenset[OutboundId]) -> list[Decision]:
    return [
        replace(each, happening=None) if each.job.id in outbounds else each for each in decisions
    ]
