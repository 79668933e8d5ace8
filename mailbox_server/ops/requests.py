"""What an operator may ask of the appliance, and the rows that come back, as plain values.

They travel as JSON over the control socket (ops.control) and are printed by the verbs of
cli.  Addresses, domains and mailbox names are text here and parsed by whoever acts on them;
instants are ISO 8601 in UTC.
"""

import msgspec

from mailbox_server.model.errors import Unavailable
from mailbox_server.ops.queue_requests import (
    ChangedRow,
    QueueChange,
    QueueList,
    QueueRow,
)
from mailbox_server.ops.request_roots import Request as Request
from mailbox_server.ops.request_roots import Row as Row
from mailbox_server.ops.request_roots import instant as instant
from mailbox_server.ops.story_requests import (
    EvidenceRow,
    FoundRow,
    MessageStory,
    MessageTrace,
    StoryRow,
)


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


class DomainRow(Row, frozen=True, tag="domain"):
    """A hosted domain; missing: its catch-all where nobody has that address yet."""

    domain: str
    catch_all: str | None
    created: str
    missing: list[str] = msgspec.field(default_factory=list)


class KeyRow(Row, frozen=True, tag="key"):
    """A signing key, without its private part.

    state: waiting, signing, retired, or revoked when it was just forgotten.
    seen: since when its record is known to stand in the DNS.  record, value: the TXT record
    that publishes it.
    """

    selector: str
    algorithm: str
    state: str
    created: str
    since: str
    seen: str | None
    record: str
    value: str


class RecordRow(Row, frozen=True, tag="record"):
    """A record that the DNS should hold.

    need: required, recommended, optional, or later.  standing: ok, missing, differs or
    unknown where it was looked up; found: what is there instead or why that is not known.
    """

    name: str
    type: str
    value: str
    need: str
    note: str
    standing: str | None = None
    found: list[str] = msgspec.field(default_factory=list)


class AccountRow(Row, frozen=True, tag="account"):
    """An account; a quota of 0 is unlimited."""

    address: str
    state: str
    messages: int
    octets: int
    quota_octets: int
    created: str
    quota_messages: int = 0
    is_administrator: bool = False
    is_shared: bool = False


class AliasRow(Row, frozen=True, tag="alias"):
    """An alias; missing: targets that nobody has yet, told when it is added."""

    address: str
    targets: list[str]
    created: str
    missing: list[str] = msgspec.field(default_factory=list)


class MailboxRow(Row, frozen=True, tag="mailbox"):
    """A mailbox with its counts."""

    id: str
    name: str
    role: str | None
    messages: int
    unseen: int
    octets: int
    uid_next: int
    subscribed: bool


class RightRow(Row, frozen=True, tag="right"):
    """What somebody may do in a mailbox; holder as IMAP's lists name it."""

    holder: str
    rights: str


class MessageRow(Row, frozen=True, tag="message"):
    """A message as it lies in a mailbox."""

    id: str
    uid: int
    received: str
    size: int
    flags: list[str]
    sender: str
    subject: str


class PassportRow(Row, frozen=True, tag="passport"):
    """All that is known of one message."""

    id: str
    thread: str
    account: str
    size: int
    received: str
    sender: str
    subject: str
    places: list[str]
    evidence: list[EvidenceRow]


class ImportedRow(Row, frozen=True, tag="imported"):
    """Where an imported message went."""

    id: str
    mailbox: str
    uid: int
    octets: int


class TokenRow(Row, frozen=True, tag="token"):
    """An app password; secret is only filled when it was just made."""

    token: int
    name: str
    scope: str
    created: str
    expires: str | None
    last_used: str | None
    secret: str | None = None


class CertificateRow(Row, frozen=True, tag="certificate"):
    """A certificate that logs in; fingerprint is SHA-256 in hexadecimal digits."""

    certificate: int
    name: str
    scope: str
    subject: str
    fingerprint: str
    created: str
    expires: str | None
    last_used: str | None


class BounceRow(Row, frozen=True, tag="bounce"):
    """An address from which mail came back.

    of: the account that wrote there, or the list; then score tells how often it came back.
    words: what was said of it last.
    """

    address: str
    of: str
    state: str
    score: str | None
    cause: str
    times: int
    since: str
    last: str
    words: str


class ClearedRow(Row, frozen=True, tag="cleared"):
    """How many rows were forgotten."""

    cleared: int


class FindingRow(Row, frozen=True, tag="finding"):
    """One violated invariant."""

    invariant: str
    detail: str


class IndexRow(Row, frozen=True, tag="index"):
    """The search index and the texts of attached documents.

    messages: in it.  behind: message ids that it has still to go over; searches look at those
    themselves.  octets: on the disk.  documents: how many with which outcome.
    documents_behind: message ids whose documents have still to be read; nothing is found in
    those.
    """

    messages: int
    behind: int
    octets: int
    documents: str = "none"
    documents_behind: int = 0
    documents_octets: int = 0


AnyRow = (
    DomainRow
    | KeyRow
    | RecordRow
    | AccountRow
    | AliasRow
    | MailboxRow
    | RightRow
    | MessageRow
    | PassportRow
    | ImportedRow
    | StoryRow
    | FoundRow
    | QueueRow
    | ChangedRow
    | TokenRow
    | CertificateRow
    | BounceRow
    | ClearedRow
    | FindingRow
    | IndexRow
)


class ServerFault(Unavailable):
    """The server met a fault of its own; its log has more."""


class Hello(msgspec.Struct, frozen=True):
    """What a server says first; protocol is control_frames.PROTOCOL."""

    protocol: int
    version: str


class Rows(msgspec.Struct, frozen=True, tag_field="answer", tag="rows"):
    """A positive answer."""

    rows: list[AnyRow] = msgspec.field(default_factory=list)


class Failure(msgspec.Struct, frozen=True, tag_field="answer", tag="failure"):
    """A refusal; kind is the name of the error, sentence is for the operator.

    temporary: the same request may succeed later.
    """

    kind: str
    sentence: str
    temporary: bool = False


Answer = Rows | Failure
