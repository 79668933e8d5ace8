"""Compose a delivery report: its octets before and after what it returns (RFC 6522, RFC 3464).

The report has three parts: words for people, fields for machines, and the message or its
header.  The two ends are made here; who sends the report puts the returned octets between
them in blocks, so that a report of any size is never in memory whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

from mailbox_server.mime.composing import begin_message
from mailbox_server.mime.reports.delivery_status import DeliveryStatus
from mailbox_server.mime.reports.returned import Returned, label
from mailbox_server.mime.reports.status_fields import write_status
from mailbox_server.model.address import Address


@dataclass(frozen=True, slots=True)
class ReportHeader:
    """The header fields of a report; message_id without brackets."""

    sender: Address
    sender_name: str
    recipient: Address
    subject: str
    date: datetime
    message_id: str
    extra_fields: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Ends:
    """What stands before the returned octets, and after them.

    eight_bit: whether octets beyond ASCII may be in it (BODY of the envelope).
    """

    before: bytes
    after: bytes
    eight_bit: bool


def compose_report(
    header: ReportHeader,
    text: str,
    status: DeliveryStatus,
    returned: Returned,
    *,
    boundary: str,
    utf8: bool,
    eight_bit: bool,
) -> Ends:
    """Both ends of a report; what comes between is CRLF lines, the last one ended or not.

    text: for people, lines of at most 78 characters.  boundary: an atom by chance, so that
    nothing returned can hold it.  utf8: the reader takes UTF-8 fields (RFC 6533); without
    it all is seven bits but a whole message that is not (eight_bit).

    Raises ValueError as compose_text does.
    """
    message = begin_message(
        sender=header.sender,
        recipient=header.recipient,
        subject=header.subject,
        date=header.date,
        message_id=header.message_id,
        sender_name=header.sender_name,
        extra_fields=header.extra_fields,
    )
    third = label(returned, utf8=utf8, eight_bit=eight_bit)
    is_eight_bit = utf8 or third.encoding == "8bit"
    second = "message/global-delivery-status" if utf8 else "message/delivery-status"
    delimiter = f"--{boundary}\r\n".encode("ascii")
    fields = (
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        f' boundary="{boundary}"\r\n'
        f"Content-Transfer-Encoding: {'8bit' if is_eight_bit else '7bit'}\r\n\r\n"
    )
    before = (
        message.as_bytes().removesuffix(b"\r\n"),
        fields.encode("ascii"),
        delimiter,
        _text_part(text, utf8=utf8),
        delimiter,
        _part_header(second, "8bit" if utf8 else "7bit", "Delivery report"),
        write_status(status, utf8=utf8),
        b"\r\n",
        delimiter,
        _part_header(third.media_type, third.encoding, _description(returned)),
    )
    return Ends(b"".join(before), f"\r\n--{boundary}--\r\n".encode("ascii"), is_eight_bit)


def _description(returned: Returned) -> str:
    return "The message" if returned is Returned.WHOLE else "The header of the message"


def _text_part(text: str, *, utf8: bool) -> bytes:
    part = EmailMessage(policy=SMTPUTF8 if utf8 else SMTP.clone(cte_type="7bit"))
    part.set_content(text)
    del part["MIME-Version"]
    return part.as_bytes() + b"\r\n"


def _part_header(media_type: str, encoding: str, description: str) -> bytes:
    return (
        f"Content-Description: {description}\r\n"
        f"Content-Type: {media_type}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode("ascii")
