"""The rows that answer an operator's requests, as plain values; the verbs of cli print them.

Instants are ISO 8601 in UTC.
"""

import msgspec

from mailbox_server.ops.queue_requests import ChangedRow, HeldRow, QueueRow
from mailbox_server.ops.request_roots import Row
from mailbox_server.ops.story_requests import EvidenceRow, FoundRow, StoryRow


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


class SampleRow(msgspec.Struct, frozen=True):
    """What a nightly sample came to: when it ended, how many searches were tried, how many of
    them went wrong.
    """

    ended: str
    tried: int
    wrong: int


class IndexRow(Row, frozen=True, tag="index"):
    """The search index and the texts of attached documents.

    messages: in it.  behind: message ids that it has still to go over; searches look at those
    themselves.  octets: on the disk.  documents: how many with which outcome.
    documents_behind: message ids whose documents have still to be read; nothing is found in
    those.  sampled, documents_sampled: the last nightly sample of each, also of what was thrown
    away for it; None where there was none.
    """

    messages: int
    behind: int
    octets: int
    documents: str = "none"
    documents_behind: int = 0
    documents_octets: int = 0
    sampled: SampleRow | None = None
    documents_sampled: SampleRow | None = None


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
    | HeldRow
    | ChangedRow
    | TokenRow
    | CertificateRow
    | BounceRow
    | ClearedRow
    | FindingRow
    | IndexRow
)
