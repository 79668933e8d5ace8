"""Read the Date field, also in the forms that old and careless senders use (RFC 5322 §3.3,
§4.3).

Comments and the day of the week are passed over; a zone that is missing or unknown is UTC, and
a time that is missing or makes no sense is 00:00:00 (RFC 5256 §2.2).  Nothing raises: a date
that makes no sense is None.
"""

import re
from datetime import date
from functools import lru_cache
from types import MappingProxyType

import msgspec

VALUE_OCTETS = 256

_EPOCH_DAY = date(1970, 1, 1).toordinal()

_COMMENT = re.compile(rb"\([^()]*\)")
_USUAL = re.compile(
    rb"(?:[a-z]+\s*,?\s*)?([0-9]{1,2})[\s-]*([a-z]{3})[a-z]*\.?[\s,-]*([0-9]{2,4})[\s,]+"
    rb"([0-9]{1,2})(?:\s*:\s*|\.)([0-9]{1,2})(?:(?:\s*:\s*|\.)([0-9]{1,2})(?:\.[0-9]+)?)?\s*"
    rb"(?:(?:gmt|utc?)?\s*([+-])([0-9]{2}):?([0-9]{2})|([a-z]{1,5}))?",
    re.I,
)
_NO_TIME = re.compile(
    rb"(?:[a-z]+\s*,?\s*)?([0-9]{1,2})[\s-]*([a-z]{3})[a-z]*\.?[\s,-]*([0-9]{2,4})(?![0-9:.])", re.I
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
_MONTHS = MappingProxyType(
    {
        b"jan": 1, b"feb": 2, b"mar": 3, b"apr": 4, b"may": 5, b"jun": 6,
        b"jul": 7, b"aug": 8, b"sep": 9, b"oct": 10, b"nov": 11, b"dec": 12,
    }
)  # fmt: skip
_ZONE_HOURS = MappingProxyType(
    {b"edt": -4, b"est": -5, b"cdt": -5, b"cst": -6, b"mdt": -6, b"mst": -7, b"pdt": -7, b"pst": -8}
)
"""The zone names that RFC 5322 §4.3 gives a meaning; all others mean nothing certain."""


class SentDate(msgspec.Struct, frozen=True):
    """When a message says that it was sent.

    epoch_seconds: UTC since 1970, of the years 1 to 9999.
    zone_minutes: what the sender's clock was ahead of UTC.
    """

    epoch_seconds: int
    zone_minutes: int

    @property
    def day(self) -> int:
        """From 1970, as it is written: what SENTON and the like compare (RFC 9051 §6.4.4)."""
        return (self.epoch_seconds + 60 * self.zone_minutes) // 86_400


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
        day, month, year, hour, minute, second, sign, ahead, minutes, name = usual.groups()
        zone = _zone(sign, ahead, minutes, name)
        return _date(_day_named(day, month, year), hour, minute, second, zone)
    asctime = _ASCTIME.match(text)
    if asctime is not None:
        month, day, hour, minute, second, name, year, sign, ahead, minutes = asctime.groups()
        zone = _zone(sign, ahead, minutes, name)
        return _date(_day_named(day, month, year), hour, minute, second, zone)
    iso = _ISO.match(text)
    if iso is not None:
        year, month, day, hour, minute, second, sign, ahead, minutes = iso.groups()
        zone = _zone(sign, ahead, minutes, None)
        return _date(_day(int(year), int(month), int(day)), hour, minute, second, zone)
    no_time = _NO_TIME.match(text)
    if no_time is not None:
        return _date(_day_named(*no_time.groups()), b"0", b"0", None, 0)
    return None


@lru_cache(maxsize=64)
def _day_named(day: bytes, month: bytes, year: bytes) -> int | None:
    """Days since 1970; remembered, because most mail is of these days."""
    return _day(_year(year), _MONTHS.get(month.lower(), 0), int(day))


def _day(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None


def _year(digits: bytes) -> int:
    """Two and three digits as RFC 5322 §4.3 reads them."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


@lru_cache(maxsize=64)
def _zone(
    sign: bytes | None, hours: bytes | None, minutes: bytes | None, name: bytes | None
) -> int:
    """Minutes ahead of UTC from sign, hours and minutes, or else from a name."""
    if sign is None or hours is None or minutes is None:
        return 0 if name is None else _ZONE_HOURS.get(name.lower(), 0) * 60
    ahead = int(hours) * 60 + int(minutes)
    return 0 if ahead >= 24 * 60 else (-ahead if sign == b"-" else ahead)


def _date(
    day: int | None, hour: bytes, minute: bytes, second: bytes | None, zone: int
) -> SentDate | None:
    """The moment; None if there is no such day.  A leap second is one second later."""
    if day is None:
        return None
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours >= 24 or minutes >= 60 or seconds > 60:
        hours = minutes = seconds = 0
    return SentDate(day * 86_400 + hours * 3_600 + minutes * 60 + seconds - zone * 60, zone)
