"""Make a message the body of a multi-line response: dots doubled, the end marked (RFC 1939 §3).

The octets stay as they are stored, at any chunk size; only a message that does not end with
CRLF gets one, without which its end could not be told.

A dot is doubled after every LF, not only after CRLF.  Bare LF comes only from APPEND; most
clients read by LF, and to them `LF . CRLF` inside a message would be its end and the rest of
it a reply.  A client that knows only CRLF sees one dot too many there.
"""

from typing import Final

ENDING: Final = b"\r\n"
"""What a message gets that does not end with it."""


class Stuffing:
    """One message; feed its octets in order, then finish."""

    def __init__(self) -> None:
        self._last = b"\r\n"

    def feed(self, octets: bytes) -> bytes:
        """The next octets as they go out."""
        if not octets:
            return b""
        # Looking costs half of replacing nothing.
        stuffed = octets.replace(b"\n.", b"\n..") if b"\n." in octets else octets
        if octets[0] == 0x2E and self._last.endswith(b"\n"):
            stuffed = b"." + stuffed
        self._last = (self._last + octets[-2:])[-2:]
        return stuffed

    def finish(self) -> bytes:
        """What ends the response."""
        return b".\r\n" if self._last == ENDING else ENDING + b".\r\n"
