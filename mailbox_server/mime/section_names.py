"""The names of sections as they stand in URLs: `1.2.MIME`, `HEADER.FIELDS (From To)`.

What stands between the brackets of BODY[...] (RFC 9051 §9 section-spec), complete and without
literals (RFC 5092 §11 enc-section, decoded).
"""

import re
from typing import Final

from mailbox_server.mime.sections import Partial, Section, SectionKind

PARTS_MOST: Final = 100
FIELDS_MOST: Final = 1_000

_SECTION: Final = re.compile(
    rb"(?:([1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*)(?:\.([A-Za-z.]+))?|([A-Za-z.]+))"
    rb"(?: \(([^()]+)\))?"
)
_FIELD: Final = re.compile(
    rb'(?:"([^"\\\x00-\x1f\x7f-\xff]+)"|([^\x00-\x20\x7f-\xff(){%*"\\]+))(?: |\Z)'
)
_FIELD_KINDS: Final = (SectionKind.HEADER_FIELDS, SectionKind.HEADER_FIELDS_NOT)


def read_section(name: bytes, partial: Partial | None = None) -> Section | None:
    """The section of that name, b"" for the whole message; None where it is no name."""
    if not name:
        return Section(partial=partial)
    found = _SECTION.fullmatch(name)
    if found is None:
        return None
    numbers, below, alone, fields = found.groups()
    parts = tuple(int(number) for number in numbers.split(b".")) if numbers else ()
    try:
        kind = SectionKind((below or alone or b"").decode("ascii").upper())
    except ValueError:
        return None
    if len(parts) > PARTS_MOST or (kind is SectionKind.MIME and not parts):
        return None
    if (fields is not None) is not (kind in _FIELD_KINDS):
        return None
    names = _names(fields) if fields is not None else frozenset()
    return None if names is None else Section(parts, kind, names, partial)


def _names(fields: bytes) -> frozenset[bytes] | None:
    names: list[bytes] = []
    at = 0
    while at < len(fields):
        found = _FIELD.match(fields, at)
        if found is None or len(names) == FIELDS_MOST:
            return None
        names.append((found[1] or found[2]).lower())
        at = found.end()
    return frozenset(names)
