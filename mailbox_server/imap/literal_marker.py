"""What announces a literal at the end of a line: `{5}`, or `{5+}` where nobody waits (RFC 7888)."""

import re
from typing import Final

MARKER_OCTETS: Final = 64
"""A longer one announces nothing."""

_MARKER = re.compile(rb"\{([0-9]+)(\+?)\}\Z")
_URL = re.compile(rb"(?i)[( ]URL +\{[0-9]+\+?\}\Z")


def marker_of(line: bytes) -> re.Match[bytes] | None:
    """What announces a literal at the end of a line, if something does; group 2 is its `+`."""
    if not line.endswith(b"}"):
        return None
    return _MARKER.search(line, max(0, len(line) - MARKER_OCTETS))


def ends_with_url(text: bytes) -> bool:
    """Whether the literal at the end of text is a URL of CATENATE (RFC 4469 §5)."""
    return _URL.search(text, max(0, len(text) - MARKER_OCTETS)) is not None


def size_of(marker: re.Match[bytes]) -> int:
    """The announced size; a marker is short enough for all its digits to be read."""
    return int(marker.group(1))
