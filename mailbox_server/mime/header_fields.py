"""Split a header block into its fields and pick some of them, octet for octet.

A field begins with a line that does not begin with white space, and goes on over the lines
that do; lines end with LF only (a bare CR is part of the value).  Names end at the colon,
white space before it dropped (RFC 5322 §4.5), and are compared without case.  The blank
line that ends the block ends the fields.

Invariant: LISTED_FIELDS hold no field that a trace line may carry, so the listed fields of
content and of trace + content are the same.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import compress, islice

from mailbox_server.model.message import ListedFields

FIELDS = 10_000
"""Fields that are indexed; `select` and `listed` have no such limit."""

_AT_ONCE_OCTETS = 16 * 1024  # longer blocks are split field by field, to save memory

LISTED_OCTETS = 64 * 1024

LISTED_FIELDS = frozenset(
    (
        b"auto-submitted",
        b"autocrypt-setup-message",
        b"bcc",
        b"cc",
        b"chat-is-post-message",
        b"chat-version",
        b"content-description",
        b"content-language",
        b"content-transfer-encoding",
        b"content-type",
        b"date",
        b"disposition-notification-to",
        b"from",
        b"importance",
        b"in-reply-to",
        b"lines",
        b"list-archive",
        b"list-help",
        b"list-id",
        b"list-post",
        b"list-subscribe",
        b"list-unsubscribe",
        b"mail-followup-to",
        b"mail-reply-to",
        b"message-id",
        b"mime-version",
        b"newsgroups",
        b"priority",
        b"references",
        b"reply-to",
        b"sender",
        b"subject",
        b"to",
        b"x-k9mail-identity",
        b"x-label",
        b"x-microsoft-original-message-id",
        b"x-mozilla-draft-info",
        b"x-mozilla-keys",
        b"x-mozilla-status",
        b"x-mozilla-status2",
        b"x-original-to",
        b"x-priority",
        b"x-uid",
        b"x-uniform-type-identifier",
        b"x-universally-unique-identifier",
    )
)
"""What clients list messages by, in lower case."""

FIRST_FIELDS = frozenset(
    (
        b"bcc",
        b"cc",
        b"content-type",
        b"date",
        b"from",
        b"in-reply-to",
        b"message-id",
        b"newsgroups",
        b"priority",
        b"references",
        b"reply-to",
        b"subject",
        b"to",
        b"x-priority",
    )
)
"""Those of them that Thunderbird lists by, all in one request; others ask for few besides."""

# A field as it stands with its folded lines, its name, and what follows the colon.
# A line that is no field has no name.
_FIELD = re.compile(rb"(?!\Z)((?:([!-9;-~]++)[ \t]*+:)?+([^\n]*+\n?+(?:[ \t][^\n]*+\n?+)*+))")
_LISTED_FIELD = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*\n)*")
_BLANK_LINE = re.compile(rb"\n\r?\n")


def _split(header: bytes) -> Iterable[tuple[bytes, bytes, bytes]]:
    """Each field as it stands, its name and its value; a line that is no field has no name."""
    if header.startswith((b"\n", b"\r\n")):
        return ()
    blank = _BLANK_LINE.search(header)
    end = len(header) if blank is None else blank.start() + 1
    if end <= _AT_ONCE_OCTETS:
        return _FIELD.findall(header, 0, end)
    return ((found[1], found[2] or b"", found[3]) for found in _FIELD.finditer(header, 0, end))


_REST_FIELDS = LISTED_FIELDS - FIRST_FIELDS
_NO_FIELDS: tuple[tuple[bytes, ...], tuple[bytes, ...], tuple[bytes, ...]] = ((), (), ())


class HeaderFields:
    """The fields of one header block by name, the first FIELDS of them.

    Names are asked for in lower case; values are raw, folds and all.  What is done for
    every field is done by iterators of C: most blocks have twenty fields or more.

    first: gives the value of the first field of a name, or None.
    """

    __slots__ = ("_by_name", "_fields", "_header", "_names", "_values", "first")

    def __init__(self, header: bytes) -> None:
        found = list(islice(_split(header), FIELDS))
        fields, names, values = zip(*found, strict=True) if found else _NO_FIELDS
        self._header = header
        self._fields = fields
        self._values = values
        self._names = list(map(bytes.lower, names))
        # Backwards, so that the first of a name is the last to be put in.
        pairs = zip(reversed(self._names), reversed(self._values), strict=True)
        self._by_name = dict(pairs)
        self.first: Callable[[bytes], bytes | None] = self._by_name.get

    def each(self, name: bytes) -> list[bytes]:
        """The values of all fields of that name, in order."""
        value = self._by_name.get(name)
        if value is None:
            return []
        if len(self._by_name) == len(self._names):
            return [value]
        return list(compress(self._values, map(name.__eq__, self._names)))

    def select(self, places: Mapping[bytes, int], most: int) -> list[bytes]:
        """The values of the fields of these names, name by name, at most so many of each.

        places: the names and where they come.
        """
        found: list[bytes] = []
        for name in sorted(self._by_name.keys() & places.keys(), key=places.__getitem__):
            found += self.each(name)[:most]
        return found

    def listed(self) -> ListedFields | None:
        """The fields that clients list by, all of them, without a blank line.

        For names within LISTED_FIELDS, `select` gives the same octets from these, merged, as
        from the whole block; for names of one of the two parts from that part.  None if they
        take more than LISTED_OCTETS: then only the block will do.
        """
        fields: Iterable[bytes] = self._fields
        names = self._names
        if len(names) == FIELDS:
            found = list(_split(_selected(self._header, LISTED_FIELDS, keep=True)))
            fields = [field for field, _, _ in found]
            names = [name.lower() for _, name, _ in found]
        listed = list(compress(names, map(LISTED_FIELDS.__contains__, names)))
        order = bytes(map(FIRST_FIELDS.__contains__, listed))
        first = _joined(compress(fields, map(FIRST_FIELDS.__contains__, names)))
        rest = _joined(compress(fields, map(_REST_FIELDS.__contains__, names)))
        if len(first) + len(rest) > LISTED_OCTETS:
            return None
        return ListedFields(first, rest, order)


def merged(first: bytes, rest: bytes, order: bytes) -> bytes:
    """Listed fields in the order of the header (model.message.ListedFields)."""
    if not first or not rest:
        return first or rest
    parts = iter(_LISTED_FIELD.findall(rest)), iter(_LISTED_FIELD.findall(first))
    return b"".join([next(parts[number]) for number in order])


def field_values(header: bytes, name: str) -> list[bytes]:
    """The raw values of all fields of that name, in order; the name's case is free."""
    return HeaderFields(header).each(name.lower().encode("ascii", "replace"))


