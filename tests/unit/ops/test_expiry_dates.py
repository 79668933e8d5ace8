"""When an app password ends."""

from datetime import UTC, datetime

import pytest

from mailbox_server.model.errors import BadInput
from mailbox_server.ops.expiry_dates import read_expiry

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


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
