"""The store's contract: what every room may ask of it, in the words of the domain.

`await store.read(work)` and `await store.write(work)` run work, a plain synchronous
function of a transaction, on a database thread.  work never waits, touches nothing but its
transaction, may be run again from its start, and returns values.  A write is answered
after its commit has reached the disk; every account it touched took exactly one new modseq
in it and the doorbell has been rung.

Repositories raise the errors of model.errors; an id is always checked against its account
where one is given.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol, TypeVar

from mailbox_server.model.account import (
    Account,
    AccountState,
    Alias,
    Credentials,
    HostedDomain,
    Scope,
    Token,
    Usage,
)
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.ids import (
    AccountId,
    AliasId,
    ContentId,
    MailboxId,
    MessageId,
    ModSeq,
    ThreadId,
    TokenId,
)
from mailbox_server.model.mailbox import Mailbox, MailboxStatus, Role
from mailbox_server.model.message import Analysis, InternalDate, Placed, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.model.uid_set import UidSet

T = TypeVar("T")

# ---------------------------------------------------------------- who


class DomainReader(Protocol):
    """Hosted domains."""

    def find(self, domain: Domain) -> HostedDomain | None:
        """The hosted domain, or None."""

    def all(self) -> list[HostedDomain]:
        """Every hosted domain by name."""


class DomainWriter(DomainReader, Protocol):
    """Hosted domains, to change."""

    def add(self, domain: Domain, catch_all: Address | None, now: datetime) -> HostedDomain:
        """Host a domain.  Raises DomainExists."""

    def set_catch_all(self, domain: Domain, catch_all: Address | None) -> None:
        """Say where mail to unknown local parts goes.  Raises DomainMissing."""

    def remove(self, domain: Domain) -> None:
        """Stop hosting.  Raises DomainMissing, DomainInUse (accounts or aliases remain)."""


class AccountReader(Protocol):
    """Accounts, found by address without regard to case or Unicode form."""

    def find(self, address: Address) -> Account | None:
        """The account of that address, or None."""

    def get(self, account: AccountId) -> Account | None:
        """The account of that id, or None when it was removed."""

    def all(self, domain: Domain | None = None) -> list[Account]:
        """Accounts by address."""

    def credentials(self, account: AccountId) -> Credentials | None:
        """The stored proof of the password; None where it has none."""

    def usage(self, account: AccountId) -> Usage:
        """What the account holds; one row, not a count."""

    def modseq(self, account: AccountId) -> ModSeq:
        """The account's present modseq."""


class AccountWriter(AccountReader, Protocol):
    """Accounts, to change."""

    def add(
        self, address: Address, credentials: Credentials | None, quota_octets: int, now: datetime
    ) -> Account:
        """Open an account with the default mailboxes, subscribed.

        Raises DomainMissing, AccountExists, AliasExists.
        """

    def set_credentials(self, account: AccountId, credentials: Credentials) -> None:
        """Replace the password's proof.  Raises AccountMissing."""

    def set_quota(self, account: AccountId, quota_octets: int) -> None:
        """0 is unlimited.  Raises AccountMissing."""

    def set_state(self, account: AccountId, state: AccountState) -> None:
        """Enable or disable logins.  Raises AccountMissing."""

    def remove(self, account: AccountId) -> None:
        """Remove the account and all it holds.  Raises AccountMissing."""


class AliasReader(Protocol):
    """Aliases, found like accounts."""

    def find(self, address: Address) -> Alias | None:
        """The alias of that address, or None."""

    def all(self, domain: Domain | None = None) -> list[Alias]:
        """Aliases by address."""


class AliasWriter(AliasReader, Protocol):
    """Aliases, to change."""

    def add(self, address: Address, targets: Sequence[Address], now: datetime) -> Alias:
        """Raises DomainMissing, AliasExists, AccountExists."""

    def remove(self, alias: AliasId) -> None:
        """Raises AliasMissing."""


