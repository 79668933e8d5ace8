"""Read a report that comes in: its fields, its words, and what it tells of the message it is about.

Any octets give values; nothing raises.  Bounds: PARTS parts are looked at, TEXT_OCTETS of
words read, status_fields.READ_OCTETS of fields, returned.HEADER_OCTETS of the returned
header.  The returned message itself is never taken for words of the report.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from mailbox_server.mime.attachment import parameter_text
from mailbox_server.mime.charset import decode
from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.markup import markup_text
from mailbox_server.mime.references import message_id
from mailbox_server.mime.reports.delivery_status import DeliveryStatus
from mailbox_server.mime.reports.returned import HEADER_OCTETS
from mailbox_server.mime.reports.status_fields import READ_OCTETS, read_status
from mailbox_server.mime.structure import Part, Structure
from mailbox_server.mime.transfer import transfer_decode

PARTS: Final = 100
TEXT_OCTETS: Final = 64 * 1024

Read = Callable[[int, int], bytes]
"""Start and length in the content to octets; fewer than asked for only at its end."""

_HEADERS_ONLY: Final = (b"rfc822-headers", b"global-headers")


@dataclass(frozen=True, slots=True)
class ReturnedFields:
    """What the returned message or header says, as far as there is one; "" and () if not.

    to: the field as text.
    """

    message_id: str = ""
    to: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class ReadReport:
    """A message read as a report, whether it is one or not.

    status: None where no part holds fields.
    text: the words for people, at most TEXT_OCTETS characters; "" where there are none.
    header: the fields of the message itself.
    is_complaint: a reader reports abuse (RFC 5965); nothing was undeliverable.
    """

    header: HeaderFields
    status: DeliveryStatus | None
    text: str
    returned: ReturnedFields
    is_complaint: bool = False


def read_report(header: bytes, structure: Structure, read: Read) -> ReadReport:
    """Look for the three parts of a report, in whatever order and wherever they stand."""
    status: DeliveryStatus | None = None
    returned: ReturnedFields | None = None
    texts: list[str] = []
    left = TEXT_OCTETS
    is_complaint = False
    for part in _parts(structure.root):
        kind, name = part.media_type, part.media_subtype
        if kind == b"message" and name.endswith(b"delivery-status"):
            if status is None or not status.recipients:
                status = read_status(_octets(part, read, READ_OCTETS))
        elif kind == b"message" and name == b"feedback-report":
            is_complaint = True
        elif kind == b"message" or name in _HEADERS_ONLY:
            if returned is None:
                returned = _returned(part, read)
        elif kind == b"text" and left > 0:
            text = _text(part, read, left)
            left -= len(text)
            texts.append(text)
    return ReadReport(
        HeaderFields(header),
        status,
        "\n".join(texts),
        returned or ReturnedFields(),
        is_complaint,
    )


def _parts(root: Part) -> Iterator[Part]:
    """Leaves and messages, without looking into messages; the first PARTS of them."""
    waiting, seen = [root], 0
    while waiting and seen < PARTS:
        part = waiting.pop()
        if part.is_multipart:
            waiting.extend(reversed(part.children[:PARTS]))
            continue
        seen += 1
        yield part


def _octets(part: Part, read: Read, most: int) -> bytes:
    octets = read(part.body_start, min(part.size, most))
    return transfer_decode(octets, part.encoding, most)


def _text(part: Part, read: Read, most: int) -> str:
    octets = _octets(part, read, most)
    label = parameter_text(part.parameters, b"charset") or None
    text = decode(octets, label, may_guess=False)
    return markup_text(text) if part.media_subtype == b"html" else text[:most]


def _returned(part: Part, read: Read) -> ReturnedFields:
    fields = HeaderFields(_octets(part, read, HEADER_OCTETS))
    return ReturnedFields(
        message_id=message_id(fields.first(b"message-id")) or "",
        to=decode_words(fields.first(b"to") or b"")[:TEXT_OCTETS],
        subject=decode_words(fields.first(b"subject") or b"")[:TEXT_OCTETS],
    )
