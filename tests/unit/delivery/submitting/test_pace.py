"""How much may be sent, and how long to wait for more."""

from datetime import UTC, datetime, timedelta

import pytest

from mailbox_server.delivery.submitting.pace import Pace, PaceLimits, PaceRule
from mailbox_server.model.errors import BadInput
from mailbox_server.store.ports import Sending

NOW = datetime(2026, 11, 29, 12, 5, tzinfo=UTC)
LIMITS = PaceLimits(messages_hour=10, messages_day=20, strangers_hour=5, strangers_day=8)


def ago(minutes: int, messages: int, strangers: int = 0) -> Sending:
    return Sending(NOW - timedelta(minutes=minutes), messages, strangers)


@pytest.mark.parametrize(
    ("sendings", "messages", "strangers", "minutes"),
    [
        ([], 1, 0, 0),
        ([], 1, 5, 0),
        ([], 1, 6, 60),
        ([ago(5, 9)], 1, 0, 0),
        ([ago(5, 10)], 1, 0, 65),
        # The older span is over first, and then there is room.
        ([ago(65, 1), ago(5, 9)], 1, 0, 5),
        ([ago(70, 10), ago(5, 9)], 1, 0, 0),
        ([ago(1445, 5), ago(100, 15)], 1, 0, 5),
        ([ago(1450, 5), ago(100, 15)], 1, 0, 0),
        ([ago(5, 1, 5)], 1, 0, 0),
        ([ago(5, 1, 5)], 1, 1, 65),
        ([ago(1445, 1, 3), ago(100, 1, 5)], 1, 1, 5),
        ([ago(1445, 1, 3), ago(100, 1, 5)], 1, 4, 1350),
    ],
)
def test_the_wait(sendings: list[Sending], messages: int, strangers: int, minutes: int) -> None:
    assert Pace(sendings, LIMITS, NOW).wait(messages, strangers) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("sendings", "left"),
    [
        ([], 5),
        ([ago(5, 1, 4)], 1),
        ([ago(5, 1, 7)], 0),
        ([ago(100, 1, 6)], 2),
        ([ago(65, 1, 3)], 2),
        ([ago(70, 1, 3)], 5),
        ([ago(1450, 1, 8)], 5),
    ],
)
def test_as_many_strangers_as_are_left_need_not_wait(sendings: list[Sending], left: int) -> None:
    pace = Pace(sendings, LIMITS, NOW)
    assert pace.strangers_left == left
    assert not pace.wait(1, left)
    assert pace.wait(1, left + 1)


def test_one_message_more_is_counted_in_its_span() -> None:
    now = NOW.replace(second=59, microsecond=999_999)
    earlier, later = ago(15, 3, 1), ago(-25, 1)
    assert Pace([earlier, later], LIMITS, now).with_message(2) == [earlier, ago(5, 1, 2), later]
    assert Pace([earlier, ago(5, 1, 2)], LIMITS, now).with_message(0) == [earlier, ago(5, 2, 2)]


@pytest.mark.parametrize(
    ("sent", "strangers", "near"),
    [(6, 0, False), (7, 0, True), (8, 0, False), (0, 3, False), (0, 4, True)],
)
def test_the_alarm_comes_once(sent: int, strangers: int, near: bool) -> None:
    assert Pace([ago(5, sent)], LIMITS, NOW).nears(1, strangers) is near


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("account A@example.org: messages 1/2, strangers 3/4", PaceLimits(1, 2, 3, 4)),
        ("account a@example.org: messages 1/2", PaceLimits(1, 2, 5, 8)),
        ("account a@example.org:strangers 3/4 ", PaceLimits(10, 20, 3, 4)),
    ],
)
def test_rules(text: str, limits: PaceLimits) -> None:
    assert PaceRule.parse(text, LIMITS) == PaceRule("a@example.org", limits)


@pytest.mark.parametrize(
    "text",
    [
        *("", "everyone: messages 1/2", "account a: messages 1/2", "account a@example.org:"),
        *("account a@example.org: messages 1", "account a@example.org: messages 1/2 3/4"),
        "account a@example.org: messages -1/2",
    ],
)
def test_rules_that_are_none(text: str) -> None:
    with pytest.raises(BadInput):
        PaceRule.parse(text, LIMITS)
