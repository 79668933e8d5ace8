"""What one attempt means for one recipient: its next state, and whether somebody must hear."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from mailbox_server.delivery.bounces.decision import wants
from mailbox_server.delivery.bounces.happening import Happening, happened
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.envelope import Notify
from mailbox_server.model.outbound import (
    Attempt,
    ByMode,
    DeliverBy,
    Departure,
    Finding,
    Outbound,
    OutboundState,
)
from mailbox_server.relay.queue.promise import goes_without
from mailbox_server.relay.schedule import Job, ScheduleRules, after_failure

_AT_ONCE: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Proxy:
    """An attempt at other mail for the same destination, which stands for one at this.

    at: when that was.  again: when this will be tried really.
    """

    at: datetime
    again: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What is recorded for one recipient, all of it in one write.

    happening: what a report may be owed for; None where nothing is.
    """

    job: Outbound
    attempt: Attempt
    state: OutboundState
    due: datetime
    expires: datetime | None
    tells_delay: bool
    happening: Happening | None


def decide(
    job: Outbound,
    departure: Departure,
    attempt: Attempt,
    rules: ScheduleRules,
    chance: float,
    proxy: Proxy | None = None,
) -> Decision:
    """What follows from an attempt; chance: from 0 to below 1, of a deferral.

    Nothing is given up by proxy unless that was tried when the time of this was over, but for
    what its sender wants back at that moment, tried or not (RFC 2852 §4.1.3.1).
    """
    match attempt.finding:
        case Finding.DELIVERED:
            told = _relayed(job, departure.deliver_by, attempt)
            return _ended(job, attempt, OutboundState.DELIVERED, told)
        case Finding.REFUSED:
            path = job.return_path or departure.reverse_path
            if goes_without(attempt, departure, path):
                waiting, due = OutboundState.WAITING, attempt.at + _AT_ONCE
                return Decision(job, attempt, waiting, due, job.expires, False, None)
            failed = happened(job, Action.FAILED, attempt)
            return _ended(job, attempt, OutboundState.FAILED, failed)
        case Finding.DEFERRED:
            return _deferred(job, departure, attempt, rules, chance, proxy)


def _relayed(job: Outbound, by: DeliverBy | None, attempt: Attempt) -> Happening | None:
    """What there is to tell of a message that another server took; None for nothing.

    A server that takes our DSN wishes over reports itself (RFC 3461 §5.2.2).  Of mail with a
    time of its own the sender hears wherever that wish ends, and of each step of what is to
    leave a trace, unless he wants to hear of nothing (RFC 2852 §4.1.4).
    """
    told = happened(job, Action.RELAYED, attempt)
    if by is not None and Notify.NEVER not in job.notify:
        ends = by.mode is ByMode.NOTIFY and attempt.at < by.until and not attempt.keeps_time
        if by.trace or ends:
            return replace(told, notify=job.notify | Notify.SUCCESS)
    return told if not attempt.passes_dsn and wants(job.notify, Action.RELAYED) else None


def _ended(
    job: Outbound, attempt: Attempt, state: OutboundState, told: Happening | None
) -> Decision:
    return Decision(job, attempt, state, job.due, job.expires, False, told)


def _deferred(
    job: Outbound,
    departure: Departure,
    attempt: Attempt,
    rules: ScheduleRules,
    chance: float,
    proxy: Proxy | None,
) -> Decision:
    since = max(departure.arrived, departure.held_until or departure.arrived)
    known = Job(since, job.attempts + 1, attempt, job.delay_told is not None, departure.deliver_by)
    then = after_failure(known, rules, chance)
    may_wait = then.is_over and not _goes_back_now(departure, attempt)
    if may_wait and proxy is not None and proxy.at < then.expires:
        waiting = OutboundState.WAITING
        return Decision(job, attempt, waiting, proxy.again, then.expires, False, None)
    by = departure.deliver_by
    is_late = by is not None and attempt.at >= by.until
    if then.is_over:
        told = happened(job, Action.FAILED, attempt, gave_up=True, is_late=is_late)
        return _ended(job, attempt, OutboundState.EXPIRED, told)
    delayed = None
    if then.tells_delay:
        delayed = happened(
            *(job, Action.DELAYED, attempt),
            next_try=then.due,
            until=then.expires,
            is_late=is_late,
        )
    return Decision(
        job,
        attempt,
        OutboundState.WAITING,
        then.due,
        then.expires,
        then.tells_delay,
        delayed,
    )


def _goes_back_now(departure: Departure, attempt: Attempt) -> bool:
    by = departure.deliver_by
    return by is not None and by.mode is ByMode.RETURN and attempt.at >= by.until
