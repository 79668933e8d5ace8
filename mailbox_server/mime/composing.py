"""Build the simple text messages that the appliance itself sends: notices, the welcome."""

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.headerregistry import BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, Policy
from typing import Any, Final

from mailbox_server.model.address import Address


class _AsItIs(BaseHeader):
    """A field whose value is written as it is: the library would decode an address in which
    it sees an encoded word, into another one or one that it cannot write (RFC 2047 §5)."""

    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds["decoded"], kwds["parse_tree"] = value, None

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_FIELDS: Final = HeaderRegistry()
_FIELDS.map_to_type("to", _AsItIs)
_SEVEN_BIT: Final = SMTP.clone(cte_type="7bit", header_factory=_FIELDS)
_EIGHT_BIT: Final = SMTPUTF8.clone(header_factory=_FIELDS)


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
    message = EmailMessage(policy=_SEVEN_BIT if is_ascii else _EIGHT_BIT)
    message["Date"] = date
    message["From"] = _header_address(sender, sender_name)
    message["To"] = str(recipient)
    message["Subject"] = subject
    message["Message-ID"] = f"<{message_id}>"
    for name, value in extra_fields:
        message[name] = value
    return message


def _header_address(address: Address, name: str) -> HeaderAddress:
    return HeaderAddress(name, address.local.text, str(address.domain))
