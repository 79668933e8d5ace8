"""MAIL and RCPT as one server may be told them, and what it may not be told at all.

Everything that came from outside is written so that it cannot end a line or a parameter:
addresses are parsed ones, and ENVID and ORCPT go through xtext (RFC 3461 §4).
"""

import re
from datetime import datetime
from typing import Final

from mailbox_server.model.address import Address
from mailbox_server.model.envelope import (
    BodyType,
    Notify,
    OriginalRecipient,
    Recipient,
    Return,
)
from mailbox_server.model.outbound import ByMode, DeliverBy
from mailbox_server.model.reply import Reply
from mailbox_server.relay.client import own_replies
from mailbox_server.relay.client.mail import Mail
from mailbox_server.relay.client.offer import Offer

_UNSAFE: Final = re.compile(r"[^!-~]|[+=]")
_UNSAFE_IN_UTF8: Final = re.compile(r"[^!-~]|[+=\\]")
_ADDRESS_TYPE: Final = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_WISHES: Final = (
    (Notify.SUCCESS, "SUCCESS"),
    (Notify.FAILURE, "FAILURE"),
    (Notify.DELAY, "DELAY"),
)
_ENVELOPE_ID_OCTETS: Final = 100
# RFC 2852 §3: nine digits.
_MOST_BY: Final = 999_999_999


def refusal_of_mail(mail: Mail, offer: Offer, now: datetime, *, is_secured: bool) -> Reply | None:
    """Why this server cannot be given the message at all, or None; our words."""
    if offer.size is not None and mail.size > offer.size:
        return own_replies.too_large(mail.size, offer.size)
    if mail.require_tls and not (is_secured and offer.has("REQUIRETLS")):
        return own_replies.NO_REQUIRETLS
    by = mail.deliver_by
    if by is not None and by.mode is ByMode.RETURN:
        left = _seconds_left(by, now)
        if left <= 0:
            return own_replies.TOO_LATE
        # RFC 2852 §4.1.4.1: not relayed to whom does not keep the promise.
        if not offer.has("DELIVERBY") or left < offer.least_by:
            return own_replies.NO_DELIVERBY
    if mail.reverse_path.address is not None and needs_utf8(mail.reverse_path.address, offer):
        return own_replies.NO_SMTPUTF8
    return None


def needs_utf8(address: Address, offer: Offer) -> bool:
    """Whether this server cannot be told the address: its local part is not ASCII."""
    return not address.is_ascii and not offer.has("SMTPUTF8")


def mail_command(mail: Mail, offer: Offer, now: datetime, *, tells_size: bool = True) -> bytes:
    """The MAIL line with all that the server understands; refusal_of_mail must be None."""
    words = [f"MAIL FROM:<{mail.reverse_path}>"]
    if tells_size and offer.has("SIZE"):
        words.append(f"SIZE={mail.size}")
    if mail.body is BodyType.EIGHT_BIT_MIME and offer.has("8BITMIME"):
        words.append("BODY=8BITMIME")
    if mail.smtputf8 and offer.has("SMTPUTF8"):
        words.append("SMTPUTF8")
    if offer.has("DSN"):
        if mail.ret is not Return.UNSAID:
            words.append(f"RET={mail.ret.value}")
        envelope_id = xtext(mail.envelope_id or "")
        if 0 < len(envelope_id) <= _ENVELOPE_ID_OCTETS:
            words.append(f"ENVID={envelope_id}")
    if mail.require_tls:
        words.append("REQUIRETLS")
    if mail.priority and offer.has("MT-PRIORITY"):
        words.append(f"MT-PRIORITY={mail.priority}")
    if mail.deliver_by is not None and offer.has("DELIVERBY"):
        words.append(_by(mail.deliver_by, now))
    return " ".join(words).encode("utf-8") + b"\r\n"


def rcpt_command(recipient: Recipient, mail: Mail, offer: Offer) -> bytes:
    """The RCPT line with its DSN wishes, where the server understands them."""
    words = [f"RCPT TO:<{recipient.address}>"]
    if offer.has("DSN"):
        notify = _notify(recipient.notify, mail, offer)
        if notify:
            words.append(f"NOTIFY={notify}")
        if recipient.original is not None and (original := _original(recipient.original)):
            words.append(f"ORCPT={original}")
    return " ".join(words).encode("utf-8") + b"\r\n"


def xtext(text: str) -> str:
    """Encode as xtext (RFC 3461 §4): an octet a character, as it was decoded."""
    return _UNSAFE.sub(_hexadecimal, text)


def _hexadecimal(found: re.Match[str]) -> str:
    character = found[0]
    octets = character.encode("latin-1" if character <= "\xff" else "utf-8", "replace")
    return "".join(f"+{octet:02X}" for octet in octets)


def _notify(notify: Notify, mail: Mail, offer: Offer) -> str:
    if Notify.NEVER in notify:
        return "NEVER"
    by = mail.deliver_by
    if by is not None and by.mode is ByMode.NOTIFY and not offer.has("DELIVERBY"):
        # RFC 2852 §4.1.4.2: who does not know the wish is asked to tell of delays instead.
        notify |= Notify.DELAY if notify else Notify.FAILURE | Notify.DELAY
    return ",".join(word for flag, word in _WISHES if flag in notify)


def _original(original: OriginalRecipient) -> str:
    """ORCPT, or "" where it cannot be written: nobody is harmed by its lack."""
    if not original.address or not _ADDRESS_TYPE.match(original.address_type):
        return ""
    if original.address_type.lower() == "utf-8":
        # The form with \x{} is fit for servers with and without SMTPUTF8 (RFC 6533 §3).
        encoded = _UNSAFE_IN_UTF8.sub(lambda found: f"\\x{{{ord(found[0]):X}}}", original.address)
    elif original.address.isascii():
        encoded = xtext(original.address)
    else:
        return ""
    return f"{original.address_type};{encoded}"


def _by(by: DeliverBy, now: datetime) -> str:
    seconds = max(min(_seconds_left(by, now), _MOST_BY), -_MOST_BY)
    return f"BY={seconds};{by.mode.value}{'T' if by.trace else ''}"


def _seconds_left(by: DeliverBy, now: datetime) -> int:
    return int((by.until - now).total_seconds())