def named_fields(header: bytes, names: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Name in lower case and value of each field of these names, the first FIELDS of them.

    names: lower case.  The values are as they follow the colon, line ends included; a last
    one may have none.
    """
    found = (
        # A CR at the very end is half a line end.
        (lowered, value + b"\n" if value.endswith(b"\r") else value)
        for _, name, value in _split(header)
        if (lowered := name.lower()) in names
    )
    return islice(found, FIELDS)


def header_lines(header: bytes) -> Iterator[bytes]:
    """Each field of a block as it stands, folds and all, and each line that is no field."""
    for field, _, _ in islice(_split(header), FIELDS):
        yield field


def split_fields(header: bytes) -> list[tuple[bytes, int, int]]:
    """Each field's name in lower case and its range in the block, line end included.

    A line that is no field has the empty name.  At most FIELDS of them.
    """
    fields: list[tuple[bytes, int, int]] = []
    start = 0
    for field, name, _ in islice(_split(header), FIELDS):
        end = start + len(field)
        fields.append((name.lower(), start, end))
        start = end
    return fields


def select(header: bytes, names: Collection[bytes], *, keep: bool = True) -> bytes:
    """HEADER.FIELDS (keep) or HEADER.FIELDS.NOT of a block, with its blank line.

    names: lower case.  The fields are as they stand in the block and in its order; a last
    one without a line end gets one, and lines that are no fields go with NOT.
    RFC 9051 §6.4.5.1.
    """
    return _selected(header, names, keep=keep) + b"\r\n"


def _selected(header: bytes, names: Collection[bytes], *, keep: bool) -> bytes:
    fields = _split(header)
    return _joined([field for field, name, _ in fields if (name.lower() in names) is keep])


def _joined(fields: Iterable[bytes]) -> bytes:
    joined = b"".join(fields)
    if joined and not joined.endswith(b"\n"):
        # A CR at the very end is half a line end.
        joined += b"\n" if joined.endswith(b"\r") else b"\r\n"
    return joined
