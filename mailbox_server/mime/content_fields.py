"""Read the Content-* fields of one header block (RFC 2045, RFC 2183, RFC 2231, RFC 3282).

Tolerant: what cannot be read is as if it were absent, and the first of two fields counts.
Bounded: 64 KiB of each field, 100 parameters of each, 1,000 octets of each token.
"""

import re
from functools import lru_cache
from urllib.parse import quote_from_bytes

from mailbox_server.mime.structure import ContentFields, Parameters

FIELD_OCTETS = 64 * 1024
PARAMETERS = 100
TOKEN_OCTETS = 1_000
CONTENT_FIELDS = 1_000
"""Content-* fields looked at in one header block."""

US_ASCII: Parameters = ((b"charset", b"us-ascii"),)
NOTHING = (None, None, b"7bit", None, None, (), (), None)
PLAIN_TEXT = ContentFields(b"text", b"plain", US_ASCII, *NOTHING)
EMBEDDED = ContentFields(b"message", b"rfc822", (), *NOTHING)
"""What a part of a multipart/digest is when it does not say (RFC 2046 §5.1.5)."""

_FIELD = re.compile(rb"content-([a-z0-9-]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.I)
_SPACE = re.compile(rb"[ \t\r\n\0]*")
_TOKEN = re.compile(rb'[^\0- ()<>@,;:\\"/\[\]?=\x7f-\xff]+')
_NAME = re.compile(rb'[^\0- ()<>@,;:\\"/\[\]?=\x7f]+')
_BARE_VALUE = re.compile(rb'[^\0- ;"]*')
_QUOTED = re.compile(rb'"((?:[^"\\]++|\\.)*+)', re.S)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.S)
_COMMENT_MARK = re.compile(rb"[()]|\\.", re.S)
_SIMPLE_TYPE = re.compile(
    rb'[ \t]*([a-z0-9.+-]+)/([a-z0-9.+-]+)[ \t]*(?:;[ \t]*charset="?([a-z0-9_.-]+)"?[ \t]*)?', re.I
)
_SEGMENT = re.compile(rb"([^*]+)\*([0-9]{1,3})(\*?)\Z")


def content_fields(header: bytes, default: ContentFields = PLAIN_TEXT) -> ContentFields:
    """The Content-* fields of a header block; default stands in for a missing type."""
    found: dict[bytes, bytes] = {}
    # Shifted by one line feed: a field found at `at` begins at `at` in the block.
    lowered = b"\n" + header.lower()
    at = lowered.find(b"\ncontent-")
    for _ in range(CONTENT_FIELDS):
        if at < 0:
            break
        field = _FIELD.match(header, at)
        if field is not None:
            found.setdefault(field[1].lower(), field[2])
        at = lowered.find(b"\ncontent-", at + 1)
    if not found:
        return default
    values = tuple(found.items())
    is_short = len(values) <= 3 and sum(map(len, found.values())) <= _SHORT_OCTETS
    return _remembered(values, default) if is_short else _from_values(values, default)


def _from_values(values: tuple[tuple[bytes, bytes], ...], default: ContentFields) -> ContentFields:
    found = dict(values)
    media_type, media_subtype, parameters = default[:3]
    if b"type" in found:
        stated = media_type_of(found[b"type"])
        media_type, media_subtype, parameters = stated or PLAIN_TEXT[:3]
    disposition: bytes | None = None
    disposition_parameters: Parameters = ()
    if b"disposition" in found:
        disposition, disposition_parameters = disposition_of(found[b"disposition"])
    encoding = found.get(b"transfer-encoding")
    language = found.get(b"language")
    return ContentFields(
        media_type,
        media_subtype,
        parameters,
        _unstructured(found.get(b"id")),
        _unstructured(found.get(b"description")),
        b"7bit" if encoding is None else _first_token(encoding) or b"7bit",
        _unstructured(found.get(b"md5")),
        disposition,
        disposition_parameters,
        () if language is None else _languages(language),
        _unstructured(found.get(b"location")),
    )


# Most parts say the same few things of themselves.
_SHORT_OCTETS = 200
_remembered = lru_cache(maxsize=256)(_from_values)


def unfold(value: bytes) -> bytes:
    """Take out the line ends of a folded field value, and the space around it."""
    value = value.strip(b" \t\r\n")
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"").strip(b" \t\r")
    return value


