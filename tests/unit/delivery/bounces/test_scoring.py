"""Scores of recipients: what counts, how often, what is done, and what is never done."""

from datetime import UTC, datetime, timedelta

import pytest

from mailbox_server.delivery.bounces.causes import Judgement
from mailbox_server.delivery.bounces.scoring import (
    ScoreRules,
    counted,
    probe_failed,
    probed,
    settled,
)
from mailbox_server.model.address import Address
from mailbox_server.model.bounce import BounceScore, Cause, ScoreState

BOB = Address.parse("bob@example.net")
RULES = ScoreRules()
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HARD = Judgement(Cause.NO_SUCH_MAILBOX, True)
SOFT = Judgement(Cause.MAILBOX_FULL, True)
WAITING = Judgement(Cause.NO_SUCH_MAILBOX, False)
DISTRUST = Judgement(Cause.REPUTATION, True)


def count(before: BounceScore | None, judgement: Judgement, now: datetime) -> BounceScore:
    return counted(before, "list@example.org", BOB, judgement, "words", now, RULES)


def after(*bounces: tuple[Judgement, datetime]) -> list[BounceScore]:
    scores: list[BounceScore] = []
    for judgement, now in bounces:
        scores.append(count(scores[-1] if scores else None, judgement, now))
    return scores


def days(judgement: Judgement, count: int, every: int = 1) -> list[tuple[Judgement, datetime]]:
    return [(judgement, START + number * every * DAY) for number in range(count)]


@pytest.mark.parametrize(
    ("judgement", "half_points"), [(HARD, 2), (SOFT, 1), (WAITING, 1), (DISTRUST, 1)]
)
def test_hard_counts_one_and_soft_a_half(judgement: Judgement, half_points: int) -> None:
    score = count(None, judgement, START)
    assert score.half_points == half_points
    assert (score.scope, score.address, score.times) == ("list@example.org", BOB, 1)


def test_only_the_first_of_a_day_counts() -> None:
    score = after(*[(HARD, START + timedelta(hours=hour)) for hour in range(11)])[-1]
    assert (score.half_points, score.times, score.state) == (2, 11, ScoreState.COUNTED)
    assert after((HARD, START), (HARD, START + timedelta(hours=12)))[-1].half_points == 4


def test_who_reaches_the_threshold_is_suspect() -> None:
    states = [score.state for score in after(*days(HARD, 7))]
    assert states == [ScoreState.COUNTED] * 4 + [ScoreState.SUSPECT] * 3
    states = [score.state for score in after(*days(SOFT, 10))]
    assert states.index(ScoreState.SUSPECT) == 9


def test_who_had_none_for_a_week_begins_anew() -> None:
    assert [score.half_points for score in after(*days(HARD, 20, every=8))] == [2] * 20
    assert after(*days(HARD, 5, every=7))[-1].state is ScoreState.SUSPECT


def on_probe() -> BounceScore:
    return probed(after(*days(HARD, 5))[-1], START + 4 * DAY)


def test_only_a_probe_that_comes_back_disables() -> None:
    score = on_probe()
    soon = score.since + DAY
    disabled = probe_failed(score, HARD, "no", soon, RULES)
    assert (disabled.state, disabled.since) == (ScoreState.DISABLED, soon)
    assert probe_failed(score, SOFT, "full", soon, RULES).state is ScoreState.DISABLED
    assert count(disabled, HARD, soon + DAY).state is ScoreState.DISABLED
    assert probe_failed(disabled, HARD, "no", soon + DAY, RULES) == disabled


@pytest.mark.parametrize("judgement", [DISTRUST, WAITING])
def test_nobody_is_disabled_for_what_is_said_of_the_sender_or_for_a_delay(
    judgement: Judgement,
) -> None:
    score = probe_failed(on_probe(), judgement, "no", START + 6 * DAY, RULES)
    assert (score.state, score.half_points) == (ScoreState.COUNTED, 0)


def test_a_probe_that_does_not_come_back_has_arrived() -> None:
    score = on_probe()
    assert settled(score, score.since + RULES.fresh_for, RULES) == score
    late = score.since + RULES.fresh_for + timedelta(seconds=1)
    fresh = settled(score, late, RULES)
    assert (fresh.state, fresh.half_points) == (ScoreState.COUNTED, 0)
    assert probe_failed(score, HARD, "no", late, RULES) == fresh
    assert count(score, HARD, late).half_points == 2


def test_a_clock_that_goes_back_counts_nothing_twice() -> None:
    score = after((HARD, START), (HARD, START - 3 * DAY), (HARD, START))[-1]
    assert (score.half_points, score.times) == (2, 3)
