"""Read the Date field, also in the forms that old and careless senders use (RFC 5322 §3.3,
§4.3).

Comments and the day of the week are passed over; a zone that is missing or unknown is UTC.
Nothing raises: a date that makes no sense is None.
"""

import re
from dataclasses import dataclass
from types import MappingProxyType

VALUE_OCTETS = 256

_COMMENT = re.compile(rb"\([^()]*\)")
_USUAL = re.compile(
    rb"(?:[a-z]+\s*,?\s*)?([0-9]{1,2})[\s-]*([a-z]{3})[a-z]*\.?[\s,-]*([0-9]{2,4})[\s,]+"
    rb"([0-9]{1,2})[:.]([0-9]{1,2})(?:[:.]([0-9]{1,2})(?:\.[0-9]+)?)?\s*"
    rb"(?:(?:gmt|utc?)?\s*([+-])([0-9]{2}):?([0-9]{2})|([a-z]{1,5}))?",
    re.I,
)
_ASCTIME = re.compile(
    rb"(?:[a-z]+,?\s+)?([a-z]{3})[a-z]*\s+([0-9]{1,2}),?\s+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?"
    rb"\s+(?:([a-z]{1,5})\s+)?([0-9]{4})(?:\s+([+-])([0-9]{2})([0-9]{2}))?",
    re.I,
)
_ISO = re.compile(
    rb"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})[t\s]\s*([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?"
    rb"\s*(?:([+-])([0-9]{2}):?([0-9]{2}))?",
    re.I,
)
_MONTHS = (
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
)  # fmt: skip
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ZONE_HOURS = MappingProxyType(
    {b"edt": -4, b"est": -5, b"cdt": -5, b"cst": -6, b"mdt": -6, b"mst": -7, b"pdt": -7, b"pst": -8}
)
"""The zone names that RFC 5322 §4.3 gives a meaning; all others mean nothing certain."""


@dataclass(frozen=True, slots=True)
class SentDate:
    """When a message says that it was sent.

    epoch_seconds: UTC since 1970, of the years 1 to 9999.
    zone_minutes: what the sender's clock was ahead of UTC; epoch_seconds + 60 times this
        gives the day that SENTON and the like compare (RFC 9051 §6.4.4).
    """

    epoch_seconds: int
    zone_minutes: int


def read_date(value: bytes) -> SentDate | None:
    """The date of a raw Date value; None if it cannot be read."""
    text = value[:VALUE_OCTETS]
    # Comments nest, and each round takes out the innermost.
    while b"(" in text:
        shorter = _COMMENT.sub(b" ", text)
        if shorter == text:
            break
        text = shorter
    text = text.strip()
    usual = _USUAL.match(text)
    if usual is not None:
        day, month, year, hour, minute, second, *zone, name = usual.groups()
        named = _month(month)
        if named is None:
            return None
        return _date(_year(year), named, int(day), (hour, minute, second), _zone(zone, name))
    asctime = _ASCTIME.match(text)
    if asctime is not None:
        month, day, hour, minute, second, name, year, *zone = asctime.groups()
        named = _month(month)
        if named is None:
            return None
        return _date(int(year), named, int(day), (hour, minute, second), _zone(zone, name))
    iso = _ISO.match(text)
    if iso is not None:
        year, month, day, hour, minute, second, *zone = iso.groups()
        clock = (hour, minute, second)
        return _date(int(year), int(month), int(day), clock, _zone(zone, None))
    return None


def _month(name: bytes) -> int | None:
    name = name.lower()
    return _MONTHS.index(name) + 1 if name in _MONTHS else None


def _year(digits: bytes) -> int:
    """Two and three digits as RFC 5322 §4.3 reads them."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _zone(zone: list[bytes | None], name: bytes | None) -> int:
    """Minutes ahead of UTC from sign, hours and minutes, or else from a name."""
    sign, hours, minutes = zone
    if sign is None:
        return _ZONE_HOURS.get((name or b"").lower(), 0) * 60
    ahead = int(hours or 0) * 60 + int(minutes or 0)
    return 0 if ahead >= 24 * 60 else (-ahead if sign == b"-" else ahead)


def _date(
    year: int, month: int, day: int, clock: tuple[bytes, bytes, bytes | None], zone: int
) -> SentDate | None:
    hour, minute, second = (int(each or 0) for each in clock)
    if not (1 <= year <= 9999 and 1 <= month <= 12 and hour < 24 and minute < 60 and second <= 60):
        return None
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _MONTH_DAYS[month - 1] + (is_leap and month == 2):
        return None
    days = _days_before(year, month, is_leap=is_leap) + day - 1
    return SentDate(days * 86_400 + hour * 3_600 + minute * 60 + second - zone * 60, zone)


def _days_before(year: int, month: int, *, is_leap: bool) -> int:
    """Days from 1970-01-01 to the first of a month."""
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 - 719_162
    return days + sum(_MONTH_DAYS[: month - 1]) + (is_leap and month > 2)
