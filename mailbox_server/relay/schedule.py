"""When a recipient is tried again, as a pure function of time, attempts, the answer and chance.

RFC 5321 §4.5.4.1 asks for two tries in the first hour, then one every two or three hours,
for four or five days.  An answer that looks like greylisting gets an extra try before that
(RFC 6647 §5).

Clocks jump, and servers are switched off.  So nothing is given up by the clock alone: both
the time must be over and as many attempts must have been made as fit into it.  A clock that
was set wrong by a year costs a few days more, never a bounce; and one that stands still
cannot keep mail for ever, because the attempts have an upper limit, too.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mailbox_server.model.outbound import Attempt, ByMode, DeliverBy, Phase

WAITS: Final = tuple(timedelta(minutes=each) for each in (30, 30, 60, 120, 180))
"""After the first failure, the second...; the last for all that follow."""
STRETCH: Final = 0.1
"""The part by which chance makes a wait longer: what failed together comes back apart."""
LONGEST_WAIT: Final = WAITS[-1] * (1 + STRETCH)
EXTRA: Final = (timedelta(minutes=5), timedelta(minutes=10))
"""Between these comes the extra try after greylisting."""
_MANY_TIMES: Final = 4
"""So many times the attempts that fit into its lifetime are made at most, whatever the time."""

_GREYLISTED: Final = re.compile(
    r"gr[ea]y-?\s?list|postgrey|try (?:again )?(?:a bit )?later|come back|first (?:time|contact)",
    re.IGNORECASE,
)


_OTHER_CAUSES: Final = ("4.2.2", "4.3.1", "4.3.4")
"""A full mailbox or disk is no better in five minutes, whatever the words."""


@dataclass(frozen=True, slots=True)
class ScheduleRules:
    """What an operator may set.

    lifetime: mail is given up when it has waited so long.  delay_after: then its sender is
    told that it waits.
    """

    lifetime: timedelta = timedelta(days=5)
    delay_after: timedelta = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Job:
    """What the schedule looks at, after an attempt that failed for now.

    since: when it arrived, or when it was released if it was held until then (RFC 4865).
    attempts: this one included.  attempt: the one that failed just now.
    is_told: whether the sender knows of the delay.
    """

    since: datetime
    attempts: int
    attempt: Attempt
    is_told: bool
    deliver_by: DeliverBy | None


@dataclass(frozen=True, slots=True)
class Next:
    """What comes of it.

    due: the next try; expires: after the last one.  is_over: there is none.
    tells_delay: the sender is to be told now that it waits.
    """

    due: datetime
    expires: datetime
    is_over: bool
    tells_delay: bool


def after_failure(job: Job, rules: ScheduleRules, chance: float) -> Next:
    """What to do after a temporary failure; chance: from 0 to below 1.

    The last try is made when the time is over, not before.  Mail with a time of its own
    (RFC 2852) is given up then in mode R; in mode N its sender is told then.
    """
    now, by = job.attempt.at, job.deliver_by
    expires = job.since + rules.lifetime
    due = now + _wait(job, chance)
    is_over = _is_over(job, now, expires, rules.lifetime)
    if not is_over and now < expires < due:
        due = expires
    is_late = _has_waited(job, now, rules.delay_after)
    if by is not None:
        is_late = is_late or now >= by.until
        if by.mode is ByMode.RETURN:
            is_over = is_over or now >= by.until
            expires = min(expires, by.until)
        if now < by.until < due:
            due = by.until
    return Next(due, expires, is_over, tells_delay=is_late and not job.is_told and not is_over)


def is_greylisting(attempt: Attempt) -> bool:
    """Whether the answer looks like one that a second try soon would not get."""
    reply = attempt.reply
    if not attempt.is_theirs or reply.code not in (421, 450, 451, 452):
        return False
    if attempt.phase not in (Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.CONTENT):
        return False
    if reply.enhanced in _OTHER_CAUSES:
        return False
    if reply.code in (450, 451) and reply.enhanced in ("4.7.0", "4.7.1"):
        return True
    return any(_GREYLISTED.search(line[:500]) for line in reply.lines[:5])


def least_attempts(lifetime: timedelta) -> int:
    """How many attempts are made within lifetime where every wait is as long as it can be."""
    elapsed, count = timedelta(), 1
    for wait in WAITS:
        elapsed += wait * (1 + STRETCH)
        if elapsed > lifetime:
            return count
        count += 1
    return count + (lifetime - elapsed) // LONGEST_WAIT


def _wait(job: Job, chance: float) -> timedelta:
    if job.attempts == 1 and is_greylisting(job.attempt):
        soonest, latest = EXTRA
        return soonest + (latest - soonest) * chance
    return WAITS[min(job.attempts, len(WAITS)) - 1] * (1 + STRETCH * chance)


def _is_over(job: Job, now: datetime, expires: datetime, lifetime: timedelta) -> bool:
    least = least_attempts(lifetime)
    return (now >= expires and job.attempts >= least) or job.attempts >= least * _MANY_TIMES


def _has_waited(job: Job, now: datetime, time: timedelta) -> bool:
    return now - job.since >= time and job.attempts >= least_attempts(time)
