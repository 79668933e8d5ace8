"""Write down what became of recipients, with the reports that are owed for it, in one write.

A message that another server has taken is recorded until that is on the disk, whatever the
store says meanwhile: what is not recorded is sent again.  All else may be lost, since the
next attempt brings it back; so trouble with a report only puts its recipients off.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
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
from mailbox_server.model.ids import OutboundId
from mailbox_server.model.outbound import Attempt, Departure, Outbound, OutboundState
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.relay.queue.decision import Decision, Proxy, decide
from mailbox_server.relay.schedule import ScheduleRules
from mailbox_server.store.ports import StagedContent, Store, WriteTx

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
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._reports = reports
        self._clock = clock
        self._entropy = entropy
        self._events = events
        self._sleep = sleep
        self.rules = rules

    async def settle(self, tried: Sequence[Tried]) -> None:
        """Record attempts with what follows from them; returns when that is on the disk.

        Raises SyncFailed and CommitUnknown, which end the process.
        """
        decided = [
            (one.departure, [self._decide(one, job, attempt) for job, attempt in one.attempts])
            for one in tried
        ]
        for pause in _pauses():
            prepared: list[Prepared] = []
            try:
                decided = [await self._prepare(*one, prepared) for one in decided]
                decisions = [decision for _, some in decided for decision in some]
                await self._write(decisions, prepared)
                self._tell(decisions)
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
                decided = [(of, [self._untold(each) for each in some]) for of, some in decided]

    async def put_back(self, jobs: Sequence[Outbound], wait: timedelta) -> None:
        """Give up leases without an attempt; what has been recorded stays as it is.

        Raises SyncFailed and CommitUnknown.
        """
        due, ids = self._clock.now() + wait, [job.id for job in jobs]
        for pause in _pauses():
            try:
                await self._store.write(lambda tx: tx.outbound.put_back(ids, due))
                return
            except (SyncFailed, CommitUnknown):
                raise
            except Unavailable as trouble:
                await self._rest(trouble, pause)

    # ------------------------------------------------------------ inside

    async def _rest(self, trouble: Unavailable, seconds: float) -> None:
        self._events.warning("relay.not_recorded", reason=str(trouble))
        await self._sleep(seconds)

    def _decide(self, tried: Tried, job: Outbound, attempt: Attempt) -> Decision:
        chance = self._entropy.below(_CHANCES) / _CHANCES
        return decide(job, tried.departure, attempt, self.rules, chance, tried.proxy)

    async def _prepare(
        self, departure: Departure, decisions: list[Decision], prepared: list[Prepared]
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

    async def _write(self, decisions: Sequence[Decision], prepared: Sequence[Prepared]) -> None:
        told = [each.job.id for each in decisions if each.tells_delay]
        reported = {each.job.id for each in decisions if each.happening is not None}
        now = self._clock.now()

        def work(tx: WriteTx) -> None:
            dropped = set()
            for each in decisions:
                recorded = tx.outbound.record(
                    each.job.id, each.attempt, each.state, each.due, each.expires
                )
                if not recorded.was_open and each.job.id in reported:
                    dropped.add(each.job.id)
            if dropped:
                raise _DroppedMeanwhile(frozenset(dropped))
            tx.outbound.told_delay(told, now)
            for one in prepared:
                one.write(tx)

        contents = [staged for one in prepared for staged in one.contents]
        await self._store.write(work, contents)

    def _tell(self, decisions: Sequence[Decision]) -> None:
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


def _without(decisions: Sequence[Decision], outbounds: frozenset[OutboundId]) -> list[Decision]:
    return [
        replace(each, happening=None) if each.job.id in outbounds else each for each in decisions
    ]
