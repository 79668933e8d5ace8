"""LIST patterns: `*` matches anything, `%` anything but the separator (RFC 9051 §6.3.9).

All ways of matching are followed at once, as bits of one number, so that `*a*a*a*a` costs
no more than plain text: one step an octet of the name.
"""

from typing import Final

from mailbox_server.model.mailbox import INBOX, SEPARATOR

PATTERN_CHARACTERS: Final = 1_000


class ListPattern:
    """One pattern, ready to be asked about many names in stored form.

    The first level INBOX matches in any case.
    """

    def __init__(self, pattern: str) -> None:
        """pattern: reference and pattern joined, at most PATTERN_CHARACTERS."""
        first = pattern[: len(INBOX)]
        below = pattern[len(INBOX) : len(INBOX) + 1]
        if first.upper() == INBOX and below in ("", SEPARATOR, "*", "%"):
            pattern = INBOX + pattern[len(INBOX) :]
        self._steps = _Steps(pattern)
        self._inbox = _Steps(pattern.upper())
        self.ends_with_percent = pattern.endswith("%")

    def matches(self, name: str) -> bool:
        """Whether the whole name matches."""
        return self._steps.match(name) or (name == INBOX and self._inbox.match(name))


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

    def match(self, name: str) -> bool:
        wild = self._stars | self._percents
        active = 1 | (1 & wild) << 1
        for character in name:
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
