"""When mail waits because more keeps coming, and for how long at most."""

import pytest

from mailbox_server.relay.queue.deference import MOST_SECONDS, PAUSE_SECONDS, Deference


def flood(deference: Deference, since: float, seconds: float) -> float:
    """A commit every 25 ms for so long; the moment of the last one."""
    at = since
    while at + 0.025 <= since + seconds:
        at += 0.025
        deference.came(at)
    return at


def test_a_message_alone_leaves_at_once() -> None:
    deference = Deference()
    assert deference.wait(100.0) == 0.0
    for at in (100.0, 100.3, 100.6, 101.5):
        deference.came(at)
        assert deference.wait(at) == 0.0
        deference.looking()


def test_one_after_the_other_leaves_at_once() -> None:
    deference = Deference()
    for number in range(100):
        deference.came(100.0 + number * 0.1)
        assert deference.wait(100.0 + number * 0.1) == 0.0
        deference.looking()


def test_in_a_flood_mail_waits_for_the_next_pause() -> None:
    deference = Deference()
    last = flood(deference, 100.0, 0.5)
    assert deference.wait(last) == pytest.approx(PAUSE_SECONDS)
    assert deference.wait(last + PAUSE_SECONDS) == 0.0


def test_no_mail_waits_longer_than_the_most() -> None:
    deference = Deference()
    deference.came(100.0)
    last = flood(deference, 100.0, MOST_SECONDS - 0.05)
    assert 0.0 < deference.wait(last) < 0.1
    assert deference.wait(100.0 + MOST_SECONDS) == 0.0


def test_what_came_during_a_look_waits_from_its_own_moment() -> None:
    deference = Deference()
    deference.came(100.0)
    last = flood(deference, 100.0, 2.0)
    deference.looking()
    assert deference.wait(last) == 0.0, "there is nothing that was not looked at"
    last = flood(deference, last, MOST_SECONDS - 0.1)
    assert deference.wait(last) > 0.0
    last = flood(deference, last, 0.2)
    assert deference.wait(last) == 0.0


def test_what_was_left_waits_for_no_more_mail_until_all_is_taken() -> None:
    deference = Deference()
    last = flood(deference, 100.0, 1.0)
    deference.looking()
    deference.left_some()
    last = flood(deference, last, 0.2)
    assert deference.wait(last) == 0.0
    deference.looking()
    last = flood(deference, last, 0.2)
    assert deference.wait(last) > 0.0
