"""Read the mail content: DATA with dot-transparency, BDAT by count.

Both readers take octets as they come and give content octets back exactly as sent,
CRLF line ends included: nothing is repaired, because DKIM hashes what the sender
signed.  A CR or LF standing alone ends the transaction with BARE_NEWLINE
(RFC 5321 §2.3.8); mending it would let a second message hide behind the first.

Limits count octets of content, dots already removed.  Past a limit, or after the first
forbidden octet, a reader keeps swallowing, gives nothing more, and reports the problem at
the end mark, where the client waits for a reply.  Once it has swallowed swallow_octets in
all it is overfull: the end will not be waited for.

Work is a few passes of memchr over each block, never a step a line.
"""

import enum
from typing import Final

END_MARK: Final = b"\r\n.\r\n"
_STUFFED: Final = b"\r\n."
_MARK_BEGINNINGS: Final = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")


class Problem(enum.Enum):
    """Why content is refused; the first one found counts."""

    BARE_NEWLINE = "a CR or LF stands alone"
    NUL_OCTET = "a NUL octet"
    TOO_LARGE = "larger than the limit"
    LINE_TOO_LONG = "a line longer than the limit"


class ContentRules:
    """Check content octets against the rules, over all pieces of one transaction."""

    __slots__ = ("_after_cr", "_line_octets", "_line_so_far", "_message_octets", "problem", "taken")

    def __init__(self, message_octets: int, line_octets: int) -> None:
        """taken counts all octets given, also past a problem; problem is the first found."""
        self._message_octets = message_octets
        self._line_octets = line_octets
        self._line_so_far = 0
        self._after_cr = False
        self.taken = 0
        self.problem: Problem | None = None

    def take(self, octets: bytes) -> bytes:
        """Return octets when all is well so far, else nothing."""
        if not octets:
            return b""
        self.taken += len(octets)
        if self.problem is None:
            self.problem = self._find(octets)
        return octets if self.problem is None else b""

    def finish(self) -> Problem | None:
        """The content is complete: the problem found, if any."""
        if self.problem is None and self._after_cr:
            self.problem = Problem.BARE_NEWLINE
        return self.problem

    def _find(self, octets: bytes) -> Problem | None:
        if self.taken > self._message_octets:
            return Problem.TOO_LARGE
        if b"\0" in octets:
            return Problem.NUL_OCTET
        pairs = octets.count(b"\r\n")
        crs = octets.count(b"\r")
        lfs = octets.count(b"\n")
        # A pair cut in two by the end of a block: its halves count for this and the last.
        if self._after_cr:
            if octets[0] != 0x0A:
                return Problem.BARE_NEWLINE
            lfs -= 1
        self._after_cr = octets[-1] == 0x0D
        if self._after_cr:
            crs -= 1
        if crs != pairs or lfs != pairs:
            return Problem.BARE_NEWLINE
        return self._find_long_line(octets)

    def _find_long_line(self, octets: bytes) -> Problem | None:
        first = octets.find(b"\n")
        if first < 0:
            self._line_so_far += len(octets)
            return Problem.LINE_TOO_LONG if self._line_so_far > self._line_octets else None
        longest = self._line_so_far + first + 1
        self._line_so_far = len(octets) - octets.rfind(b"\n") - 1
        # Lines that lie whole inside the block are only looked at where one could be long.
        if len(octets) > self._line_octets:
            longest = max(longest, *(len(line) for line in octets.split(b"\n")))
        longest = max(longest, self._line_so_far)
        return Problem.LINE_TOO_LONG if longest > self._line_octets else None


class DataReader:
    """Content after DATA: up to `CRLF . CRLF`, leading dots removed (RFC 5321 §4.5.2).

    rest: once ended, the octets that came behind the end mark.
    """

    __slots__ = ("_carry", "_rules", "_virtual", "ended", "rest")

    def __init__(self, rules: ContentRules) -> None:
        self._rules = rules
        # The line before the content ended in CRLF, so a dot may come first: as if the
        # stream began with that CRLF, which is not content (_virtual octets of it left).
        self._carry = b"\r\n"
        self._virtual = 2
        self.ended = False
        self.rest = b""

    def take(self, octets: bytes) -> bytes:
        """Take more octets; return the content that they complete."""
        stream = self._carry + octets
        end = stream.find(END_MARK)
        if end >= 0:
            self.ended = True
            self.rest = stream[end + len(END_MARK) :]
            stream = stream[: end + 2]
            self._carry = b""
        else:
            self._carry = b""
            for beginning in _MARK_BEGINNINGS:
                if stream.endswith(beginning):
                    self._carry = beginning
                    stream = stream[: -len(beginning)]
                    break
        if self._virtual and stream:
            plain = stream.replace(_STUFFED, b"\r\n")[2:]
            self._virtual = 0
        else:
            plain = stream.replace(_STUFFED, b"\r\n")
        return self._rules.take(plain)


class ChunkReader:
    """Content after one BDAT: as many octets as it said (RFC 3030 §2)."""

    __slots__ = ("_left", "_rules", "ended", "rest")

    def __init__(self, rules: ContentRules, size: int) -> None:
        self._rules = rules
        self._left = size
        self.ended = size == 0
        self.rest = b""

    def take(self, octets: bytes) -> bytes:
        """Take more octets; return the content that they complete."""
        piece = octets[: self._left]
        self._left -= len(piece)
        if self._left == 0:
            self.ended = True
            self.rest = octets[len(piece) :]
        return self._rules.take(piece)
