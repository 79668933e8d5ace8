"""Work out once, at delivery, all that is kept beside a message for its readers.

Positions and sizes are those of the content.  The message that readers see is trace +
content: they add len(trace) to offsets, header size and size.  Envelope, listed fields and
the rest are the same with and without the trace, which holds none of their fields.
"""

from dataclasses import dataclass

from mailbox_server.mime.attachment import has_attachment
from mailbox_server.mime.base_subject import base_subject
from mailbox_server.mime.body_structure import body_structure
from mailbox_server.mime.dates import SentDate, read_date
from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.envelope import envelope_of
from mailbox_server.mime.header_fields import HeaderFields, listed_fields
from mailbox_server.mime.part_table import write_part_table
from mailbox_server.mime.references import message_id, message_ids
from mailbox_server.mime.search_text import SearchText, search_text
from mailbox_server.mime.structure import Structure
from mailbox_server.mime.text import Read, normalize, preview, read_texts


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the store keeps of a message beside its content.

    part_table: for `part_table.read_part_table`.
    envelope, body, body_structure: ready IMAP octets.
    listed_fields: for `header_fields.select` within LISTED_FIELDS; None if they are too
        many to keep, then the header is read.
    header_size, size: octets of the content's header block (with its blank line) and of
        the content.
    sent: the Date field; None if there is none that can be read.
    subject: decoded, on one line.
    subject_base: what conversations and SORT compare (RFC 5256 §2.1), case folded.
    message_id, in_reply_to, references: without angle brackets; the nearest ancestor of
        references is last.
    """

    part_table: bytes
    envelope: bytes
    body: bytes
    body_structure: bytes
    listed_fields: bytes | None
    header_size: int
    size: int
    sent: SentDate | None
    preview: str
    has_attachment: bool
    search_text: SearchText
    subject: str
    subject_base: str
    message_id: str | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]


def analyze(structure: Structure, header: bytes, read: Read) -> Analysis:
    """All of it for a scanned content.

    header: as `Scanner.header` gives it.  read: gives octets of the content by start and
    length; what it raises passes through, nothing else is raised.
    """
    fields = HeaderFields(header)
    body, extended = body_structure(structure)
    texts = read_texts(structure, read)
    subject = decode_words(fields.first(b"subject") or b"")
    date = fields.first(b"date")
    # Fields beyond what the scanner kept of the header are not listed either.
    is_whole = len(header) == structure.root.body_start
    return Analysis(
        part_table=write_part_table(structure),
        envelope=envelope_of(fields),
        body=body,
        body_structure=extended,
        listed_fields=listed_fields(header) if is_whole else None,
        header_size=structure.root.body_start,
        size=structure.size,
        sent=None if date is None else read_date(date),
        preview=preview(texts),
        has_attachment=has_attachment(structure),
        search_text=search_text(structure, fields, texts),
        subject=subject,
        subject_base=normalize(base_subject(subject)).strip(),
        message_id=message_id(fields.first(b"message-id")),
        in_reply_to=message_ids(fields.first(b"in-reply-to")),
        references=message_ids(fields.first(b"references")),
    )
