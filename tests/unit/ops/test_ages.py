"""How long ago, as operators write it."""

from datetime import UTC, datetime

import pytest

from mailbox_server.model.errors import BadInput
from mailbox_server.ops.ages import read_past

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


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
def test_what_is_read(text: str, moment: str) -> None:
    assert read_past(text, NOW) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    "text",
    ["", "2", "h", "-2h", "2H", "1.5h", "999999y", "2026-02-30", "2026-03-03", "\x1b[2J", "²h"],
)
def test_what_is_not(text: str) -> None:
    with pytest.raises(BadInput):
        read_past(text, NOW)
