"""When something ends, as an operator writes it: `2030-12-31`, or `90d` from now."""

import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from mailbox_server.model.errors import BadInput

_FROM_NOW: Final = re.compile(r"([0-9]{1,6})([hdwy])\Z")
_HOURS: Final = MappingProxyType({"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24})


def read_expiry(text: str, now: datetime) -> datetime:
    """An instant in UTC after now; a date is the beginning of its day.

    h, d, w and y behind a number are hours, days, weeks and years of 365 days from now.
    Raises BadInput.
    """
    from_now = _FROM_NOW.match(text)
    try:
        if from_now is not None:
            moment = now + timedelta(hours=int(from_now[1]) * _HOURS[from_now[2]])
        else:
            moment = datetime.fromisoformat(text)
            is_local = moment.tzinfo is None
            moment = moment.replace(tzinfo=UTC) if is_local else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{text!r:.40} is not a date such as 2030-12-31 or 90d") from error
    if moment <= now:
        raise BadInput(f"{text} is in the past")
    return moment
