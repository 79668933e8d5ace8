"""The one error tree; each error is named for what went wrong.

    MailboxServerFault
    ├── BadInput              what somebody gave us is wrong; repeating it will not help
    │   ├── AddressMalformed, DomainMalformed, MailboxNameMalformed, SettingsMalformed,
    │   │   MessageMalformed, KeywordMalformed, PasswordMalformed, BadHash, StateMalformed,
    │   │   RightsMalformed
    ├── Refused               well formed, but not to be done now or by this party
    │   ├── DomainMissing, AccountMissing, AliasMissing, MailboxMissing, MessageMissing,
    │   │   TokenMissing, ContentMissing, OutboundMissing, BounceMissing
    │   ├── DomainExists, AccountExists, AliasExists, MailboxExists,
    │   │   DkimKeyExists
    │   ├── DomainInUse, MailboxProtected, MailboxHasChildren, TooManyKeywords,
    │   │   TooManyMailboxes, TooManyRights, NoPermission
    │   ├── OverQuota, TooLarge, TooMuchSent, AliasTooWide, ReturnPathTooLong
    │   └── StateTooOld, SearchTooLong
    └── Unavailable           trouble of ours, temporary for every peer
        ├── StoreUnavailable, CommitUnknown, DiskLow, SyncFailed, ContentDamaged,
        │   SchemaTooNew, StoreLocked, TooBusy

What is none of these and reaches a session is a bug: temporary for the peer, its text
only in our log.
"""

from datetime import timedelta


class MailboxServerFault(Exception):
    """The root; str() is one plain sentence for an operator, never for a peer."""


class BadInput(MailboxServerFault):
    """The input is malformed."""


class AddressMalformed(BadInput):
    """Not a mail address (RFC 5321 §4.1.2, RFC 6531 §3.3)."""


class DomainMalformed(BadInput):
    """Not a domain name (RFC 5321 §4.1.2, RFC 5890)."""


class MailboxNameMalformed(BadInput):
    """Not a name a mailbox can have (RFC 9051 §5.1)."""


class UrlMalformed(BadInput):
    """Not a URL of one message or a part of it (RFC 5092 §11)."""


class MessageMalformed(BadInput):
    """Octets that cannot be kept as a message."""


class KeywordMalformed(BadInput):
    """Not a flag or keyword (RFC 9051 §2.3.2)."""


class PasswordMalformed(BadInput):
    """Not a password or login as PRECIS allows them (RFC 8265); never quotes it."""


class RightsMalformed(BadInput):
    """Letters that are no rights (RFC 4314 §2.1)."""


class StateMalformed(BadInput):
    """Not a state that we gave to anybody (RFC 8620 §5.2)."""


class BadHash(BadInput):
    """A stored password hash that no scheme of ours understands."""


class SettingsMalformed(BadInput):
    """The configuration cannot be used; says the file, the key, what was found and expected."""


class Refused(MailboxServerFault):
    """Well formed, but it cannot be done as things stand."""


class DomainMissing(Refused):
    """We do not host this domain."""


class AccountMissing(Refused):
    """No such account."""


class AliasMissing(Refused):
    """No such alias."""


class MailboxMissing(Refused):
    """No such mailbox."""


class MessageMissing(Refused):
    """No such message."""


class ContentMissing(Refused):
    """No such content."""


class TokenMissing(Refused):
    """No such token."""


class OutboundMissing(Refused):
    """No such recipient of a message on its way out."""


class BounceMissing(Refused):
    """Nothing of the kind came back, or it has been forgotten."""


class DomainExists(Refused):
    """We host this domain already."""


class AccountExists(Refused):
    """The address belongs to an account already."""


class TokenExists(Refused):
    """The account has that certificate already."""


class DkimKeyExists(Refused):
    """The domain has a key of that selector already."""


class AliasExists(Refused):
    """The address is an alias already."""


class MailboxExists(Refused):
    """The account has a mailbox of that name already."""


class DomainInUse(Refused):
    """Accounts or aliases still belong to the domain."""


class MailboxProtected(Refused):
    """INBOX is neither deleted nor created (RFC 9051 §6.3.5)."""


class MailboxHasChildren(Refused):
    """The mailbox is only a name above others and cannot be deleted (RFC 9051 §6.3.5)."""


class TooManyKeywords(Refused):
    """The mailbox holds as many different keywords as it may."""


class TooManyAnnotations(Refused):
    """The mailbox holds as many annotations as it may."""


class AnnotationTooLarge(Refused):
    """The value of an annotation is larger than model.annotation.VALUE_OCTETS."""


class TooManyMailboxes(Refused):
    """The account holds as many mailboxes as it may."""


class TooManyRights(Refused):
    """The mailbox's access control list is as long as it may be."""


class NoPermission(Refused):
    """The mailbox is somebody else's, who has not allowed that (RFC 4314 §4)."""


class OverQuota(Refused):
    """The account would hold more octets or messages than its quota allows."""


class TooLarge(Refused):
    """The content is larger than the limit."""


class TooMuchSent(Refused):
    """The account has sent as much as it may; wait: until it may send this."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("the account has sent as much as it may for now")
        self.wait = wait


class AccountDisabled(Refused):
    """The account has been disabled, and may do nothing."""


class TooMuchHeld(Refused):
    """As much of the account waits to leave later as may wait at once (RFC 4865 §6)."""


class AliasTooWide(Refused):
    """Expanding the alias passes the limits on depth or targets."""


class ReturnPathTooLong(Refused):
    """No return path of its own fits for a recipient (RFC 5321 §4.5.3.1.1)."""


class StateTooOld(Refused):
    """Changes that old have been forgotten; resynchronize from nothing (RFC 7162 §3.2.5)."""


class SearchTooLong(Refused):
    """A search was given up when its time was over."""


class Unavailable(MailboxServerFault):
    """Trouble of ours; the same request may succeed later."""


class StoreUnavailable(Unavailable):
    """The store did not reach a commit."""


class CommitUnknown(Unavailable):
    """Whether the write was kept cannot be told."""


class DiskLow(Unavailable):
    """Too little room is left on the disk to accept more."""


class SyncFailed(Unavailable):
    """The disk did not confirm a write, which may come back at the next start; the process
    must end."""


class ContentDamaged(Unavailable):
    """Stored octets no longer match their digest."""


class SchemaTooNew(Unavailable):
    """The store was written by a newer program."""


class StoreLocked(Unavailable):
    """Another process has the data folder."""


class TooBusy(Unavailable):
    """A bounded queue of ours is full."""
