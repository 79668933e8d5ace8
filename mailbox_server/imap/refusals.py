"""What a client reads when a command fails: each error of ours as a reply (RFC 5530 §3).

The texts are constant: nothing of an exception leaves for the peer.
"""

from typing import Final

from mailbox_server.imap.grammar.charsets import NAMES
from mailbox_server.imap.grammar.faults import (
    ArgumentsMalformed,
    ArgumentsTooMany,
    CharsetUnknown,
    FilterCharset,
    UseUnsupported,
)
from mailbox_server.imap.responses import Outcome, bad, no
from mailbox_server.imap.views.selected import NumberBeyond
from mailbox_server.model.annotation import VALUE_OCTETS
from mailbox_server.model.errors import (
    AccountMissing,
    AnnotationTooLarge,
    ContentDamaged,
    DiskLow,
    KeywordMalformed,
    MailboxExists,
    MailboxHasChildren,
    MailboxMissing,
    MailboxNameMalformed,
    MailboxProtected,
    NoPermission,
    OverQuota,
    SearchTooLong,
    TooLarge,
    TooManyAnnotations,
    TooManyKeywords,
    TooManyMailboxes,
    TooManyRights,
    Unavailable,
)

SERVER_BUG: Final = no("That went wrong here and is written in our log", b"SERVERBUG")
UID_REQUIRED: Final = bad("UIDONLY was enabled: no message numbers", b"UIDREQUIRED")
_BADCHARSET: Final = b"BADCHARSET (%b)" % " ".join(NAMES).encode("ascii")
_BADCHARSET_OF_FILTERS: Final = b"BADCHARSET (US-ASCII UTF-8)"

_REFUSALS: Final[tuple[tuple[type[Exception], Outcome], ...]] = (
    (ArgumentsTooMany, no("More than this server takes in one command", b"LIMIT")),
    (CharsetUnknown, no("Charset not supported", _BADCHARSET)),
    (UseUnsupported, no("That use is not supported", b"USEATTR")),
    (FilterCharset, bad("A filter needs UTF-8", _BADCHARSET_OF_FILTERS)),
    (SearchTooLong, no("The search takes too long; ask for less", b"LIMIT")),
    (NumberBeyond, bad("There is no message with that number")),
    (MailboxNameMalformed, no("No mailbox can have that name", b"CANNOT")),
    (KeywordMalformed, no("A flag cannot have that name", b"CANNOT")),
    (MailboxMissing, no("There is no such mailbox", b"NONEXISTENT")),
    (MailboxExists, no("There is a mailbox of that name already", b"ALREADYEXISTS")),
    (MailboxProtected, no("INBOX always exists", b"CANNOT")),
    (MailboxHasChildren, no("There are mailboxes below it", b"HASCHILDREN")),
    (TooManyMailboxes, no("The account holds as many mailboxes as it may", b"LIMIT")),
    (TooManyKeywords, no("The mailbox holds as many keywords as it may", b"LIMIT")),
    (TooManyAnnotations, no("The mailbox holds as many as it may", b"METADATA TOOMANY")),
    (AnnotationTooLarge, no("The value is too large", b"METADATA MAXSIZE %d" % VALUE_OCTETS)),
    (TooManyRights, no("As many have rights in the mailbox as may", b"LIMIT")),
    (NoPermission, no("Its owner has not allowed that", b"NOPERM")),
    (OverQuota, no("The account would be over its quota", b"OVERQUOTA")),
    (TooLarge, no("The message is too large", b"TOOBIG")),
    (AccountMissing, no("The account was removed", b"NONEXISTENT")),
    (ContentDamaged, no("Some of the messages are damaged here", b"CORRUPTION")),
    (DiskLow, no("The server's disk is nearly full", b"UNAVAILABLE")),
    (Unavailable, no("Not possible now, try again later", b"UNAVAILABLE")),
)


def refusal(fault: Exception) -> Outcome | None:
    """The reply for an error we know, or None for one that nobody foresaw."""
    if isinstance(fault, ArgumentsMalformed):
        return bad(str(fault))
    for kind, outcome in _REFUSALS:
        if isinstance(fault, kind):
            return outcome
    return None
