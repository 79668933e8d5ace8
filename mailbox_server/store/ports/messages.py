"""Messages in the store: storing, viewing, changing, copying and expunging them."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Protocol

from mailbox_server.model.ids import (
    AccountId,
    ContentId,
    MailboxId,
    MessageId,
    ModSeq,
    ThreadId,
)
from mailbox_server.model.keywords import FlagKind
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.message import Analysis, InternalDate, Placed, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.model.uid_set import UidSet


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
    start of the content.  The three of LISTED are model.message.ListedFields, None where the
    fields are too many to keep: then only the header itself will do.  ENDS_LINE is 0 where
    the content's last line lacks its CRLF.  SENT_DAY is None also where the message is older
    than that column.  CHANGED is the modseq of the placement's last
    change; of an expunged one that is its expunge, and its flags are what they were then.
    """

    MESSAGE = "message: int"
    KEYWORD_SET = "keyword_set: int"
    DELETED = "deleted: int, 0 or 1"
    CHANGED = "changed: int, modseq"
    THREAD = "thread: int"
    CONTENT = "content: int"
    SIZE = "size: int"
    ENDS_LINE = "ends_line: int, 0 or 1"
    TRACE = "trace: bytes"
    RECEIVED = "received: int, seconds"
    ZONE = "zone: int, minutes"
    DATED = "dated: bytes of mime.internal_date, the two before"
    SAVED = "saved: int, seconds"
    SENT = "sent: int or None, seconds"
    SENT_DAY = "sent_day: int or None, days from 1970 in the zone of the Date field"
    HEADER_OCTETS = "header_octets: int"
    PARTS = "parts: bytes of mime.part_table"
    ENVELOPE = "envelope: bytes"
    BODY = "body: bytes"
    BODY_STRUCTURE = "body_structure: bytes"
    LISTED = "listed: bytes or None, its first"
    LISTED_REST = "listed_rest: bytes or None, its rest"
    LISTED_ORDER = "listed_order: bytes or None, its order"
    PREVIEW = "preview: str"
    SUBJECT_BASE = "subject_base: str"


class Edit(Enum):
    """How STORE changes flags (RFC 9051 §6.4.6)."""

    ADD = "+"
    REMOVE = "-"
    REPLACE = "="


@dataclass(frozen=True, slots=True)
class FlagChange:
    """One STORE: names in stored form (model.keywords), `\\Deleted` among them or not.

    spares: the kinds that REPLACE leaves as they are.
    """

    edit: Edit
    names: frozenset[str]
    spares: frozenset[FlagKind] = frozenset()


@dataclass(frozen=True, slots=True)
class Copier:
    """Who copies messages, and which flags it may set where they go.

    Whose \\Seen is copied, and to whom it belongs there.
    """

    account: AccountId
    may_set: frozenset[FlagKind]


@dataclass(frozen=True, slots=True)
class FlagMoves:
    """How a view of a mailbox comes over a STORE without asking for the changes.

    before: the mailbox's highest modseq until then; only a view that stands there may.
    states: what became of each (keyword set, 0 or 1 for \\Deleted); those that are not named
    stayed as they were, and keep their modseq.  names: of the keyword sets in states.
    """

    before: ModSeq
    states: Mapping[tuple[int, int], tuple[int, int]]
    names: Mapping[int, frozenset[str]]


@dataclass(frozen=True, slots=True)
class FlagOutcome:
    """What a STORE did: modseq of the write; UIDs that UNCHANGEDSINCE kept it from.

    moves: None where nothing changed, and where placements of the mailbox changed that were
    not asked for.
    """

    modseq: ModSeq
    modified: UidSet
    moves: FlagMoves | None = None


