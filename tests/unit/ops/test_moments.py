"""When an app password ends, and how long ago something was, as operators write it."""

from datetime import UTC, datetime

import pytest

from mailbox_server.model.errors import BadInput
from mailbox_server.ops.moments import read_expiry, read_past

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-31", datetime(2026, 12, 31, tzinfo=UTC)),
        ("2026-12-31T10:00:00+02:00", datetime(2026, 12, 31, 8, tzinfo=UTC)),
        ("12h", datetime(2026, 1, 2, tzinfo=UTC)),
        ("1d", datetime(2026, 1, 2, 12, tzinfo=UTC)),
        ("2w", datetime(2026, 1, 15, 12, tzinfo=UTC)),
        ("1y", datetime(2027, 1, 1, 12, tzinfo=UTC)),
    ],
)
def test_dates_and_durations(text: str, expected: datetime) -> None:
    assert read_expiry(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "0d", "-1d", "1m", "2025-12-31", "999999y", "\u0661d"]
)
def test_others_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_expiry(text, NOW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0m", "2026-03-02T01:00+00:00"),
        ("30m", "2026-03-02T00:30+00:00"),
        ("2h", "2026-03-01T23:00+00:00"),
        ("7d", "2026-02-23T01:00+00:00"),
        ("1w", "2026-02-23T01:00+00:00"),
        ("1y", "2025-03-02T01:00+00:00"),
        ("2026-03-01", "2026-03-01T00:00+00:00"),
        ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00+00:00"),
    ],
)
def test_how_long_ago(text: str, moment: str) -> None:
    assert read_past(text, LATER) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    "text",
    ["", "2", "h", "-2h", "2H", "1.5h", "999999y", "2026-02-30", "2026-03-03", "\x1b[2J", "²h"],
)
def test_what_is_no_time_gone_by(text: str) -> None:
    with pytest.raises(BadInput):
        read_past(text, LATER)
