"""Content as it goes over the wire: whole lines that end in CR LF, dots doubled for DATA.

A CR or LF that stands alone is made a line end: some receiver takes one before a dot for the
end of the message, and what follows for a message of its own.  (What comes in by SMTP has
none; what is appended by IMAP may.)
"""

import re
from typing import Final

END_MARK: Final = b".\r\n"
_BARE: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class ContentForm:
    """The content of one message, piece by piece; dots: whether it goes by DATA."""

    def __init__(self, *, dots: bool) -> None:
        self._dots = dots
        self._held = b""  # a CR at the end of the last piece
        self._at_line_start = True

    def feed(self, octets: bytes) -> bytes:
        """As much as can be sent of what was fed."""
        if self._held:
            octets = self._held + octets
            self._held = b""
        if octets.endswith(b"\r"):
            self._held = b"\r"
            octets = octets[:-1]
        return self._formed(octets)

    def finish(self) -> bytes:
        """What is left, so that the content ends in a line end; without the end mark."""
        rest = self._formed(self._held + b"\n") if self._held else b""
        self._held = b""
        return rest if self._at_line_start else rest + b"\r\n"

    def _formed(self, octets: bytes) -> bytes:
        if not octets:
            return b""
        line_ends = octets.count(b"\r\n")
        if octets.count(b"\n") != line_ends or octets.count(b"\r") != line_ends:
            octets = _BARE.sub(b"\r\n", octets)
        starts = self._at_line_start
        self._at_line_start = octets.endswith(b"\n")
        if not self._dots:
            return octets
        stuffed = octets.replace(b"\n.", b"\n..") if b"\n." in octets else octets
        return b"." + stuffed if starts and octets.startswith(b".") else stuffed
