"""Dates of SEARCH and APPEND, read (RFC 9051 §9 date, date-time)."""

import re
from datetime import UTC, date, datetime
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.model.message import InternalDate

_MONTH_KEYS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip

_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME = re.compile(
    rb'" ?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}) '
    rb'([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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


def _month(name: bytes) -> int:
    return _MONTH_KEYS.index(name.decode("ascii").lower()) + 1
