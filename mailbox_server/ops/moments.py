"""Moments as an operator writes them: a date, or how long before or after now (`2h`, `90d`)."""

import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from mailbox_server.model.errors import BadInput

_SPAN: Final = re.compile(r"([0-9]{1,6})([mhdwy])\Z")
_MINUTES: Final = MappingProxyType(
    {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60, "y": 365 * 24 * 60}
)


def read_past(text: str, now: datetime) -> datetime:
    """An instant in UTC, not after now; a date is the beginning of its day.

    m, h, d, w and y behind a number are minutes, hours, days, weeks and years of 365 days
    before now.  Raises BadInput.
    """
    try:
        span = _span(text)
        moment = _written(text) if span is None else now - span
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{text!r:.40} is no time such as 2h, 7d or 2026-12-31") from error
    if moment > now:
        raise BadInput(f"{text} is in the future")
    return moment


def read_expiry(text: str, now: datetime) -> datetime:
    """An instant in UTC after now; a date is the beginning of its day.

    The letters of read_past behind a number count from now, but for m: who writes `1m` here
    may mean a month.  Raises BadInput.
    """
    try:
        span = None if text.endswith("m") else _span(text)
        moment = _written(text) if span is None else now + span
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{text!r:.40} is not a date such as 2030-12-31 or 90d") from error
    if moment <= now:
        raise BadInput(f"{text} is in the past")
    return moment


def _span(text: str) -> timedelta | None:
    span = _SPAN.match(text)
    return None if span is None else timedelta(minutes=int(span[1]) * _MINUTES[span[2]])


def _written(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
