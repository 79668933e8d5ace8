"""Read the first address of a field, or the date, back out of a stored ENVELOPE.

RFC 9051 §7.5.2; envelopes are as mime.envelope writes them.
"""

import enum
import re
from typing import NamedTuple

_TOKEN = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"|\{([0-9]+)\}\r\n|(NIL)|([()])', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


class AddressField(enum.Enum):
    """A field with addresses; the value is its place in an ENVELOPE, from 0."""

    FROM = 2
    TO = 5
    CC = 6


class FirstAddress(NamedTuple):
    """An address as ENVELOPE has it: raw octets, None for NIL."""

    name: bytes | None
    mailbox: bytes | None
    host: bytes | None


def first_address(envelope: bytes, field: AddressField) -> FirstAddress | None:
    """The first address of the field; None where there is none."""
    place, depth, at = -1, 0, 0
    found: list[bytes | None] = []
    while (token := _TOKEN.search(envelope, at)) is not None:
        at = token.end()
        bracket = token[4]
        if bracket == b"(":
            depth += 1
            if depth == 2:
                place += 1
            continue
        if bracket == b")":
            depth -= 1
            if found and depth < 3:
                break
            continue
        value = _value(envelope, token)
        if token[2] is not None:
            at += int(token[2])
        if depth == 1:
            place += 1
        elif depth == 3 and place == field.value:
            found.append(value)
        if place > field.value:
            return None
    if len(found) != 4:
        return None
    return FirstAddress(found[0], found[2], found[3])


def written_date(envelope: bytes) -> bytes | None:
    """The value of the Date field; None where there is none."""
    token = _TOKEN.match(envelope, 1)
    return None if token is None else _value(envelope, token)


def _value(envelope: bytes, token: re.Match[bytes]) -> bytes | None:
    """What stands for a token; of a literal what follows it."""
    if token[2] is not None:
        return envelope[token.end() : token.end() + int(token[2])]
    return None if token[1] is None else _ESCAPED.sub(rb"\1", token[1])
