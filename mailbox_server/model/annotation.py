"""Annotations: named values that clients put on a mailbox or on the server (RFC 5464 §3).

An entry's name is ASCII, in lower case here, at most 200 characters: `/private` or
`/shared`, then one component or more, under `vendor` at least three.
"""

import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.errors import BadInput
from mailbox_server.model.ids import MailboxId

ENTRIES_MOST: Final = 100
"""On one mailbox, and of one account on the server."""
VALUE_OCTETS: Final = 32 * 1024
OCTETS_AN_ACCOUNT: Final = 4 * 1024 * 1024
"""Of all names and values of an account together, those removed included."""
NAME_CHARACTERS: Final = 200

_NAME: Final = re.compile(r"/(?:private|shared)(?:/[^/*%\x00-\x1f\x7f-\U0010ffff]+)+")
_ROOT: Final = re.compile(r"/(?:private|shared)(?:/[^/*%\x00-\x1f\x7f-\U0010ffff]+)*")
_VENDOR: Final = re.compile(r"/(?:private|shared)/vendor(?:/[^/]+)?")


class EntryMalformed(BadInput):
    """Not the name of an entry."""


@dataclass(frozen=True, slots=True)
class ChangedEntry:
    """An entry that was set or removed; mailbox None for the server."""

    mailbox: MailboxId | None
    entry: str


def entry_name(text: str) -> str:
    """The name in its one stored form.  Raises EntryMalformed."""
    name = text.lower()
    if len(name) > NAME_CHARACTERS or not _NAME.fullmatch(name) or _VENDOR.fullmatch(name):
        raise EntryMalformed("That is no name of an entry")
    return name


def entry_root(text: str) -> str:
    """What entries may lie below, in the one stored form: also `/private` or `/shared/vendor`.

    Raises EntryMalformed.
    """
    name = text.lower()
    if len(name) > NAME_CHARACTERS or not _ROOT.fullmatch(name):
        raise EntryMalformed("Below that there is no entry")
    return name
