"""What an operator may ask of the appliance, as plain values.

They travel as JSON over the control socket (ops.control).  Addresses, domains and mailbox names
are text here and parsed by whoever acts on them; instants are ISO 8601 in UTC.  What comes back
stands in ops.rows.
"""

from mailbox_server.ops.queue_requests import HeldCancel, HeldList, QueueChange, QueueList
from mailbox_server.ops.request_roots import Request
from mailbox_server.ops.story_requests import MessageStory, MessageTrace


class DomainAdd(Request, frozen=True, tag="domain.add"):
    """Host a domain."""

    domain: str
    catch_all: str | None = None


class DomainCatchAll(Request, frozen=True, tag="domain.catch_all"):
    """Say where mail to unknown names of a hosted domain goes; None for nowhere."""

    domain: str
    catch_all: str | None


class DomainList(Request, frozen=True, tag="domain.list"):
    """List hosted domains."""


class DomainRemove(Request, frozen=True, tag="domain.remove"):
    """Stop hosting a domain."""

    domain: str


class DomainKeys(Request, frozen=True, tag="domain.keys"):
    """List the keys that a domain's mail is signed with."""

    domain: str


class DomainRotateKeys(Request, frozen=True, tag="domain.rotate_keys"):
    """Make a domain's next keys; at_once: forget all others and sign with them now."""

    domain: str
    at_once: bool = False


class DomainDns(Request, frozen=True, tag="domain.dns"):
    """Tell what the DNS should say of a domain; check: and what it says."""

    domain: str
    check: bool = False


class AccountAdd(Request, frozen=True, tag="account.add"):
    """Open an account; password None lets nobody log in by password."""

    address: str
    password: str | None
    quota_octets: int = 0


class AccountList(Request, frozen=True, tag="account.list"):
    """List accounts, of one domain or all."""

    domain: str | None = None


class AccountPassword(Request, frozen=True, tag="account.password"):
    """Set a new password."""

    address: str
    password: str


class AccountQuota(Request, frozen=True, tag="account.quota"):
    """Set the quota; 0 is unlimited."""

    address: str
    quota_octets: int


class AccountSet(Request, frozen=True, tag="account.set"):
    """Set what is not None: quotas (0 is unlimited), whether it is an administrator, or shared."""

    address: str
    quota_octets: int | None = None
    quota_messages: int | None = None
    is_administrator: bool | None = None
    is_shared: bool | None = None


class AccountDisable(Request, frozen=True, tag="account.disable"):
    """Stop or allow logins; mail still arrives."""

    address: str
    disabled: bool = True


class AccountRemove(Request, frozen=True, tag="account.remove"):
    """Remove an account and all its mail."""

    address: str


class AliasAdd(Request, frozen=True, tag="alias.add"):
    """Let an address stand for others."""

    address: str
    targets: list[str]


class AliasList(Request, frozen=True, tag="alias.list"):
    """List aliases, of one domain or all."""

    domain: str | None = None


class AliasRemove(Request, frozen=True, tag="alias.remove"):
    """Remove an alias."""

    address: str


class MailboxList(Request, frozen=True, tag="mailbox.list"):
    """List the mailboxes of an account."""

    address: str


class MailboxRights(Request, frozen=True, tag="mailbox.rights"):
    """List who may do what in a mailbox."""

    address: str
    mailbox: str


class MailboxShare(Request, frozen=True, tag="mailbox.share"):
    """Say what holder, an address or `anyone`, may do in a mailbox; rights are letters.

    is_negative: what is taken from the holder that others' entries give.
    """

    address: str
    mailbox: str
    holder: str
    rights: str
    is_negative: bool = False


class MessageList(Request, frozen=True, tag="message.list"):
    """List the newest messages of a mailbox."""

    address: str
    mailbox: str = "INBOX"
    limit: int = 50


class MessageShow(Request, frozen=True, tag="message.show"):
    """Show what is known of one message, its passport included."""

    message: str


class MessageRaw(Request, frozen=True, tag="message.raw"):
    """Stream a message's octets as readers get them."""

    message: str


class MessageImport(Request, frozen=True, tag="message.import"):
    """Store one message whose octets follow on the stream; source says where it is from."""

    address: str
    mailbox: str = "INBOX"
    keywords: tuple[str, ...] = ()
    source: str = ""


class TokenAdd(Request, frozen=True, tag="token.add"):
    """Make an app password."""

    address: str
    name: str
    scope: str = "all"
    expires: str | None = None


class TokenList(Request, frozen=True, tag="token.list"):
    """List the app passwords of an account."""

    address: str


class TokenRevoke(Request, frozen=True, tag="token.revoke"):
    """Revoke an app password."""

    address: str
    token: int


class CertificateAdd(Request, frozen=True, tag="certificate.add"):
    """Let a certificate log in; pem holds it, and may hold more behind it."""

    address: str
    pem: str
    name: str
    scope: str = "all"


class CertificateList(Request, frozen=True, tag="certificate.list"):
    """List the certificates of an account."""

    address: str


class CertificateRemove(Request, frozen=True, tag="certificate.remove"):
    """Let a certificate log in no more."""

    address: str
    certificate: int


class BouncesList(Request, frozen=True, tag="bounces.list"):
    """List addresses from which mail came back; of: an account or a list."""

    address: str | None = None
    of: str | None = None


class BouncesClear(Request, frozen=True, tag="bounces.clear"):
    """Forget an address, or those of an account or list."""

    address: str | None = None
    of: str | None = None


class StoreCheck(Request, frozen=True, tag="store.check"):
    """Run the integrity list; contents too where deep."""

    deep: bool = False


class StoreReindex(Request, frozen=True, tag="store.reindex"):
    """Make the search index and the attached texts anew.

    Lines `<ids left> <ids in all>` come down meanwhile.
    """


class StoreStatus(Request, frozen=True, tag="store.status"):
    """How far the search index and the attached texts have come."""


AnyRequest = (
    DomainAdd
    | DomainCatchAll
    | DomainList
    | DomainRemove
    | DomainKeys
    | DomainRotateKeys
    | DomainDns
    | AccountAdd
    | AccountList
    | AccountPassword
    | AccountQuota
    | AccountSet
    | AccountDisable
    | AccountRemove
    | AliasAdd
    | AliasList
    | AliasRemove
    | MailboxList
    | MailboxRights
    | MailboxShare
    | MessageList
    | MessageShow
    | MessageRaw
    | MessageImport
    | MessageStory
    | MessageTrace
    | QueueList
    | QueueChange
    | HeldList
    | HeldCancel
    | TokenAdd
    | TokenList
    | TokenRevoke
    | CertificateAdd
    | CertificateList
    | CertificateRemove
    | BouncesList
    | BouncesClear
    | StoreCheck
    | StoreReindex
    | StoreStatus
)
