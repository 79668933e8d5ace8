"""What of the original message a report carries: its header fields, or all of it (RFC 6522 §3).

All of it goes through as it lies in the store, in blocks, and never into memory whole.
"""

import enum
import re
from dataclasses import dataclass
from typing import Final

HEADER_OCTETS: Final = 64 * 1024
"""Of the header; a longer one is cut between two lines."""

_LINE: Final = re.compile(rb"\r?\n|\r")


class Returned(enum.Enum):
    """How much of the message is given back."""

    HEADER = "header"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Label:
    """The Content-Type of the part, and its Content-Transfer-Encoding."""

    media_type: str
    encoding: str


def label(returned: Returned, *, utf8: bool, eight_bit: bool) -> Label:
    """How the part is called.

    utf8: the report may hold UTF-8 in header fields (RFC 6533 §4).  eight_bit: the body of
    the message may; matters where all of it is returned.
    """
    if returned is Returned.HEADER:
        if utf8:
            return Label("message/global-headers", "8bit")
        return Label("text/rfc822-headers", "7bit")
    if utf8:
        return Label("message/global", "8bit")
    return Label("message/rfc822", "8bit" if eight_bit else "7bit")


def header_block(beginning: bytes, *, utf8: bool) -> bytes:
    """The header of the message that begins so, with CRLF and without its blank line.

    Without utf8 octets beyond ASCII become question marks, so that the part is what its
    label says.
    """
    lines: list[bytes] = []
    size = 0
    for line in _LINE.split(beginning[: HEADER_OCTETS + 1].replace(b"\0", b"")):
        size += len(line) + 2
        if not line or size > HEADER_OCTETS:
            break
        lines.append(line)
    block = b"".join(line + b"\r\n" for line in lines)
    if utf8:
        return block.decode("utf-8", "replace").encode("utf-8")
    return block.decode("ascii", "replace").replace("\ufffd", "?").encode("ascii")
