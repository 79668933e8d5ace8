"""Patterns for expected lines: `*` matches anything, `$name` binds or recalls."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# Lower case only: IMAP's own keywords ($Forwarded, $Junk) stand for themselves.
NAME: Final = re.compile(r"\$([a-z][a-z0-9_]*)")
SPECIAL: Final = re.compile(r"\*|" + NAME.pattern)


class NameUnbound(Exception):
    """A line to send uses a $name that no expected line has bound."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What one line, without its CRLF, must look like.

    exact: octets that must be equal; when it is None, text is a pattern: `*` stands for
        any octets, also none; `$name` for one or more octets other than space, the same
        ones wherever the name comes again.  A `*` before a space at the very beginning
        is IMAP's untagged mark and stands for itself.
    """

    text: str
    exact: bytes | None = None

    def match(self, line: bytes, bound: Mapping[str, bytes]) -> dict[str, bytes] | None:
        """Return the names this line binds, or None when it does not match."""
        if self.exact is not None:
            return {} if line == self.exact else None
        found = re.fullmatch(self._expression(bound), line, re.DOTALL)
        return None if found is None else found.groupdict()

    def _expression(self, bound: Mapping[str, bytes]) -> bytes:
        text, parts = self.text, []
        if text.startswith("* "):
            text, parts = text[2:], [rb"\* "]
        seen: set[str] = set()
        at = 0
        for special in SPECIAL.finditer(text):
            parts.append(re.escape(text[at : special.start()].encode()))
            at = special.end()
            name = special[1]
            if name is None:
                parts.append(b".*")
            elif name in bound:
                parts.append(re.escape(bound[name]))
            elif name in seen:
                parts.append(b"(?P=%s)" % name.encode())
            else:
                seen.add(name)
                parts.append(b"(?P<%s>[^ ]+?)" % name.encode())
        parts.append(re.escape(text[at:].encode()))
        return b"".join(parts)


def fill(text: str, bound: Mapping[str, bytes]) -> bytes:
    """Put bound names into a line to send; raises NameUnbound."""
    parts, at = [], 0
    for name in NAME.finditer(text):
        parts.append(text[at : name.start()].encode())
        at = name.end()
        if name[1] not in bound:
            raise NameUnbound(name[0])
        parts.append(bound[name[1]])
    parts.append(text[at:].encode())
    return b"".join(parts)
