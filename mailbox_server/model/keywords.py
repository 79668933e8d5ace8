"""Flags and keywords: one stored form, and which belong to the placement.

A system flag is stored with its backslash in RFC spelling (`\\Seen`), a keyword as first
given; both are compared without case (RFC 9051 §2.3.2).  `\\Deleted` belongs to the
placement, everything else to the message (store.md §4.4); `\\Recent` is nobody's to set.
"""

import enum
import re
from typing import Final

from mailbox_server.model.errors import KeywordMalformed

SEEN: Final = "\\Seen"
ANSWERED: Final = "\\Answered"
FLAGGED: Final = "\\Flagged"
DRAFT: Final = "\\Draft"
DELETED: Final = "\\Deleted"
RECENT: Final = "\\Recent"


class FlagKind(enum.Enum):
    """What a flag is, as far as rights go; the value is the right that sets it (RFC 4314 §4)."""

    SEEN = "s"
    DELETED = "t"
    OTHER = "w"


def flag_kind(name: str) -> FlagKind:
    """Of a flag in its stored form."""
    if name == SEEN:
        return FlagKind.SEEN
    return FlagKind.DELETED if name == DELETED else FlagKind.OTHER


SYSTEM_FLAGS: Final = (ANSWERED, FLAGGED, DELETED, SEEN, DRAFT)
KEYWORD_OCTETS: Final = 255
KEYWORDS_A_MAILBOX: Final = 500

_BY_KEY: Final = tuple((flag.lower(), flag) for flag in SYSTEM_FLAGS)
_KEYWORD: Final = re.compile(r"[!#$&'+-\[^-z|}~]+\Z")


def keyword(text: str) -> str:
    """Return a flag or keyword in its stored form.  Raises KeywordMalformed.

    A keyword is an IMAP atom (RFC 9051 §9 flag-keyword) of at most 255 octets; a backslash
    is only allowed for the five settable system flags.
    """
    lowered = text.lower()
    if text.startswith("\\"):
        for key, flag in _BY_KEY:
            if key == lowered:
                return flag
        raise KeywordMalformed("not a flag that can be set")
    if len(text) > KEYWORD_OCTETS or not _KEYWORD.match(text):
        raise KeywordMalformed("not a keyword")
    return text