class TokenReader(Protocol):
    """App passwords."""

    def all(self, account: AccountId) -> list[Token]:
        """The account's tokens, oldest first, expired ones included."""

    def find(self, account: AccountId, secret_digest: bytes) -> Token | None:
        """The token with that digest, expired or not."""


class TokenWriter(TokenReader, Protocol):
    """App passwords, to change."""

    def add(
        self,
        account: AccountId,
        name: str,
        scope: Scope,
        secret_digest: bytes,
        expires: datetime | None,
        now: datetime,
    ) -> Token:
        """Raises AccountMissing."""

    def used(self, token: TokenId, at: datetime) -> None:
        """Remember the last use; silent when the token is gone."""

    def revoke(self, account: AccountId, token: TokenId) -> None:
        """Raises TokenMissing."""


# ---------------------------------------------------------------- mailboxes


class MailboxReader(Protocol):
    """Mailboxes by name and id.  Names are in their stored form (model.mailbox)."""

    def all(self, account: AccountId) -> list[Mailbox]:
        """The account's mailboxes by name, INBOX first."""

    def find(self, account: AccountId, name: str) -> Mailbox | None:
        """The mailbox of that name, or None."""

    def get(self, mailbox: MailboxId) -> Mailbox | None:
        """The mailbox of that id, or None when it was deleted."""

    def by_role(self, account: AccountId, role: Role) -> Mailbox | None:
        """The mailbox with that role, or None."""

    def status(self, mailbox: MailboxId) -> MailboxStatus:
        """Its counts, from kept columns.  Raises MailboxMissing."""

    def subscriptions(self, account: AccountId) -> list[str]:
        """Subscribed names, also of mailboxes that do not exist (RFC 3501 §6.3.9)."""


class MailboxWriter(MailboxReader, Protocol):
    """Mailboxes, to change."""

    def create(self, account: AccountId, name: str, role: Role | None = None) -> Mailbox:
        """Create it and the missing levels above; each gets a fresh UIDVALIDITY.

        Raises MailboxExists, TooManyMailboxes.
        """

    def rename(self, account: AccountId, name: str, new_name: str) -> None:
        """Rename with all that lies below.

        INBOX keeps existing and its messages move, what lies below it stays (RFC 9051
        §6.3.6).  Raises MailboxMissing, MailboxExists, MailboxNameMalformed (too deep or
        long, or below itself).
        """

    def delete(self, account: AccountId, name: str) -> None:
        """Delete it with its messages; levels below stay (RFC 9051 §6.3.5).

        Raises MailboxMissing, MailboxProtected for INBOX.
        """

    def subscribe(self, account: AccountId, name: str) -> None:
        """Any name may be subscribed; twice is once."""

    def unsubscribe(self, account: AccountId, name: str) -> None:
        """Silent where it was not subscribed."""

    def claim_recent(self, mailbox: MailboxId) -> tuple[int, int]:
        """Take the UIDs that no session was told of yet as (first, next): RFC 3501 \\Recent."""


# ---------------------------------------------------------------- messages


@dataclass(frozen=True, slots=True)
class ViewRows:
    """Everything a selected view needs, from one snapshot, by ascending UID.

    mailbox: as it was in that snapshot.
    uids: 'I'; messages: 'q' message ids; keyword_sets: 'q' ids of keyword sets (0 is the
    empty set); deleted: one octet a placement, 0 or 1; modseqs: 'q'.
    """

    mailbox: Mailbox
    uids: "array[int]"
    messages: "array[int]"
    keyword_sets: "array[int]"
    deleted: bytes
    modseqs: "array[int]"


