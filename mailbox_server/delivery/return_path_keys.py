"""The keys of return paths that we sign: one a season and purpose, from the installation's secret.

Nothing is stored: the same secret gives the same keys after a restart, and a season later
they are others.  What was signed under the season before still counts; no return path is
valid for longer than that.  An installation that loses its secret loses the answers to what
it has sent, nothing else.
"""

import base64
import hmac
from datetime import datetime, timedelta
from typing import Final

SEASON: Final = timedelta(days=90)
DAYS: Final = 1_024
"""Day stamps count so many days and begin anew, which two digits of base 32 hold."""

_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz234567"


class ReturnPathKeys:
    """The keys of one purpose, newest first."""

    __slots__ = ("_purpose", "_secret")

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._secret = secret
        self._purpose = purpose

    def at(self, now: datetime) -> tuple[bytes, bytes]:
        """What is signed under now, and what was signed under before."""
        season = int(now.timestamp() // SEASON.total_seconds())
        return self._key(season), self._key(season - 1)

    def _key(self, season: int) -> bytes:
        return hmac.digest(self._secret, f"{self._purpose} {season}".encode(), "sha256")


def keyed_digest(key: bytes, text: str, digits: int) -> str:
    """The first digits of a keyed digest in base 32; case does not matter in text."""
    octets = hmac.digest(key, text.lower().encode("utf-8", "surrogatepass"), "sha256")
    return base64.b32encode(octets)[:digits].decode("ascii").lower()


def is_signed(keys: tuple[bytes, ...], text: str, digest: str) -> bool:
    """Whether the digest was made under one of the keys."""
    given = digest.lower().encode("utf-8", "surrogatepass")
    made = [keyed_digest(key, text, len(digest)).encode("ascii") for key in keys]
    return any(hmac.compare_digest(one, given) for one in made)


def day_stamp(now: datetime) -> str:
    """Two digits that tell the day."""
    day = _day(now)
    return _DIGITS[day >> 5] + _DIGITS[day & 31]


def days_since(stamp: str, now: datetime) -> int:
    """How many days ago a stamp of two digits was made, 0 to DAYS - 2; -1 is tomorrow.

    Tomorrow is what a clock that was a little ahead has written.
    """
    high, low = (_DIGITS.index(digit) for digit in stamp.lower())
    return (_day(now) - (high << 5 | low) + 1) % DAYS - 1


def _day(now: datetime) -> int:
    return int(now.timestamp() // 86_400) % DAYS
