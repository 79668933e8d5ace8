"""Dates of SEARCH and APPEND, read and written (RFC 9051 §9 date, date-time)."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.model.message import InternalDate

_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_MONTH_KEYS: Final = tuple(month.lower() for month in _MONTHS)

_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME = re.compile(
    rb'" ?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}) '
    rb'([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND: Final = int((datetime(1, 1, 2, tzinfo=UTC) - _EPOCH).total_seconds())
_LAST_SECOND: Final = int((datetime(9999, 12, 30, tzinfo=UTC) - _EPOCH).total_seconds())


def parse_date(lexer: Lexer) -> date:
    """Read `1-Feb-1994`, in quotes or not."""
    found = lexer.match(_DATE)
    if found is None:
        raise ArgumentsMalformed("Expected a date")
    _, day, month, year = found.groups()
    try:
        return date(int(year), _month(month), int(day))
    except ValueError as fault:
        raise ArgumentsMalformed("There is no such date") from fault


def parse_date_time(lexer: Lexer) -> InternalDate:
    """Read `"17-Jul-1996 02:44:25 -0700"`; a leap second counts as the one before it."""
    found = lexer.match(_DATE_TIME)
    if found is None:
        raise ArgumentsMalformed("Expected a date and time")
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    zone = int(zone_hours) * 60 + int(zone_minutes)
    if int(zone_minutes) > 59 or zone > 1439:
        raise ArgumentsMalformed("There is no such time zone")
    if sign == b"-":
        zone = -zone
    try:
        local = datetime(
            int(year), _month(month), int(day), int(hour), int(minute), min(int(second), 59)
            if second == b"60" else int(second), tzinfo=UTC,
        )  # fmt: skip
    except ValueError as fault:
        raise ArgumentsMalformed("There is no such date") from fault
    seconds = int((local - _EPOCH).total_seconds()) - zone * 60
    return InternalDate(seconds, zone)


def date_time(moment: InternalDate) -> bytes:
    """Write an internal date with its quotes, day padded with a space."""
    return date_times((moment.seconds,), (moment.zone_minutes,))[0]


def date_times(seconds: Sequence[int], zone_minutes: Sequence[int]) -> list[bytes]:
    """Write internal dates as date_time does, each given by its seconds and its zone."""
    if seconds and (min(seconds) < _FIRST_SECOND or max(seconds) > _LAST_SECOND):
        seconds = [min(max(moment, _FIRST_SECOND), _LAST_SECOND) for moment in seconds]
    found = []
    for moment, zone in zip(seconds, zone_minutes, strict=True):
        hours, second = divmod(moment + 60 * zone, 3_600)
        minute, second = divmod(second, 60)
        begin, end = _hour(hours, zone)
        found.append(b"%b%02d:%02d%b" % (begin, minute, second, end))
    return found


@lru_cache(maxsize=4_096)
def _hour(hours: int, zone: int) -> tuple[bytes, bytes]:
    """What stands before and behind the minute, so many local hours after 1970."""
    days, hour = divmod(hours, 24)
    zone_hours, zone_minutes = divmod(abs(zone), 60)
    return (
        b'"%b %02d:' % (_day(days), hour),
        b' %b%02d%02d"' % (b"-" if zone < 0 else b"+", zone_hours, zone_minutes),
    )


@lru_cache(maxsize=4_096)
def _day(days: int) -> bytes:
    """The day so many days after 1970-01-01; the messages of a mailbox share few."""
    day = _EPOCH.date() + timedelta(days=days)
    return f"{day.day:2d}-{_MONTHS[day.month - 1]}-{day.year:04d}".encode("ascii")


def _month(name: bytes) -> int:
    return _MONTH_KEYS.index(name.decode("ascii").lower()) + 1