@dataclass(frozen=True, slots=True)
class ChangedPlacement:
    """One live placement that is new or changed."""

    uid: int
    message: MessageId
    keyword_set: int
    deleted: bool
    modseq: int
    created: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in a mailbox after a modseq, oldest first, each UID once, newest state.

    mailbox: as it is now.  vanished: UIDs expunged since.  upto: ask again from here while
    complete is False; when complete it is the mailbox's highest modseq.
    """

    mailbox: Mailbox
    changed: tuple[ChangedPlacement, ...]
    vanished: UidSet
    upto: ModSeq
    complete: bool


class Column(Enum):
    """A column that MessageReader.rows can fetch; the value tells its name and its Python type.

    SIZE counts trace and content.  Offsets in PARTS, and HEADER_OCTETS, count from the
    start of the content.  LISTED is None where the fields are too many to keep: then only
    the header itself will do.
    """

    MESSAGE = "message: int"
    THREAD = "thread: int"
    CONTENT = "content: int"
    SIZE = "size: int"
    TRACE = "trace: bytes"
    RECEIVED = "received: int, seconds"
    ZONE = "zone: int, minutes"
    SAVED = "saved: int, seconds"
    SENT = "sent: int or None, seconds"
    HEADER_OCTETS = "header_octets: int"
    PARTS = "parts: bytes of mime.part_table"
    ENVELOPE = "envelope: bytes"
    BODY = "body: bytes"
    BODY_STRUCTURE = "body_structure: bytes"
    LISTED = "listed: bytes of mime.header_fields, or None"
    PREVIEW = "preview: str"
    SUBJECT_BASE = "subject_base: str"


class Edit(Enum):
    """How STORE changes flags (RFC 9051 §6.4.6)."""

    ADD = "+"
    REMOVE = "-"
    REPLACE = "="


@dataclass(frozen=True, slots=True)
class FlagChange:
    """One STORE: names in stored form (model.keywords), `\\Deleted` among them or not."""

    edit: Edit
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class FlagOutcome:
    """What a STORE did: modseq of the write; UIDs that UNCHANGEDSINCE kept it from."""

    modseq: ModSeq
    modified: UidSet


@dataclass(frozen=True, slots=True)
class Copied:
    """COPYUID: sources[i] became targets[i]; both ascend (RFC 4315 §3)."""

    uid_validity: int
    sources: tuple[int, ...]
    targets: tuple[int, ...]


class QuotaRule(Enum):
    """Whether a message may push an account over its quota.

    OVERSHOOT is for mail whose recipient was accepted before (overshoots by one message).
    """

    ENFORCE = "enforce"
    OVERSHOOT = "overshoot"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to store for one account.

    keywords: stored form, without \\Deleted.  received: the internal date.
    """

    content: ContentId
    trace: bytes
    analysis: Analysis
    received: InternalDate
    keywords: frozenset[str]
    targets: tuple[Target, ...]


