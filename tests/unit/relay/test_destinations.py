"""What is remembered of destinations: when one is shut, who probes it, how it grows."""

from datetime import UTC, datetime

import pytest

from mailbox_server.model.outbound import Attempt, Finding, Phase
from mailbox_server.model.reply import Reply
from mailbox_server.relay.destinations import MOST, Destinations

TROUBLE = Attempt(
    datetime(2026, 1, 1, tzinfo=UTC),
    Finding.DEFERRED,
    Phase.CONNECT,
    Reply(421, "4.4.1", ("no answer",)),
    is_theirs=False,
)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(clock: Clock) -> Destinations:
    return Destinations(clock, most_connections=8)


def test_connections_grow_with_what_is_taken_up_to_the_most(known: Destinations) -> None:
    one = known.of("x")
    assert known.room(one) == 1
    for expected in (5, 6, 7, 8, 8):
        known.took(one)
        assert known.room(one) == expected
    one.connections = 7
    assert known.room(one) == 1


def test_few_may_be_the_most(clock: Clock) -> None:
    known = Destinations(clock, most_connections=2)
    one = known.of("x")
    known.took(one)
    assert known.room(one) == 2


def test_after_trouble_they_come_back_one_by_one(known: Destinations) -> None:
    one = known.of("x")
    known.took(one)
    known.stumbled(one)
    known.took(one)
    assert one.limit == 3


def test_who_was_out_of_reach_shows_again_that_it_takes_mail(
    known: Destinations, clock: Clock
) -> None:
    one = known.of("x")
    known.took(one)
    known.failed(one, TROUBLE)
    clock.seconds += 300
    assert known.room(one) == 1
    known.spoke(one)
    known.took(one)
    assert known.room(one) == 5


def test_trouble_halves_them_and_leaves_one(known: Destinations) -> None:
    one = known.of("x")
    one.limit = 4
    for expected in (2, 1, 1):
        known.stumbled(one)
        assert one.limit == expected


def test_what_cannot_be_reached_is_shut_longer_each_time(known: Destinations, clock: Clock) -> None:
    one = known.of("x")
    for minutes in (5, 10, 20, 40, 60, 60):
        known.failed(one, TROUBLE)
        assert known.room(one) == 0
        assert known.shut_seconds(one) == minutes * 60
        clock.seconds += minutes * 60 - 1
        assert known.is_shut(one)
        clock.seconds += 1
        # One connection to probe it, whatever it had before.
        assert known.room(one) == 1
    one.connections = 1
    assert known.room(one) == 0


def test_many_failures_at_once_count_as_one(known: Destinations) -> None:
    one = known.of("x")
    for _ in range(5):
        known.failed(one, TROUBLE)
    assert known.shut_seconds(one) == 300


def test_what_was_dead_and_is_reached_is_as_new(known: Destinations) -> None:
    one = known.of("x")
    known.reached(one)
    assert one.is_proven and known.spoke(one) is False
    known.failed(one, TROUBLE)
    assert not one.is_proven and one.trouble is TROUBLE
    known.reached(one)
    # Until it has answered for a message, one connection is enough.
    assert not known.is_shut(one) and known.room(one) == 1 and one.failures == 1
    assert known.spoke(one) is True
    assert (one.failures, one.trouble) == (0, None)


def test_who_wants_rest_gets_it_and_is_dead_only_when_it_always_does(
    known: Destinations, clock: Clock
) -> None:
    one = known.of("x")
    known.reached(one)
    for seconds, trouble in ((60, None), (120, None), (240, TROUBLE)):
        known.wants_rest(one, TROUBLE)
        assert (known.shut_seconds(one), one.trouble) == (seconds, trouble)
        clock.seconds += seconds
        known.reached(one)
    assert known.spoke(one) is True
    known.wants_rest(one, TROUBLE)
    assert known.shut_seconds(one) == 60


def test_an_operator_opens_what_is_shut(known: Destinations) -> None:
    one = known.of("x")
    known.failed(one, TROUBLE)
    known.open_all()
    assert known.room(one) == 1


def test_what_was_used_longest_ago_is_forgotten_but_not_in_use(known: Destinations) -> None:
    busy = known.of("busy")
    busy.connections = 1
    known.of("idle").limit = 3
    for number in range(MOST):
        known.of(str(number))
    assert len(known) == MOST
    assert known.of("busy") is busy
    assert known.of("idle").limit == 1
