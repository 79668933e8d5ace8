"""How far the command under way has come, for clients that wait long (RFC 9585 §4)."""

import re
from typing import Final

from mailbox_server.imap.responses import ok, status_line, string

_QUOTABLE: Final = re.compile(rb"[^\]\"\\\x00-\x1f\x7f-\xff]+")


class Headway:
    """One for a session; times are of the monotonic clock, counts are of messages mostly.

    every_seconds: between two notices, and before the first.
    """

    __slots__ = ("_done", "_every_seconds", "_goal", "_tag", "_told_at")

    def __init__(self, every_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._tag = b""
        self._told_at = 0.0
        self._done = 0
        self._goal: int | None = None

    def begin(self, tag: bytes, now: float) -> None:
        """A command begins."""
        self._tag, self._told_at = tag, now
        self._done, self._goal = 0, None

    def set_out(self, goal: int | None) -> None:
        """Another part of it begins; goal: how many there are to be done, None if nobody knows."""
        self._done, self._goal = 0, goal

    def did(self, count: int) -> None:
        """So many more are done."""
        self._done += count

    def notice(self, now: float) -> bytes:
        """A line that tells it, or b"" where none is due."""
        if now - self._told_at < self._every_seconds:
            return b""
        self._told_at = now
        tag = string(self._tag) if _QUOTABLE.fullmatch(self._tag) else b"NIL"
        done = b"%d" % self._done if self._done or self._goal else b"NIL"
        # The goal is always ahead (§4): at it, more is to be done than was thought.
        goal = b"%d" % self._goal if self._goal and self._done < self._goal else b"NIL"
        return status_line(b"*", ok("Still at it", b"INPROGRESS (%b %b %b)" % (tag, done, goal)))
