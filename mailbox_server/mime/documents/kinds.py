"""Which parts of a message are documents whose text can be read, and of what kind.

The media type says it, or the end of the name where the type says nothing or something else.
"""

from enum import Enum
from types import MappingProxyType
from typing import Final

from mailbox_server.mime.attachment import file_name
from mailbox_server.mime.structure import Part, Structure

DOCUMENTS_MOST: Final = 50
"""Of one message; those that come after are not read."""


class Kind(Enum):
    """CALENDAR is cards of addresses as well: both are content lines."""

    PDF = "pdf"
    OFFICE = "office"
    CALENDAR = "calendar"


_TYPES: Final = MappingProxyType(
    {
        b"application/pdf": Kind.PDF,
        b"application/x-pdf": Kind.PDF,
        b"application/ics": Kind.CALENDAR,
        b"text/calendar": Kind.CALENDAR,
        b"text/vcard": Kind.CALENDAR,
        b"text/x-vcard": Kind.CALENDAR,
        b"text/x-vcalendar": Kind.CALENDAR,
        b"text/directory": Kind.CALENDAR,
    }
)
_OFFICE_TYPES: Final = (
    b"application/vnd.openxmlformats-officedocument.",
    b"application/vnd.oasis.opendocument.",
)
_MACRO_TYPES: Final = b".macroenabled.12"
_ENDINGS: Final = MappingProxyType(
    {
        "pdf": Kind.PDF,
        "ics": Kind.CALENDAR,
        "ical": Kind.CALENDAR,
        "vcs": Kind.CALENDAR,
        "vcf": Kind.CALENDAR,
    }
    | dict.fromkeys(("docx", "docm", "dotx", "xlsx", "xlsm", "xltx", "pptx"), Kind.OFFICE)
    | dict.fromkeys(("pptm", "ppsx", "potx", "odt", "ott", "ods", "ots", "odp"), Kind.OFFICE)
)


def kind_of(part: Part) -> Kind | None:
    """The kind of a leaf part; None where it is no such document, or has no content."""
    if part.children or not part.size:
        return None
    media = part.media_type + b"/" + part.media_subtype
    known = _TYPES.get(media)
    if known is not None:
        return known
    if media.startswith(_OFFICE_TYPES) or media.endswith(_MACRO_TYPES):
        return Kind.OFFICE
    if part.media_type not in (b"application", b"text"):
        return None
    _, dot, ending = (file_name(part) or "").rpartition(".")
    return _ENDINGS.get(ending.lower()) if dot else None


def documents(structure: Structure) -> list[tuple[Part, Kind]]:
    """The documents of a message in order, also those inside messages in it."""
    found: list[tuple[Part, Kind]] = []
    for part in structure.root.walk():
        kind = kind_of(part)
        if kind is not None:
            found.append((part, kind))
            if len(found) == DOCUMENTS_MOST:
                break
    return found
