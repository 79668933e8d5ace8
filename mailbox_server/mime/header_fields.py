"""Split a header block into its fields and pick some of them, octet for octet.

A field begins with a line that does not begin with white space, and goes on over the lines
that do; lines end with LF only (a bare CR is part of the value).  Names end at the colon,
white space before it dropped (RFC 5322 §4.5), and are compared without case.  The blank
line that ends the block ends the fields.

Invariant: LISTED_FIELDS hold no field that a trace line may carry, so the listed fields of
content and of trace + content are the same.
"""

import re
from collections.abc import Collection, Iterator
from itertools import islice

FIELDS = 10_000
"""Fields that are indexed; `select` and `listed_fields` have no such limit."""

LISTED_OCTETS = 64 * 1024

LISTED_FIELDS = frozenset(
    (
        b"bcc",
        b"cc",
        b"content-language",
        b"content-transfer-encoding",
        b"content-type",
        b"date",
        b"disposition-notification-to",
        b"from",
        b"importance",
        b"in-reply-to",
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
        b"x-label",
        b"x-mozilla-draft-info",
        b"x-mozilla-keys",
        b"x-mozilla-status",
        b"x-mozilla-status2",
        b"x-priority",
        b"x-uid",
    )
)
"""What clients list messages by, in lower case."""

# Name, white space and colon (no colon: no field), the rest with its folded lines.
_FIELD = re.compile(rb"(?m)^(?!\r?\n)([!-9;-~]*+)([ \t]*+:?)([^\n]*\n?(?:[ \t][^\n]*\n?)*)|^\r?\n")


def _from_start(header: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name, colon part and rest of each field; a line that is no field has no name."""
    for found in _FIELD.finditer(header):
        name, colon, rest = found.groups()
        if name is None:
            return
        is_field = name and colon.endswith(b":")
        yield (name, colon, rest) if is_field else (b"", b"", found[0])


class HeaderFields:
    """The fields of one header block by name, the first FIELDS of them."""

    __slots__ = ("_by_name",)

    def __init__(self, header: bytes) -> None:
        by_name: dict[bytes, list[bytes]] = {}
        for name, _, rest in islice(_from_start(header), FIELDS):
            if name:
                by_name.setdefault(name.lower(), []).append(rest)
        self._by_name = by_name

    def first(self, name: bytes) -> bytes | None:
        """The raw value of the first field of that name (lower case), folds and all."""
        values = self._by_name.get(name)
        return None if values is None else values[0]

    def each(self, name: bytes) -> list[bytes]:
        """The raw values of all fields of that name (lower case), in order."""
        return self._by_name.get(name, [])


def field_values(header: bytes, name: str) -> list[bytes]:
    """The raw values of all fields of that name, in order; the name's case is free."""
    return HeaderFields(header).each(name.lower().encode("ascii", "replace"))


def header_lines(header: bytes) -> Iterator[bytes]:
    """Each field of a block as it stands, folds and all, and each line that is no field."""
    for name, colon, rest in islice(_from_start(header), FIELDS):
        yield name + colon + rest


def split_fields(header: bytes) -> list[tuple[bytes, int, int]]:
    """Each field's name in lower case and its range in the block, line end included.

    A line that is no field has the empty name.  At most FIELDS of them.
    """
    fields: list[tuple[bytes, int, int]] = []
    start = 0
    for name, colon, rest in islice(_from_start(header), FIELDS):
        end = start + len(name) + len(colon) + len(rest)
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


def listed_fields(header: bytes) -> bytes | None:
    """The fields of a block that clients list by, without a blank line.

    For names within LISTED_FIELDS, `select` gives the same octets from this as from the
    whole block.  None if they take more than LISTED_OCTETS: then only the block will do.
    """
    listed = _selected(header, LISTED_FIELDS, keep=True)
    return listed if len(listed) <= LISTED_OCTETS else None


def _selected(header: bytes, names: Collection[bytes], *, keep: bool) -> bytes:
    chosen = [
        name + colon + rest
        for name, colon, rest in _from_start(header)
        if (name.lower() in names) is keep
    ]
    selected = b"".join(chosen)
    if selected and not selected.endswith(b"\n"):
        # A CR at the very end is half a line end.
        selected += b"\n" if selected.endswith(b"\r") else b"\r\n"
    return selected
