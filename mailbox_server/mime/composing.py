"""Build the simple text messages that the appliance itself sends: notices, the welcome."""

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

from mailbox_server.model.address import Address


def compose_text(
    *,
    sender: Address,
    recipient: Address,
    subject: str,
    text: str,
    date: datetime,
    message_id: str,
    sender_name: str = "",
    extra_fields: Sequence[tuple[str, str]] = (),
) -> bytes:
    """A message with one text/plain part in UTF-8, as CRLF octets.

    date: with its time zone.  message_id: without angle brackets.
    extra_fields: further header fields, such as Auto-Submitted (RFC 3834 §5).

    For our own words only: raises ValueError for a subject or field that is not one line
    of well-formed text.
    """
    message = begin_message(
        sender=sender,
        recipient=recipient,
        subject=subject,
        date=date,
        message_id=message_id,
        sender_name=sender_name,
        extra_fields=extra_fields,
    )
    message.set_content(text)
    return message.as_bytes()


def begin_message(
    *,
    sender: Address,
    recipient: Address,
    subject: str,
    date: datetime,
    message_id: str,
    sender_name: str = "",
    extra_fields: Sequence[tuple[str, str]] = (),
) -> EmailMessage:
    """The header fields of compose_text, with its rules, and nothing below them yet."""
    # Seven bits wherever addresses allow: such a notice passes through any server.
    is_ascii = sender.is_ascii and recipient.is_ascii
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit") if is_ascii else SMTPUTF8)
    message["Date"] = date
    message["From"] = _header_address(sender, sender_name)
    message["To"] = _header_address(recipient, "")
    message["Subject"] = subject
    message["Message-ID"] = f"<{message_id}>"
    for name, value in extra_fields:
        message[name] = value
    return message


def _header_address(address: Address, name: str) -> HeaderAddress:
    return HeaderAddress(name, address.local.text, str(address.domain))
