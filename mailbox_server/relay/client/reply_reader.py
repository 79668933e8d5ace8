"""Replies read from a server's octets: bounded, and believed no further than their first digit.

What is no reply at all becomes one Garbled, after which nothing more is read: a stream that
was misread once cannot be trusted to be in step.  Lines may end in LF alone.

An enhanced code counts only where its class is that of the code; else it stays in the text,
which people may read.  Control characters are shown as spaces.
"""

import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.reply import Reply

REPLY_OCTETS: Final = 64 * 1024
REPLY_LINES: Final = 100

_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.DOTALL)
_ENHANCED: Final = re.compile(r"([245])\.(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2})(?= |\Z)")


@dataclass(frozen=True, slots=True)
class Garbled:
    """What came is no SMTP reply; detail says how, in our words."""

    detail: str


class ReplyReader:
    """One server's octets, cut into replies; the same however they arrive.

    Keeps at most REPLY_OCTETS of a reply that is not complete, and what was fed after it.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # octets of the buffer known to hold no LF
        self._octets = 0  # of the reply so far, without its unfinished line
        self._code = 0
        self._lines: list[str] = []
        self._is_broken = False

    @property
    def has_begun(self) -> bool:
        """Whether octets are here that no reply was made of."""
        return bool(self._buffer or self._lines)

    def feed(self, octets: bytes) -> None:
        """Keep what the server sent."""
        if not self._is_broken:
            self._buffer += octets

    def forget(self) -> int:
        """Drop what no reply was made of; return how many octets of whole lines and parts."""
        dropped = len(self._buffer) + self._octets
        self._buffer.clear()
        self._scanned = self._octets = self._code = 0
        self._lines = []
        return dropped

    def next_reply(self) -> Reply | Garbled | None:
        """The next complete reply; None when more octets are needed."""
        buffer = self._buffer
        while buffer:
            end = buffer.find(b"\n", self._scanned)
            octets = self._octets + (len(buffer) if end < 0 else end + 1)
            if octets > REPLY_OCTETS:
                return self._broken("a reply is longer than 64 KiB")
            if end < 0:
                self._scanned = len(buffer)
                return None
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            self._scanned = 0
            self._octets = octets
            found = self._take(line[:-1] if line.endswith(b"\r") else line)
            if found is not None:
                return found
        return None

    def _take(self, line: bytes) -> Reply | Garbled | None:
        match = _LINE.match(line)
        if match is None:
            return self._broken("a line begins with no reply code")
        code, separator, text = match.groups()
        if self._lines and int(code) != self._code:
            return self._broken("the lines of a reply have different codes")
        if len(self._lines) == REPLY_LINES:
            return self._broken("a reply has more than 100 lines")
        self._code = int(code)
        self._lines.append(_shown(text or b""))
        return None if separator == b"-" else self._complete()

    def _complete(self) -> Reply:
        lines, code = self._lines, self._code
        self._lines = []
        self._octets = self._code = 0
        enhanced = ""
        found = _ENHANCED.match(lines[0])
        if found is not None and found[1] == str(code)[0]:
            enhanced = found[0]
            lines = [_without(line, enhanced) for line in lines]
        return Reply(code, enhanced, tuple(lines))

    def _broken(self, detail: str) -> Garbled:
        self._is_broken = True
        self.forget()
        return Garbled(detail)


def _shown(text: bytes) -> str:
    shown = text.decode("utf-8", "replace")
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else " " for c in shown)


def _without(line: str, enhanced: str) -> str:
    """The text after the enhanced code, which stands on every line (RFC 2034 §4) or the first."""
    if line == enhanced:
        return ""
    return line[len(enhanced) + 1 :] if line.startswith(enhanced + " ") else line
