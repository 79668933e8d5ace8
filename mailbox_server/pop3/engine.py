"""Lines out of what a POP3 client sends, in bounded memory; sans-IO.

A line ends with CRLF; a bare LF ends one as well, for people with netcat, since nothing a
client sends is data in which it could hide a second command.  A line is looked at only when
it is asked for, so that the session decides whether it is a command or a SASL response, and
what stands behind STLS is never looked at.

States: reading a line, or swallowing one that is too long until its end.
"""

from dataclasses import dataclass, field

from mailbox_server.pop3.grammar import Command, Malformed, parse_command


@dataclass(frozen=True, slots=True)
class Response:
    """One line of a SASL exchange, still base 64."""

    line: bytes = field(repr=False)


class Engine:
    """Takes octets as they come and gives lines on demand; never raises on peer input.

    Keeps what was received and not asked for: the caller stops reading from the peer while
    `pending` is above its limit.  An unfinished line never takes more than line_octets.
    """

    def __init__(self, line_octets: int) -> None:
        self._line_octets = line_octets
        self._octets = bytearray()
        self._scanned = 0
        self._is_swallowing = False

    @property
    def pending(self) -> int:
        """Octets received and not yet given out."""
        return len(self._octets)

    def receive(self, octets: bytes) -> None:
        """Take what the peer sent."""
        if self._is_swallowing and not self._octets:
            end = octets.find(b"\n")
            if end < 0:
                return
            # The end stays, so that the too long line is answered once, in its turn.
            octets = octets[end:]
        self._octets += octets

    def next_command(self) -> Command | None:
        """The next command; None until more is received."""
        line = self._next_line()
        if line is None or isinstance(line, Malformed):
            return line
        return parse_command(line)

    def next_response(self) -> Response | Malformed | None:
        """The next line as a SASL response; None until more is received."""
        line = self._next_line()
        if line is None or isinstance(line, Malformed):
            return line
        return Response(line)

    def forget(self) -> int:
        """Drop what is pending, a line being swallowed included; return how many octets."""
        dropped = len(self._octets) + self._is_swallowing
        self._octets.clear()
        self._scanned = 0
        self._is_swallowing = False
        return dropped

    def _next_line(self) -> bytes | Malformed | None:
        end = self._octets.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._octets)
            # One octet more than the limit may be the CR of the line end.
            if self._is_swallowing or len(self._octets) > self._line_octets + 1:
                self._is_swallowing = True
                self._octets.clear()
                self._scanned = 0
            return None
        line = bytes(self._octets[:end]).removesuffix(b"\r")
        del self._octets[: end + 1]
        self._scanned = 0
        if self._is_swallowing or len(line) > self._line_octets:
            self._is_swallowing = False
            return Malformed("the line is too long")
        return line