def media_type_of(value: bytes) -> tuple[bytes, bytes, Parameters] | None:
    """Type, subtype and parameters of a Content-Type value; None if there is no type."""
    value = unfold(value[:FIELD_OCTETS])
    simple = _SIMPLE_TYPE.fullmatch(value)
    if simple is not None:
        charset = simple[3]
        return (
            simple[1].lower(),
            simple[2].lower(),
            () if charset is None else ((b"charset", charset),),
        )
    at = _skip(value, 0)
    media_type = _TOKEN.match(value, at)
    if media_type is None:
        return None
    at = _skip(value, media_type.end())
    if not value.startswith(b"/", at):
        return None
    media_subtype = _TOKEN.match(value, _skip(value, at + 1))
    if media_subtype is None:
        return None
    return (
        media_type[0][:TOKEN_OCTETS].lower(),
        media_subtype[0][:TOKEN_OCTETS].lower(),
        _parameters(value, media_subtype.end()),
    )


def disposition_of(value: bytes) -> tuple[bytes | None, Parameters]:
    """Disposition and its parameters (RFC 2183 §2); (None, ()) if it cannot be read."""
    value = unfold(value[:FIELD_OCTETS])
    token = _TOKEN.match(value, _skip(value, 0))
    if token is None:
        return None, ()
    return token[0][:TOKEN_OCTETS].lower(), _parameters(value, token.end())


def _unstructured(value: bytes | None) -> bytes | None:
    return None if value is None else unfold(value[:FIELD_OCTETS])


def _first_token(value: bytes) -> bytes:
    value = unfold(value[:FIELD_OCTETS])
    token = _TOKEN.match(value, _skip(value, 0))
    return b"" if token is None else token[0][:TOKEN_OCTETS].lower()


def _languages(value: bytes) -> tuple[bytes, ...]:
    tags = unfold(value[:FIELD_OCTETS]).split(b",", PARAMETERS)[:PARAMETERS]
    return tuple(tag for tag in (_first_token(each) for each in tags) if tag)


def _skip(value: bytes, at: int) -> int:
    """The position after white space and comments, nested ones too (RFC 5322 §3.2.2)."""
    space = _SPACE.match(value, at)
    at = space.end() if space else at
    while value.startswith(b"(", at):
        depth = 0
        end = len(value)
        for mark in _COMMENT_MARK.finditer(value, at):
            depth += {b"(": 1, b")": -1}.get(mark[0], 0)
            if depth == 0:
                end = mark.end()
                break
        space = _SPACE.match(value, end)
        at = space.end() if space else end
    return at


def _parameters(value: bytes, at: int) -> Parameters:
    """Read `; name=value` pairs from position at on; junk between them is passed over."""
    pairs: list[tuple[bytes, bytes]] = []
    for _ in range(PARAMETERS):
        # Some senders leave out semicolons between parameters: take any name=value.
        semicolon = value.find(b";", at)
        start = _skip(value, at)
        if not (name := _NAME.match(value, start)) and semicolon >= 0:
            start = _skip(value, semicolon + 1)
            name = _NAME.match(value, start)
        if name is None:
            if semicolon < 0:
                break
            at = max(semicolon + 1, start)
            continue
        equals = _skip(value, name.end())
        if not value.startswith(b"=", equals):
            at = equals
            continue
        text, at = _value(value, _skip(value, equals + 1))
        pairs.append((name[0][:TOKEN_OCTETS].lower(), text))
    return _join_continuations(pairs)


def _value(value: bytes, at: int) -> tuple[bytes, int]:
    quoted = _QUOTED.match(value, at)
    if quoted is None:
        bare = _BARE_VALUE.match(value, at)
        return (bare[0], bare.end()) if bare else (b"", at)
    text = quoted[1]
    if b"\\" in text:
        text = _QUOTED_PAIR.sub(rb"\1", text)
    return text, quoted.end() + 1


def _join_continuations(pairs: list[tuple[bytes, bytes]]) -> Parameters:
    """Join name*0, name*1, … into one parameter (RFC 2231 §3); the first of a name wins.

    Segments count as long as none is missing.  If any of them is percent-encoded, the
    joined one is, and its name ends in `*`.
    """
    joined: dict[bytes, bytes] = {}
    segments: dict[bytes, dict[int, tuple[bool, bytes]]] = {}
    for name, text in pairs:
        segment = _SEGMENT.match(name)
        if segment is None:
            joined.setdefault(name, text)
            continue
        numbered = segments.setdefault(segment[1], {})
        numbered.setdefault(int(segment[2]), (segment[3] == b"*", text))
    for name, numbered in segments.items():
        in_order: list[tuple[bool, bytes]] = []
        while len(in_order) in numbered:
            in_order.append(numbered[len(in_order)])
        if not in_order:
            continue
        if not any(encoded for encoded, _ in in_order):
            joined.setdefault(name, b"".join(text for _, text in in_order))
            continue
        text = b"".join(
            text if encoded else quote_from_bytes(text).encode("ascii")
            for encoded, text in in_order
        )
        joined.setdefault(name + b"*", text if in_order[0][0] else b"''" + text)
    return tuple(joined.items())
