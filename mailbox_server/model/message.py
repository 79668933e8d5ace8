"""Messages as the store knows them: content octets, what was computed at delivery, placements."""

from dataclasses import dataclass

from mailbox_server.model.ids import MailboxId, MessageId, ThreadId, Uid


@dataclass(frozen=True, slots=True)
class InternalDate:
    """IMAP's internal date: the moment and the zone it was given in (RFC 9051 §2.3.3).

    seconds: since 1970-01-01 UTC, whole.  zone_minutes: east of UTC, -1439 to 1439.
    """

    seconds: int
    zone_minutes: int = 0


@dataclass(frozen=True, slots=True)
class ListedFields:
    """The raw header fields that clients list by, apart by how often they are asked for.

    first: those of mime.header_fields.FIRST_FIELDS, in their order; rest: the others, in
        theirs.
    order: an octet for each field of the header's order, 1 for one of first and 0 for one
        of rest (mime.header_fields.merged).
    """

    first: bytes
    rest: bytes = b""
    order: bytes = b""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is computed once, when a message is stored (store.md §5).

    All offsets count from the start of the content; a reader who serves trace + content
    adds the length of the trace, whose fields are none of the listed ones.

    header_octets: length of the content's header with the empty line that ends it.
    part_table: the MIME tree as mime.part_table writes it.
    envelope, body, body_structure: ready IMAP octets.
    listed_fields: the raw header fields of mime.header_fields.LISTED_FIELDS;
        None where they are too many to keep: then the header itself must be read.
    sent: the Date field in seconds since 1970, or None.
    sent_day: the day, from 1970, that the Date field says in its own zone, or None.
    preview: at most 200 characters (RFC 8970).
    subject_base: RFC 5256 §2.1 base subject, normalized; "" where there is none.
    message_id, references: without brackets; at most the last 100 references,
        In-Reply-To included.
    search_header: normalized text of the header fields people search, search_text: of the
        decoded text parts, attachment names and embedded headers.
    text_is_cut: search_text is not all there is: a search must look into the content too.
    """

    header_octets: int
    part_table: bytes
    envelope: bytes
    body: bytes
    body_structure: bytes
    listed_fields: ListedFields | None
    sent: int | None
    sent_day: int | None
    preview: str
    has_attachment: bool
    subject_base: str
    message_id: str | None
    references: tuple[str, ...]
    search_header: str
    search_text: str
    text_is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Where a new message goes: a mailbox, and the keywords it starts with there.

    mailbox: None is the account's INBOX.
    deleted: starts with \\Deleted in this mailbox (only APPEND can ask for it).
    """

    mailbox: MailboxId | None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of storing a message in one mailbox."""

    mailbox: MailboxId
    uid_validity: int
    uid: Uid
    message: MessageId
    thread: ThreadId