class TextScope(Enum):
    """Where a text criterion looks (RFC 9051 §6.4.4)."""

    FROM = "From"
    TO = "To"
    CC = "Cc"
    BCC = "Bcc"
    SUBJECT = "Subject"
    HEADER = "header"
    BODY = "body"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class TextCriterion:
    """A substring to find, any case, any Unicode form.

    field: the field name where scope is HEADER; needle "" then asks for its presence.
    """

    scope: TextScope
    needle: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What is known of one message apart from its mailboxes' views.

    size: trace and content.  listed: mime.header_fields.LISTED_FIELDS as received; None
    where they are too many to keep.
    places: (mailbox, uid) of its live placements; empty once it was expunged everywhere.
    """

    account: AccountId
    thread: ThreadId
    content: ContentId
    trace: bytes
    size: int
    received: InternalDate
    listed: bytes | None
    places: tuple[tuple[MailboxId, int], ...]


class MessageReader(Protocol):
    """Messages and their placements."""

    def about(self, message: MessageId) -> MessageFacts | None:
        """One message of any account, for the operator; None when it is forgotten."""

    def view(self, mailbox: MailboxId) -> ViewRows:
        """All live placements.  Raises MailboxMissing."""

    def changes_since(self, mailbox: MailboxId, modseq: ModSeq, limit: int = 5_000) -> Changes:
        """Everything that changed in mailbox after modseq.

        Raises MailboxMissing; StateTooOld when expunges that old have been forgotten.
        """

    def rows(
        self, mailbox: MailboxId, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[object, ...]]:
        """Of each placement named by ascending uids, (uid, *columns), by ascending UID.

        Placements expunged within the tombstone time are still answered (a session that
        was not told of the expunge may fetch them); UIDs never given are left out.  Ask
        for at most 500 at a time.
        """

    def keyword_sets(self, account: AccountId, ids: Sequence[int]) -> Mapping[int, frozenset[str]]:
        """The keywords of each keyword set."""

    def matching(
        self, mailbox: MailboxId, criterion: TextCriterion, within: Sequence[int]
    ) -> list[int]:
        """Those of the ascending UIDs whose text matches, ascending; exact, may scan.

        Ask for at most 2,000 at a time.
        """

    def uid_of(self, mailbox: MailboxId, message: MessageId) -> int | None:
        """The lowest live UID of a message there, or None."""


class MessageWriter(MessageReader, Protocol):
    """Messages, to change.  Steps of at most 2,000 UIDs, except copy."""

    def add(self, account: AccountId, new: NewMessage, quota: QuotaRule) -> tuple[Placed, ...]:
        """Store one message in one or more mailboxes of the account.

        Its thread is found or opened (store.md §4.10).  Raises OverQuota, MailboxMissing,
        AccountMissing, TooManyKeywords.
        """

    def change_flags(
        self,
        mailbox: MailboxId,
        uids: Sequence[int],
        change: FlagChange,
        unchanged_since: ModSeq | None = None,
    ) -> FlagOutcome:
        """Change flags; UIDs that are gone are skipped.

        Rows whose flags stay as they are keep their modseq.  Raises TooManyKeywords.
        """

    def copy(self, mailbox: MailboxId, uids: Sequence[int], target: MailboxId) -> Copied:
        """Place the same messages in target, all or none, flags and dates kept.

        Raises MailboxMissing, OverQuota (into another account).
        """

    def move(self, mailbox: MailboxId, uids: Sequence[int], target: MailboxId) -> Copied:
        """copy and expunge in one (RFC 6851 §3.3)."""

    def expunge(self, mailbox: MailboxId, within: Sequence[int] | None = None) -> UidSet:
        """Expunge placements flagged \\Deleted, of all or of the given UIDs; at most 2,000.

        Returns those expunged now; call again until it is empty.
        """

    def remove(self, mailbox: MailboxId, uids: Sequence[int]) -> UidSet:
        """Expunge the given placements whatever their flags."""

    def forget_destroyed(self, before: datetime) -> int:
        """Give up what is kept of messages destroyed before then, at most 1,000 of them.

        How many; call again until it is 0.
        """

    def forget_tombstones(self, before: datetime) -> int:
        """Forget expunges from before then, at most 1,000; call again until it is 0."""


# ---------------------------------------------------------------- contents and evidence


class StagedContent(Protocol):
    """Content received whole but not yet named by a row; use it in one write or discard it."""

    @property
    def size(self) -> int:
        """Octets."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of the octets."""

    def read(self, start: int, length: int) -> bytes:
        """Octets [start, start + length), shorter at the end; blocking when in a file."""

    @property
    def in_memory(self) -> bool:
        """Whether read never blocks."""

    def discard(self) -> None:
        """Give its room back; silent after it was kept or discarded before."""


class Staging(Protocol):
    """Content while it is received.  Bounded memory: spills to a file."""

    def feed(self, octets: bytes) -> bool:
        """Take more octets, never blocking.  True: await drained() before feeding more."""

    async def drained(self) -> None:
        """Wait until what was fed is out of memory.  Raises DiskLow, StoreUnavailable."""

    async def finish(self) -> StagedContent:
        """All is here; a file is synced with its directory.  Raises DiskLow,
        StoreUnavailable."""

    def discard(self) -> None:
        """Forget it; silent after finish."""


class ContentReader(Protocol):
    """Content octets."""

    def size(self, content: ContentId) -> int:
        """Raises ContentMissing."""

    def read(self, content: ContentId, start: int, length: int) -> bytes:
        """Octets [start, start + length), shorter at the end; at most 1 MiB at a time.

        Raises ContentMissing, ContentDamaged.
        """


