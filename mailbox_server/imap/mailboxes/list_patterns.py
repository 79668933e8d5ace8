"""LIST patterns: `*` matches anything, `%` anything but the separator (RFC 9051 §6.3.9).

All ways of matching are followed at once, as bits of one number, so that `*a*a*a*a` costs
no more than plain text: one step an octet of the name.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsTooMany
from mailbox_server.model.mailbox import INBOX, SEPARATOR, capitals

PATTERN_CHARACTERS: Final = 1_000
STEPS_MOST: Final = 10_000_000


class ListPattern:
    """One pattern, ready to be asked about many names in stored form.

    The first level INBOX matches in any case.  beginning: of all names that match.
    """

    def __init__(self, pattern: str) -> None:
        """pattern: reference and pattern joined, at most PATTERN_CHARACTERS."""
        first = pattern[: len(INBOX)]
        below = pattern[len(INBOX) : len(INBOX) + 1]
        if capitals(first) == INBOX and below in ("", SEPARATOR, "*", "%"):
            pattern = INBOX + pattern[len(INBOX) :]
        self._steps = _Steps(pattern)
        self._inbox = _Steps(capitals(pattern))
        # What matches everything takes no steps: LIST "" * is never refused.
        self.width = 0 if pattern == "*" else 1 + len(pattern) // 64
        self.ends_with_percent = pattern.endswith("%")
        self.beginning = self._steps.prefix
        if self._inbox.match(INBOX):
            self.beginning = _common([self.beginning, INBOX])

    def matches(self, name: str) -> bool:
        """Whether the whole name matches."""
        return self._steps.match(name) or (name == INBOX and self._inbox.match(name))


def beginning_of(patterns: Sequence[ListPattern]) -> str:
    """What all names that match any of them begin with, and so all that lies below these."""
    return _common([pattern.beginning for pattern in patterns])


def _common(names: Sequence[str]) -> str:
    """The longest beginning that all have: the first and the last of them in order do.

    Of no names it is "": a client may name no pattern at all.
    """
    first, last = min(names, default=""), max(names, default="")
    differs = (at for at, both in enumerate(zip(first, last, strict=False)) if both[0] != both[1])
    return first[: next(differs, len(first))]


class Matching:
    """The patterns of one command, and how many steps it may still take.

    A step is a character of a name against 64 or fewer characters of a pattern.  Raises
    ArgumentsTooMany when STEPS_MOST would be passed.  Blocks: call it on a reader thread.
    """

    def __init__(self, patterns: Sequence[ListPattern], steps: int = STEPS_MOST) -> None:
        """patterns: one is enough for a name to match."""
        self._patterns = patterns
        self._left = steps

    def matches(self, name: str) -> bool:
        """Whether the whole name matches any of them."""
        for pattern in self._patterns:
            self._left -= len(name) * pattern.width
            if self._left < 0:
                raise ArgumentsTooMany("The patterns take too long")
            if pattern.matches(name):
                return True
        return False


class _Steps:
    """A pattern as bits: bit i stands for "the first i tokens have matched"."""

    def __init__(self, pattern: str) -> None:
        tokens = _collapsed(pattern)
        self._stars = self._percents = 0
        self._plain: dict[str, int] = {}
        for index, token in enumerate(tokens):
            bit = 1 << index
            if token == "*":
                self._stars |= bit
            elif token == "%":
                self._percents |= bit
            else:
                self._plain[token] = self._plain.get(token, 0) | bit
        self._all = 1 << len(tokens)
        self.prefix = "".join(takewhile(lambda token: token not in "*%", tokens))
        self._is_rest_free = tokens[len(self.prefix) :] == ["*"]

    def match(self, name: str) -> bool:
        if not name.startswith(self.prefix):
            return False
        if self._is_rest_free:
            return True
        wild = self._stars | self._percents
        active = 1 << len(self.prefix)
        active |= (active & wild) << 1
        for character in name[len(self.prefix) :]:
            kept = active & (self._stars if character == SEPARATOR else wild)
            active = kept | (active & self._plain.get(character, 0)) << 1
            if not active:
                return False
            active |= (active & wild) << 1
        return bool(active & self._all)


def _collapsed(pattern: str) -> list[str]:
    """The pattern's tokens, no two wildcards side by side: `*%` means `*`."""
    tokens: list[str] = []
    for character in pattern:
        if character in "*%" and tokens and tokens[-1] in "*%":
            if character == "*":
                tokens[-1] = "*"
        else:
            tokens.append(character)
    return tokens
