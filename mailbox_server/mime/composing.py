"""Build the simple text messages that the appliance itself sends: notices, the welcome."""

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8


def compose_text(
    *,
    author: tuple[str, str],
    recipients: Sequence[tuple[str, str]],
    subject: str,
    text: str,
    date: datetime,
    message_id: str,
    extra_fields: Sequence[tuple[str, str]] = (),
) -> bytes:
    """A message with one text/plain part in UTF-8, as CRLF octets.

    author, recipients: display name (may be empty) and address, `local@domain`.
    date: with its time zone.  message_id: without angle brackets.
    extra_fields: further header fields, such as Auto-Submitted (RFC 3834 §5).

    For our own words only: raises ValueError for an address or a field that is not one
    line of well-formed text.
    """
    addresses = [address for _, address in (author, *recipients)]
    # Seven bits wherever addresses allow: such a notice passes through any server.
    is_ascii = all(address.isascii() for address in addresses)
    policy = SMTP.clone(cte_type="7bit") if is_ascii else SMTPUTF8
    message = EmailMessage(policy=policy)
    message["Date"] = date
    message["From"] = _header_address(author)
    message["To"] = [_header_address(each) for each in recipients]
    message["Subject"] = subject
    message["Message-ID"] = f"<{message_id}>"
    for name, value in extra_fields:
        message[name] = value
    message.set_content(text)
    return message.as_bytes(policy=policy)


def _header_address(named: tuple[str, str]) -> HeaderAddress:
    name, address = named
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        raise ValueError("an address is local@domain")
    return HeaderAddress(name, local, domain)