class ContentWriter(ContentReader, Protocol):
    """Content octets, to keep."""

    def keep(self, staged: StagedContent) -> ContentId:
        """Give staged content its row; a message must name it in the same write.

        May be called again with the same staged content when work is run again.
        """


class PassportReader(Protocol):
    """Evidence about messages."""

    def of(self, message: MessageId) -> list[Evidence]:
        """Oldest first."""


class PassportWriter(PassportReader, Protocol):
    """Evidence about messages, to add."""

    def stamp(self, message: MessageId, evidence: Sequence[Evidence]) -> None:
        """Append to the message's passport."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was answered to one SMTP transaction: fingerprint, when, which messages.

    messages: object ids as they stand in the reply.
    """

    fingerprint: bytes
    at: datetime
    messages: tuple[MessageId, ...]


class ReceiptReader(Protocol):
    """Replies that may have been lost on the way to the peer (store.md §2)."""

    def find(self, fingerprint: bytes, since: datetime) -> Receipt | None:
        """The unconfirmed receipt of that transaction, not older than since."""


class ReceiptWriter(ReceiptReader, Protocol):
    """Receipts, to change."""

    def add(self, receipt: Receipt) -> None:
        """Remember a transaction; replaces an older one of that fingerprint."""

    def confirm(self, fingerprints: Sequence[bytes]) -> None:
        """The peers saw these replies; forget the receipts."""

    def forget(self, before: datetime) -> None:
        """Drop receipts older than that."""


# ---------------------------------------------------------------- the door


class ReadTx(Protocol):
    """One snapshot."""

    @property
    def domains(self) -> DomainReader: ...
    @property
    def accounts(self) -> AccountReader: ...
    @property
    def aliases(self) -> AliasReader: ...
    @property
    def tokens(self) -> TokenReader: ...
    @property
    def mailboxes(self) -> MailboxReader: ...
    @property
    def messages(self) -> MessageReader: ...
    @property
    def contents(self) -> ContentReader: ...
    @property
    def passports(self) -> PassportReader: ...
    @property
    def receipts(self) -> ReceiptReader: ...


class WriteTx(Protocol):
    """One write; whatever work raises rolls all of it back."""

    @property
    def domains(self) -> DomainWriter: ...
    @property
    def accounts(self) -> AccountWriter: ...
    @property
    def aliases(self) -> AliasWriter: ...
    @property
    def tokens(self) -> TokenWriter: ...
    @property
    def mailboxes(self) -> MailboxWriter: ...
    @property
    def messages(self) -> MessageWriter: ...
    @property
    def contents(self) -> ContentWriter: ...
    @property
    def passports(self) -> PassportWriter: ...
    @property
    def receipts(self) -> ReceiptWriter: ...


class Listening(Protocol):
    """One listener at the doorbell."""

    def close(self) -> None:
        """Stop; silent the second time."""


class Room(Enum):
    """How much can still be stored."""

    AMPLE = "ample"
    LOW = "low"


class Store(Protocol):
    """The door (store.door.SqliteStore is the embedded one)."""

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        """Run work on a snapshot.  Raises StoreUnavailable; what work raises passes."""

    async def write(self, work: Callable[[WriteTx], T]) -> T:
        """Run work; return after the commit is on the disk.

        Cancelling the caller does not cancel the write.  Raises StoreUnavailable (no commit
        was reached) and DiskLow; what work raises rolls back and passes unchanged.
        """

    def glance(self, work: Callable[[ReadTx], T]) -> T:
        """Run work in the calling thread, now; only indexed point queries of small rows."""

    def stage(self, expected: int | None = None) -> Staging:
        """Begin receiving content; expected is the declared size in octets, if any."""

    def listen(self, account: AccountId, ring: Callable[[ModSeq], None]) -> Listening:
        """Call ring in the event loop after each commit that touched the account.

        Rings coalesce; the number only says where the account now stands.
        """

    def room(self) -> Room:
        """Whether new mail may be accepted; cheap, at most a second old."""
