"""Write octets as IMAP strings that no content can break out of (RFC 9051 §4.3).

Short plain text becomes a quoted string; what holds CR, LF or 8-bit octets, or is long,
becomes a literal.  NUL may stand in neither and becomes a question mark.
"""

import re

QUOTED_OCTETS = 1_000

_PLAIN = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-!#-\[\]-\x7f]*")
_NEEDS_LITERAL = re.compile(rb"[\r\n\x80-\xff]")


def string(value: bytes) -> bytes:
    """A quoted string, or a literal where a quoted string cannot hold the value."""
    if len(value) <= QUOTED_OCTETS:
        if _PLAIN.fullmatch(value):
            return b'"' + value + b'"'
        if not _NEEDS_LITERAL.search(value):
            value = value.replace(b"\0", b"?")
            return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    value = value.replace(b"\0", b"?")
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    """The same, with NIL for what is absent."""
    return b"NIL" if value is None else string(value)
