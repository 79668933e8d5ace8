"""Counts end with the day, and never hold more than so many addresses."""

from mailbox_server.delivery.report_counts import MOST_ADDRESSES, ReportCounts
from tests.unit.delivery.house import HandClock


def test_a_count_lasts_a_day() -> None:
    clock = HandClock()
    counts = ReportCounts(clock)
    assert [counts.take("a", 2) for _ in range(3)] == [True, True, False]
    assert (counts.of("a"), counts.of("b")) == (2, 0)
    counts.give_back("a")
    counts.give_back("b")
    assert (counts.of("a"), counts.of("b")) == (1, 0)
    clock.seconds += 86_400
    assert counts.of("a") == 0


def test_of_very_many_the_first_are_forgotten() -> None:
    counts = ReportCounts(HandClock())
    for number in range(MOST_ADDRESSES + 1):
        assert counts.take(str(number), 1)
    assert (counts.of("0"), counts.of("1")) == (0, 1)
