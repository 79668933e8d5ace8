"""Work out once, at delivery, all that is kept beside a message for its readers.

Positions and sizes are those of the content.  The message that readers see is trace +
content: they add len(trace) to offsets and sizes.  Envelope, listed fields and
the rest are the same with and without the trace, which holds none of their fields.
"""

from mailbox_server.mime.attachment import has_attachment
from mailbox_server.mime.base_subject import base_subject
from mailbox_server.mime.body_structure import body_structure
from mailbox_server.mime.dates import read_date
from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.envelope import envelope_of
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.normal_form import normalize_stripped
from mailbox_server.mime.part_table import write_part_table
from mailbox_server.mime.references import ancestors, message_id
from mailbox_server.mime.search_text import search_text
from mailbox_server.mime.structure import Structure
from mailbox_server.mime.text import Read, preview, read_texts
from mailbox_server.model.message import Analysis


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
    sent = None if date is None else read_date(date)
    searched = search_text(structure, fields, texts, read)
    # Fields beyond what the scanner kept of the header are not listed either.
    is_whole = len(header) == structure.root.body_start
    return Analysis(
        header_octets=structure.root.body_start,
        part_table=write_part_table(structure),
        envelope=envelope_of(fields),
        body=body,
        body_structure=extended,
        listed_fields=fields.listed() if is_whole else None,
        sent=None if sent is None else sent.epoch_seconds,
        sent_day=None if sent is None else sent.day,
        preview=preview(texts),
        has_attachment=has_attachment(structure),
        subject_base=normalize_stripped(base_subject(subject)),
        message_id=message_id(fields.first(b"message-id")),
        references=ancestors(fields.first(b"references"), fields.first(b"in-reply-to")),
        search_header=searched.header,
        search_text=searched.body,
        text_is_cut=searched.is_cut,
    )
