"""The ids of stored things: row numbers inside, letter plus base 32 outside (store.md §4.9)."""

from typing import Final, NewType

AccountId = NewType("AccountId", int)
DomainId = NewType("DomainId", int)
DkimKeyId = NewType("DkimKeyId", int)
AliasId = NewType("AliasId", int)
TokenId = NewType("TokenId", int)
MailboxId = NewType("MailboxId", int)
MessageId = NewType("MessageId", int)
ThreadId = NewType("ThreadId", int)
ContentId = NewType("ContentId", int)
DepartureId = NewType("DepartureId", int)
OutboundId = NewType("OutboundId", int)
ModSeq = NewType("ModSeq", int)
Uid = NewType("Uid", int)

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"


def base32(number: int) -> str:
    """A row number in digits 0 to 9 and a to v."""
    digits = ""
    while True:
        number, rest = divmod(number, 32)
        digits = _DIGITS[rest] + digits
        if number == 0:
            return digits


def message_object_id(message: MessageId) -> str:
    """IMAP's EMAILID and JMAP's Email id (RFC 8474 §5.1)."""
    return "m" + base32(message)


def thread_object_id(thread: ThreadId) -> str:
    """IMAP's THREADID and JMAP's Thread id (RFC 8474 §5.2)."""
    return "t" + base32(thread)


def mailbox_object_id(mailbox: MailboxId) -> str:
    """IMAP's MAILBOXID and JMAP's Mailbox id (RFC 8474 §4)."""
    return "f" + base32(mailbox)


def departure_object_id(departure: DepartureId) -> str:
    """JMAP's EmailSubmission id (RFC 8621 §7)."""
    return "s" + base32(departure)


def outbound_object_id(outbound: OutboundId) -> str:
    """How an operator names one recipient in the queue."""
    return "q" + base32(outbound)


def row_number(letter: str, object_id: str) -> int | None:
    """The row number behind an outer id, or None where it is not one of ours."""
    if len(object_id) < 2 or len(object_id) > 14 or object_id[0] != letter:
        return None
    number = 0
    for digit in object_id[1:]:
        value = _DIGITS.find(digit)
        if value < 0:
            return None
        number = number * 32 + value
    return number if number < 1 << 63 else None
