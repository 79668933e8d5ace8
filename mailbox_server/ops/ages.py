"""How long ago, as an operator writes it: `2h`, `7d`, or a date."""

import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from mailbox_server.model.errors import BadInput

_AGO: Final = re.compile(r"([0-9]{1,6})([mhdwy])\Z")
_MINUTES: Final = MappingProxyType(
    {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60, "y": 365 * 24 * 60}
)


def read_past(text: str, now: datetime) -> datetime:
    """An instant in UTC, not after now; a date is the beginning of its day.

    m, h, d, w and y behind a number are minutes, hours, days, weeks and years of 365 days
    before now.  Raises BadInput.
    """
    ago = _AGO.match(text)
    try:
        if ago is not None:
            return now - timedelta(minutes=int(ago[1]) * _MINUTES[ago[2]])
        moment = datetime.fromisoformat(text)
        is_local = moment.tzinfo is None
        moment = moment.replace(tzinfo=UTC) if is_local else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{text!r:.40} is no time such as 2h, 7d or 2026-12-31") from error
    if moment > now:
        raise BadInput(f"{text} is in the future")
    return moment