@dataclass(frozen=True, slots=True)
class Expunged:
    """What an expunge took out of a mailbox: before and modseq are its highest modseqs.

    is_part: whether some of what was asked for was left for another call.
    """

    uids: UidSet
    before: ModSeq
    modseq: ModSeq
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Copied:
    """COPYUID: the nth of sources became the nth of targets (RFC 4315 §3).

    gone: what a move took out of the source.
    """

    uid_validity: int
    sources: UidSet
    targets: UidSet
    gone: Expunged | None = None


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
    evidence: what its passport begins with.  fingerprint: of the SMTP transaction that
    brought it (ports.Receipt), with evidence only.
    """

    content: ContentId
    trace: bytes
    analysis: Analysis
    received: InternalDate
    keywords: frozenset[str]
    targets: tuple[Target, ...]
    evidence: tuple[Evidence, ...] = ()
    fingerprint: bytes | None = None


class TextScope(StrEnum):
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

    size: trace and content.  listed: mime.header_fields.FIRST_FIELDS as received; None
    where what is listed is too much to keep.
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

    def view(self, mailbox: MailboxId, reader: AccountId | None = None) -> ViewRows:
        """All live placements, as its owner sees them, or a reader who is not the owner.

        Raises MailboxMissing.
        """

    def changes_since(
        self,
        mailbox: MailboxId,
        modseq: ModSeq,
        limit: int = 5_000,
        reader: AccountId | None = None,
    ) -> Changes:
        """Everything that changed in mailbox after modseq, as its owner or a reader sees it.

        Raises MailboxMissing; StateTooOld when expunges that old have been forgotten.
        """

    def rows(
        self,
        mailbox: MailboxId,
        uids: Sequence[int],
        columns: Sequence[Column],
        reader: AccountId | None = None,
    ) -> list[tuple[object, ...]]:
        """Of each placement named by ascending uids, (uid, *columns), by ascending UID.

        Placements expunged within the tombstone time are still answered (a session that
        was not told of the expunge may fetch them); UIDs never given are left out.  Ask
        for at most 500 at a time.  reader: for whom KEYWORD_SET is numbered.
        """

    def keyword_sets(
        self, account: AccountId, ids: Sequence[int], *, for_reader: bool = False
    ) -> Mapping[int, frozenset[str]]:
        """The keywords of each keyword set of an account; as readers of its mailboxes, and not
        the account itself, are given their numbers where for_reader is set."""

    def matching(
        self, mailbox: MailboxId, criterion: TextCriterion, within: Sequence[int]
    ) -> list[int]:
        """Those of the ascending UIDs whose text matches, ascending; exact, may scan.

        Ask for at most 2,000 at a time.
        """

    def matching_of_little(
        self,
        mailbox: MailboxId,
        criterion: TextCriterion,
        within: Sequence[int],
        most_octets: int,
    ) -> list[int] | None:
        """As matching; None where more than so much has to be looked through."""


class MessageWriter(MessageReader, Protocol):
    """Messages, to change.  Steps of at most 10,000 UIDs to change flags, of 5,000 to move or
    expunge; copy takes any."""

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
        reader: AccountId | None = None,
    ) -> FlagOutcome:
        """Change flags; UIDs that are gone are skipped.

        reader: who changes them and is not the owner; then \\Seen is the reader's.

        Rows whose flags stay as they are keep their modseq.  Raises TooManyKeywords.
        """

    def copy(
        self,
        mailbox: MailboxId,
        uids: Sequence[int],
        target: MailboxId,
        copier: Copier | None = None,
    ) -> Copied:
        """Place the same messages in target, all or none, flags and dates kept.

        copier: where one of the mailboxes is not its own; new messages are made then, with
        those of the flags that it may set.

        Raises MailboxMissing, OverQuota (into another account).
        """

    def move(
        self,
        mailbox: MailboxId,
        uids: Sequence[int],
        target: MailboxId,
        copier: Copier | None = None,
    ) -> Copied:
        """copy and expunge in one (RFC 6851 §3.3)."""

    def expunge(self, mailbox: MailboxId, within: Sequence[int] | None = None) -> Expunged:
        """Expunge placements flagged \\Deleted, of the given UIDs, or of all at most 5,000.

        Returns those expunged now, where that is dear only some of those asked for; call
        again until there are none.
        """

    def remove(self, mailbox: MailboxId, uids: Sequence[int]) -> UidSet:
        """Expunge the given placements whatever their flags."""

    def forget_tombstones(self, before: datetime) -> int:
        """Forget expunges from before then, at most 1,000; call again until it is 0."""
