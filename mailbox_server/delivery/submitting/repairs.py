"""Mend the header of what our own people send (RFC 6409 §8), and nothing else of it.

Put in where they are missing: From, Date, Message-ID, and our domain behind bare local parts
in address fields.  Taken out: Bcc, which would tell what it hides; Return-Path, which is ours
to write; a mailbox's `From ` line before the header.  A message without any header gets one.
Every other octet stays as it came, in its order, for the sender may have signed it.

Work is linear in the block.  More fields than MOST_FIELDS are refused: what is not looked at
might be a Bcc.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from itertools import islice
from typing import Final

from mailbox_server.mime.header_fields import FIELDS, split_fields
from mailbox_server.model.address import Address, Domain

MOST_FIELDS: Final = FIELDS - 10
"""Fewer than are looked at of one header by far more than are put in."""
MOST_BARE: Final = 10_000
"""Local parts in one field that get our domain: a header grows by no more than that."""
ADDRESS_FIELDS: Final = frozenset(
    (
        b"from",
        b"sender",
        b"reply-to",
        b"to",
        b"cc",
        b"resent-from",
        b"resent-sender",
        b"resent-to",
        b"resent-cc",
    )
)
_TAKEN_OUT: Final = frozenset((b"bcc", b"resent-bcc", b"return-path"))
_ONCE_FILLED: Final = frozenset((b"from", b"date", b"message-id"))
"""Fields that count as missing where they are empty."""
_TOKEN: Final = re.compile(
    rb'(?P<space>[ \t\r\n]++)|(?P<word>[^\0- "(),:;<>@\[\\]++)'
    rb'|(?P<quoted>"(?:[^"\\]++|\\.)*+(?P<closed>")?)'
    rb"|(?P<literal>\[[^\]]*+\]?)|(?P<mark>[(),:;<>@])|(?P<other>.)",
    re.S,
)
_WHOLE: Final = re.compile(
    rb'[!-9;-~]++:[^\0-\x08\x0a-\x1f"(),:;<>@\[\\]*+'
    rb'<[^\0- "(),:;<>@\[\\]++@[^\0- "(),:;<>@\[\\]++>\r\n\Z'
)
"""A field of one address as most programs write it; nothing is missing there."""
_COMMENT_MARK: Final = re.compile(rb"[()]|\\.", re.S)


@dataclass(frozen=True, slots=True)
class Missing:
    """What to put in where it is not there.  message_id: makes one, without its brackets."""

    sender: Address
    date: datetime
    message_id: Callable[[], str]
    domain: Domain


class TooManyFields(Exception):
    """More fields, or more addresses in one of them, than can be looked at."""


def repaired(header: bytes, missing: Missing) -> bytes:
    """The header block mended, with the blank line that ends it.

    header: as it came, with its blank line, or without where the message has only a header,
    or began with its body.  Raises TooManyFields.
    """
    fields = split_fields(header)
    if len(fields) > MOST_FIELDS:
        raise TooManyFields
    if fields and header.startswith(b"From ") and not fields[0][0]:
        fields = fields[1:]
    if fields and not fields[0][0]:
        # It begins with no field: all that came is the body.
        return _added(set(), missing) + b"\r\n" + header
    kept: list[bytes] = []
    names: set[bytes] = set()
    for name, start, end in fields:
        field = header[start:end]
        if not field.endswith(b"\r\n"):
            field += b"\r\n"
        if name in _TAKEN_OUT or (name in _ONCE_FILLED and not field.partition(b":")[2].strip()):
            continue
        names.add(name)
        kept.append(with_domain(field, missing.domain) if name in ADDRESS_FIELDS else field)
    return b"".join((_added(names, missing), *kept, b"\r\n"))


def _added(names: set[bytes], missing: Missing) -> bytes:
    added = b""
    if b"date" not in names:
        added += f"Date: {format_datetime(missing.date)}\r\n".encode("ascii")
    if b"from" not in names:
        added += f"From: {missing.sender}\r\n".encode()
    if b"message-id" not in names:
        added += f"Message-ID: <{missing.message_id()}>\r\n".encode("ascii")
    return added


def with_domain(field: bytes, domain: Domain) -> bytes:
    """An address field whose bare local parts have a domain now (RFC 6409 §8.1).

    Raises TooManyFields.
    """
    if _WHOLE.match(field) is not None:
        return field
    at = field.index(b":") + 1
    places = list(islice(_bare_ends(field, at), MOST_BARE + 1))
    if len(places) > MOST_BARE:
        raise TooManyFields
    if not places:
        return field
    behind = b"@" + domain.ascii.encode("ascii")
    pieces: list[bytes] = []
    done = 0
    for place in places:
        pieces += (field[done:place], behind)
        done = place
    return b"".join((*pieces, field[done:]))


def _bare_ends(field: bytes, at: int) -> Iterator[int]:
    """Where the local parts end that have no domain."""
    entry = _Entry()
    size = len(field)
    while at < size:
        token = _TOKEN.match(field, at)
        assert token is not None, "any octet is a token"
        at = token.end()
        kind, text = token.lastgroup, token[0]
        if kind == "mark" and text == b"(":
            at = _after_comment(field, at)
        elif kind == "mark" and text in (b",", b";"):
            yield from entry.ends()
            entry = _Entry()
        elif kind == "mark" and text == b":" and not entry.in_angle:
            entry = _Entry()
        elif kind != "space":
            is_whole = kind != "quoted" or token["closed"] is not None
            entry.take(text, token.end(), is_whole=is_whole)
    yield from entry.ends()


def _after_comment(field: bytes, at: int) -> int:
    depth = 1
    for mark in _COMMENT_MARK.finditer(field, at):
        depth += {b"(": 1, b")": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.end()
    return len(field)


class _Entry:
    """One entry of an address list: whether it is a local part alone, and where that ends."""

    __slots__ = ("_angle", "_end", "_has_domain", "_words", "in_angle")

    def __init__(self) -> None:
        self._angle = False
        self._has_domain = False
        self._words = 0
        self._end = 0
        self.in_angle = False

    def take(self, text: bytes, end: int, *, is_whole: bool) -> None:
        """One more token that is neither space nor comment; the last may be cut off."""
        if text == b"<":
            self._angle = self.in_angle = True
            self._words = 0
        elif text == b">":
            self.in_angle = False
        elif text in (b"@", b":") or text.startswith(b"["):
            self._has_domain = True
        elif self.in_angle or not self._angle:
            # An encoded word is a name, whatever stands behind it.
            self._words += 1 if is_whole and not text.startswith(b"=?") else 2
            self._end = end

    def ends(self) -> Iterator[int]:
        """Where a domain is missing, if it is."""
        if self._words == 1 and not self._has_domain:
            yield self._end
