"""Write when a message was received as IMAP tells it, with its quotes (RFC 9051 §9 date-time)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from mailbox_server.model.message import InternalDate

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND = int((datetime(1, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
_LAST_SECOND = int((datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH).total_seconds())


def date_time(moment: InternalDate) -> bytes:
    """`" 7-Jul-1996 02:44:25 -0700"`, in the zone it came with; the day padded with a space.

    What is beyond the calendar in its zone becomes the calendar's first or last second.
    """
    zone = moment.zone_minutes
    seconds = min(max(moment.seconds + 60 * zone, _FIRST_SECOND), _LAST_SECOND)
    days, second = divmod(seconds, 86_400)
    minute, second = divmod(second, 60)
    zone_hours, zone_minutes = divmod(abs(zone), 60)
    return b'"%b %02d:%02d:%02d %b%02d%02d"' % (
        _day(days),
        minute // 60,
        minute % 60,
        second,
        b"-" if zone < 0 else b"+",
        zone_hours,
        zone_minutes,
    )


@lru_cache(maxsize=64)
def _day(days: int) -> bytes:
    """The day so many days after 1970-01-01; mail comes day by day."""
    day = _EPOCH.date() + timedelta(days=days)
    return f"{day.day:2d}-{_MONTHS[day.month - 1]}-{day.year:04d}".encode("ascii")
