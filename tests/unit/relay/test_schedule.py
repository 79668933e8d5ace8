"""Five days of retries on a clock that is turned by hand, set wrong and set right."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.model.outbound import Attempt, ByMode, DeliverBy, Finding, Phase
from mailbox_server.model.reply import Reply
from mailbox_server.relay.schedule import (
    LONGEST_WAIT,
    Job,
    Next,
    ScheduleRules,
    after_failure,
    is_greylisting,
    least_attempts,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = ScheduleRules()
BUSY = Attempt(NOON, Finding.DEFERRED, Phase.CONNECT, Reply(421, "4.4.1", ("no answer",)), False)
GREY = replace(BUSY, phase=Phase.RCPT, reply=Reply(451, "4.7.1", ("Greylisted",)), is_theirs=True)
chances = st.floats(0, 1, exclude_max=True)
luck = st.integers(0, 2**32).map(lambda seed: Random(seed).random)


def played(
    chance: Callable[[], float] | float,
    first: Attempt = BUSY,
    by: DeliverBy | None = None,
    rules: ScheduleRules = RULES,
    jumps: dict[int, timedelta] | None = None,
) -> list[tuple[datetime, Next]]:
    """Every attempt with what came of it, until it is over; jumps: of the clock, by attempt."""
    found: list[tuple[datetime, Next]] = []
    now, is_told = NOON, False
    while not found or not found[-1][1].is_over:
        assert len(found) < 1_000
        count = len(found) + 1
        failed = replace(first if count == 1 else BUSY, at=now)
        drawn = chance if isinstance(chance, float) else chance()
        came = after_failure(Job(NOON, count, failed, is_told, by), rules, drawn)
        found.append((now, came))
        is_told = is_told or came.tells_delay
        # What was put off to a moment that a clock set back has taken away is called back.
        now = max(now, came.due) + (jumps or {}).get(count, timedelta())
    return found


@given(luck)
def test_two_tries_in_the_first_hour_then_every_two_or_three(chance: Callable[[], float]) -> None:
    """RFC 5321 §4.5.4.1."""
    tries = [at for at, _ in played(chance)]
    assert sum(at - NOON < HOUR for at in tries) == 2
    waits = [later - at for at, later in pairwise(tries)]
    assert all(wait >= timedelta(minutes=30) for wait in waits[:-1])
    assert all(wait >= 2 * HOUR for wait in waits[3:-1])
    assert max(waits) <= LONGEST_WAIT
    assert tries[-1] == NOON + RULES.lifetime
    assert 38 <= len(tries) <= 46


@given(luck)
def test_one_notice_of_the_delay(chance: Callable[[], float]) -> None:
    notices = [at - NOON for at, came in played(chance) if came.tells_delay]
    assert len(notices) == 1
    assert 4 * HOUR <= notices[0] <= 4 * HOUR + LONGEST_WAIT


@given(chances)
def test_greylisting_gets_one_try_more(chance: float) -> None:
    """RFC 6647 §5: after a few minutes; then as without."""
    tries = [at - NOON for at, _ in played(chance, GREY)]
    assert timedelta(minutes=5) <= tries[1] <= timedelta(minutes=10)
    assert tries[2] - tries[1] >= timedelta(minutes=30)
    again = after_failure(Job(NOON, 2, GREY, False, None), RULES, chance)
    assert again.due - NOON >= timedelta(minutes=30)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"reply": Reply(450, "4.2.0", ("Recipient address rejected: Greylisted",))}, True),
        ({"reply": Reply(450, "", ("Please try again later",))}, True),
        ({"reply": Reply(421, "4.7.0", ("postgrey: wait",))}, True),
        ({"reply": Reply(450, "4.2.0", ("Mailbox busy",))}, False),
        ({"reply": Reply(452, "4.2.2", ("Mailbox full",))}, False),
        ({"reply": Reply(550, "5.7.1", ("Greylisted",))}, False),
        ({"phase": Phase.GREETING}, False),
        ({"is_theirs": False}, False),
        ({"reply": Reply(450, "", ("z" * 100_000 + "greylisted",))}, False),
        ({"reply": Reply(452, "4.2.2", ("Mailbox full, try again later",))}, False),
    ],
)
def test_what_looks_like_greylisting(changed: dict[str, object], expected: bool) -> None:
    assert is_greylisting(replace(GREY, **changed)) is expected  # type: ignore[arg-type]


@given(
    luck,
    st.integers(1, 30),
    st.sampled_from([timedelta(days=400), -timedelta(days=3650), HOUR, -HOUR]),
)
def test_a_clock_that_jumps_bounces_nothing(
    chance: Callable[[], float], when: int, jump: timedelta
) -> None:
    """Attempts stand in for the time that the clock does not know (reliability.md C1)."""
    tries = played(chance, jumps={when: jump})
    assert len(tries) >= least_attempts(RULES.lifetime)
    assert sum(came.tells_delay for _, came in tries) <= 1


@given(luck)
def test_a_clock_that_jumps_all_the_time_keeps_nothing_for_ever(
    chance: Callable[[], float],
) -> None:
    forth = dict.fromkeys(range(1000), -LONGEST_WAIT)
    assert len(played(chance, jumps=forth)) <= 4 * least_attempts(RULES.lifetime)


def test_a_server_that_was_off_tries_all_the_same() -> None:
    """C2: thirty days later mail is not given up at its second attempt."""
    tries = played(0.5, jumps={1: timedelta(days=30)})
    assert len(tries) == least_attempts(RULES.lifetime)
    assert tries[-1][0] - tries[1][0] >= timedelta(days=4)


@pytest.mark.parametrize(
    ("lifetime", "count"), [(0, 1), (0.5, 1), (0.6, 2), (4, 4), (24, 10), (120, 40)]
)
def test_how_many_attempts_fit(lifetime: float, count: int) -> None:
    assert least_attempts(lifetime * HOUR) == count


def test_a_lifetime_may_be_short() -> None:
    tries = played(0.5, rules=ScheduleRules(lifetime=HOUR, delay_after=2 * HOUR))
    assert [at - NOON for at, _ in tries] == [0.0 * HOUR, 0.525 * HOUR, HOUR]
    assert not any(came.tells_delay for _, came in tries)


def test_mail_that_is_to_be_returned_when_late_is() -> None:
    """RFC 2852 §4.1.3.1, by-mode R."""
    until = NOON + timedelta(minutes=45)
    tries = played(0.5, by=DeliverBy(until, ByMode.RETURN, trace=False))
    assert tries[-1][0] == until and tries[-1][1].is_over
    assert all(came.expires == until for _, came in tries)
    assert not any(came.tells_delay for _, came in tries)


def test_of_mail_that_is_late_the_sender_hears_and_it_goes_on() -> None:
    """RFC 2852 §4.1.3.2, by-mode N."""
    until = NOON + timedelta(minutes=45)
    tries = played(0.5, by=DeliverBy(until, ByMode.NOTIFY, trace=False))
    assert [at for at, came in tries if came.tells_delay] == [until]
    assert tries[-1][0] == NOON + RULES.lifetime
