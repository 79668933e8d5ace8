"""How often mail to a recipient must come back before it is sent no more: a pure rule.

A bounce for good by a dead address counts 1, another one a half, and only the first of a day
counts.  Who had none for a while begins anew.  At the threshold a probe is sent, a message
of its own with its own return path; only where that comes back too is the recipient
disabled, and never for what is said of the sender: a list that is distrusted for a week
would lose all who read it.  (Mailman's rule, with half points for soft bounces.)
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mailbox_server.delivery.bounces.causes import Judgement
from mailbox_server.model.address import Address
from mailbox_server.model.bounce import BounceScore, ScoreState


@dataclass(frozen=True, slots=True)
class ScoreRules:
    """threshold_half_points: twice the score at which a probe is sent.

    fresh_for: how long a score lasts without another bounce; also how long a probe has to
    come back.
    """

    threshold_half_points: int = 10
    fresh_for: timedelta = timedelta(days=7)


def counted(
    before: BounceScore | None,
    scope: str,
    address: Address,
    judgement: Judgement,
    words: str,
    now: datetime,
    rules: ScoreRules,
) -> BounceScore:
    """The score after a bounce of ordinary mail.

    A recipient that is suspect, probed or disabled already is not counted further, unless
    the probe did not come back in its time.
    """
    if before is not None:
        before = settled(before, now, rules)
    if before is None or (
        before.state is ScoreState.COUNTED and now - before.last > rules.fresh_for
    ):
        before = BounceScore(
            scope, address, 0, ScoreState.COUNTED, now, judgement.cause, words, now, 0
        )
        is_first_today = True
    else:
        is_first_today = _day(now) > _day(before.last)
    if before.state is not ScoreState.COUNTED or not is_first_today:
        return replace(before, times=before.times + 1)
    half_points = before.half_points + _half_points(judgement)
    after = replace(
        before,
        half_points=half_points,
        cause=judgement.cause,
        words=words,
        last=now,
        times=before.times + 1,
    )
    if half_points < rules.threshold_half_points:
        return after
    return replace(after, state=ScoreState.SUSPECT, since=now)


def probed(before: BounceScore, now: datetime) -> BounceScore:
    """The same once the probe is on its way."""
    return replace(before, state=ScoreState.PROBED, since=now)


def probe_failed(
    before: BounceScore, judgement: Judgement, words: str, now: datetime, rules: ScoreRules
) -> BounceScore:
    """The same after the probe came back; one that comes back too late says nothing."""
    before = settled(before, now, rules)
    if before.state is not ScoreState.PROBED:
        return before
    after = replace(before, cause=judgement.cause, words=words, last=now, times=before.times + 1)
    if judgement.cause.is_about_sender or not judgement.is_permanent:
        return replace(after, half_points=0, state=ScoreState.COUNTED, since=now)
    return replace(after, state=ScoreState.DISABLED, since=now)


def settled(score: BounceScore, now: datetime, rules: ScoreRules) -> BounceScore:
    """A probe that has not come back in its time has arrived: the score begins anew."""
    if score.state is not ScoreState.PROBED or now - score.since <= rules.fresh_for:
        return score
    return replace(score, half_points=0, state=ScoreState.COUNTED, since=now)


def _half_points(judgement: Judgement) -> int:
    return 2 if judgement.is_permanent and judgement.cause.is_dead_address else 1


def _day(moment: datetime) -> int:
    return moment.astimezone(UTC).toordinal()
