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


class Problem(enum.IntEnum):
    """Why content is refused; the greatest one found counts, however the octets were cut."""

    LINE_TOO_LONG = 1
    BARE_NEWLINE = 2
    NUL_OCTET = 3
    TOO_LARGE = 4


class ContentRules:
    """Check content octets against the rules, over all pieces of one transaction."""

    __slots__ = ("_after_cr", "_line_octets", "_line_so_far", "_message_octets", "problem", "taken")

    def __init__(self, message_octets: int, line_octets: int) -> None:
        """taken counts all octets given, also past a problem; problem is the greatest found."""
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
        if self.taken > self._message_octets:
            self.problem = Problem.TOO_LARGE
        if self.problem is not Problem.TOO_LARGE:
            self._look(octets)
        return octets if self.problem is None else b""

    def finish(self) -> Problem | None:
        """The problem of the content if it is complete here; more may come nevertheless."""
        if not self._after_cr:
            return self.problem
        return max(self.problem or Problem.BARE_NEWLINE, Problem.BARE_NEWLINE)

    def _found(self, problem: Problem) -> None:
        self.problem = problem if self.problem is None else max(self.problem, problem)

    def _look(self, octets: bytes) -> None:
        if b"\0" in octets:
            self._found(Problem.NUL_OCTET)
        if self._has_bare_newline(octets):
            self._found(Problem.BARE_NEWLINE)
        if self._has_long_line(octets):
            self._found(Problem.LINE_TOO_LONG)

    def _has_bare_newline(self, octets: bytes) -> bool:
        # A pair cut in two by the end of a block: neither half is bare.
        cut = self._after_cr
        if cut and octets[0] == 0x0A:
            octets = octets[1:]
            cut = False
        self._after_cr = octets.endswith(b"\r")
        if self._after_cr:
            octets = octets[:-1]
        # Taking the pairs out and looking for what is left costs a fifth of counting.
        left = octets.replace(b"\r\n", b"")
        return cut or b"\r" in left or b"\n" in left

    def _has_long_line(self, octets: bytes) -> bool:
        first = octets.find(b"\n")
        if first < 0:
            self._line_so_far += len(octets)
            return self._line_so_far > self._line_octets
        longest = self._line_so_far + first + 1
        self._line_so_far = len(octets) - octets.rfind(b"\n") - 1
        # Lines that lie whole inside the block are only looked at where one could be long.
        if len(octets) > self._line_octets:
            longest = max(longest, *(len(line) + 1 for line in octets.split(b"\n")[:-1]))
        return max(longest, self._line_so_far) > self._line_octets


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
        # One pass for both: the end mark begins like a stuffed line.
        has_dots = _STUFFED in stream
        end = stream.find(END_MARK) if has_dots else -1
        self._carry = b""
        if end >= 0:
            self.ended = True
            self.rest = stream[end + len(END_MARK) :]
            stream = stream[: end + 2]
        else:
            for beginning in _MARK_BEGINNINGS:
                if stream.endswith(beginning):
                    self._carry = beginning
                    stream = stream[: -len(beginning)]
                    break
        plain = stream.replace(_STUFFED, b"\r\n") if has_dots else stream
        if self._virtual and stream:
            plain = plain[self._virtual :]
            self._virtual = 0
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
