"""SMTP replies as values: good or bad is derived from the code, never stated twice."""

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Reply:
    """What an SMTP or LMTP peer is told.

    code: 200 to 599, no 1xx.
    enhanced: RFC 3463 code (`5.1.1`) or "" where none belongs (greeting, EHLO, 354); its
        class digit always equals that of code.
    lines: one or more lines of printable text without CR or LF; never exception text.
    """

    code: int
    enhanced: str
    lines: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.enhanced and self.enhanced[0] != str(self.code)[0]:
            raise ValueError(f"reply {self.code} cannot carry {self.enhanced}")

    @property
    def is_positive(self) -> bool:
        """2xx or 3xx."""
        return self.code < 400

    def octets(self) -> bytes:
        """The whole reply as it goes to the wire, in UTF-8, ready for one write.

        The enhanced code stands on every line (RFC 2034 §4).
        """
        return _octets(self)


@lru_cache(maxsize=512)
def _octets(reply: Reply) -> bytes:
    prefix = f"{reply.enhanced} " if reply.enhanced else ""
    last = len(reply.lines) - 1
    return "".join(
        f"{reply.code}{'-' if number < last else ' '}{prefix}{line}\r\n"
        for number, line in enumerate(reply.lines)
    ).encode("utf-8", "replace")


def reply(code: int, enhanced: str, *lines: str) -> Reply:
    """Make a Reply from its parts."""
    return Reply(code, enhanced, lines)
