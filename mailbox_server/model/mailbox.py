"""Mailboxes: their names, roles and state.

A name is text with `/` between levels, NFC, 1 to 1,000 octets of UTF-8, at most 20 levels,
no control characters, no empty level; a new one deceives nobody.  INBOX is that name in any
case, in US-ASCII alone (RFC 9051 §5.1): `ı` is no `I`.
"""

import enum
import re
import string
import unicodedata
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.errors import MailboxNameMalformed
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq

SEPARATOR: Final = "/"
INBOX: Final = "INBOX"
OTHERS: Final = "Other users"
"""Below this name are the mailboxes of other accounts; no account has one of that name itself."""
SHARED: Final = "Shared mailboxes"
"""The same of shared accounts, which are nobody's own."""
NAME_OCTETS: Final = 1_000
LEVELS: Final = 20
_NONCHARACTERS: Final = "".join(
    chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)
)
_DECEPTIVE: Final = re.compile(f"[\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef{_NONCHARACTERS}]")
_CONTROLS: Final = ("Cc", "Zl", "Zp")
_CAPITALS: Final = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)


class Role(enum.Enum):
    """What a mailbox is for; the value is its attribute without backslash.

    RFC 6154 §2, RFC 8457 §3, RFC 9979 §8.  \\Snoozed and \\Scheduled are none: messages that lie
    there come back, or are sent, by themselves, and here they would not.
    """

    INBOX = "Inbox"
    DRAFTS = "Drafts"
    SENT = "Sent"
    JUNK = "Junk"
    TRASH = "Trash"
    ARCHIVE = "Archive"
    ALL = "All"
    FLAGGED = "Flagged"
    IMPORTANT = "Important"
    MEMOS = "Memos"


GIVEN_ROLES: Final = frozenset(Role) - {Role.INBOX, Role.ALL, Role.FLAGGED}
"""What a client may say a mailbox is for.

\\All and \\Flagged promise every message, or every flagged one (RFC 6154 §2): none keeps that.
"""

DEFAULT_MAILBOXES: Final = (
    (INBOX, Role.INBOX),
    ("Drafts", Role.DRAFTS),
    ("Sent", Role.SENT),
    ("Junk", Role.JUNK),
    ("Trash", Role.TRASH),
    ("Archive", Role.ARCHIVE),
)


def capitals(text: str) -> str:
    """The text with the letters of US-ASCII in capitals, all others as they are."""
    return text.translate(_CAPITALS)


def mailbox_name(text: str) -> str:
    """Return text as a mailbox name in its one stored form; INBOX comes back in capitals.

    A trailing separator, which IMAP clients send when they mean to create levels below
    (RFC 9051 §6.3.4), is dropped.  Raises MailboxNameMalformed.
    """
    name = unicodedata.normalize("NFC", text)
    name = name.removesuffix(SEPARATOR)
    if not name:
        raise MailboxNameMalformed("the mailbox name is empty")
    try:
        octets = len(name.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise MailboxNameMalformed("the mailbox name is not text") from error
    if octets > NAME_OCTETS:
        raise MailboxNameMalformed("the mailbox name is longer than 1,000 octets")
    if not name.isprintable() and any(unicodedata.category(c) in _CONTROLS for c in name):
        raise MailboxNameMalformed("the mailbox name holds control characters")
    levels = name.split(SEPARATOR)
    if len(levels) > LEVELS:
        raise MailboxNameMalformed("the mailbox name has more than 20 levels")
    if not all(levels):
        raise MailboxNameMalformed("the mailbox name has an empty level")
    if capitals(levels[0]) == INBOX:
        levels[0] = INBOX
    return SEPARATOR.join(levels)


def refuse_deceptive(name: str) -> None:
    """Refuse a new name in stored form that looks like another, or holds what is no character.

    RFC 5198 leaves to its users what is not safe to show.  Embeddings, overrides and isolates
    (U+202A to U+202E, U+2066 to U+2069) make a name read as another and reach beyond its end;
    noncharacters are never text.  Joiners (U+200C, U+200D) and marks of direction are needed
    to write some languages, and stay.  Mailboxes that have such a name already keep it.
    Raises MailboxNameMalformed.
    """
    if _DECEPTIVE.search(name):
        raise MailboxNameMalformed("the mailbox name holds controls of direction, or no characters")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A named mailbox of an account.

    uid_validity: 1 to 2**32 - 1; a new one means that UIDs start over.
    uid_next: above every UID ever given here.
    highest_modseq: never falls (RFC 7162 §3.1.2.1).
    """

    id: MailboxId
    account: AccountId
    name: str
    role: Role | None
    uid_validity: int
    uid_next: int
    highest_modseq: ModSeq
    subscribed: bool


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """Counts of one mailbox at one moment (RFC 9051 §6.3.11).

    octets: the sum of message sizes.  recent: placements no session has been told of yet.
    deleted_octets: of those that are \\Deleted; None where that was not asked for.
    """

    mailbox: Mailbox
    messages: int
    unseen: int
    deleted: int
    recent: int
    octets: int
    deleted_octets: int | None = None
