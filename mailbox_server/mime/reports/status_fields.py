"""Write and read the fields of message/delivery-status (RFC 3464 §2, RFC 6533 §3, §4.1).

Written, each field is one line, folded before 78 octets where there is a space; a value
that a peer chose cannot begin another one.  The seven-bit form has addresses beyond ASCII
as utf-8-addr-xtext and question marks for other text beyond ASCII.

Read, whatever stands there gives values, and nothing raises.  Bounds: READ_OCTETS of the
part, RECIPIENTS recipients, VALUE_CHARACTERS of a value.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

from mailbox_server.mime.charset import decode
from mailbox_server.mime.dates import read_date
from mailbox_server.mime.encoded_words import decode_words, without_controls
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.reports.delivery_status import Action, DeliveryStatus, RecipientStatus
from mailbox_server.model.envelope import OriginalRecipient

READ_OCTETS: Final = 256 * 1024
RECIPIENTS: Final = 1_000
VALUE_CHARACTERS: Final = 2_000
WRITTEN_CHARACTERS: Final = 1_000
"""Of a diagnostic; what a peer said may have a hundred lines."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_WIDTH: Final = 78
_LONGEST_LINE: Final = 990
_XTEXT_SPECIAL: Final = re.compile(r"[^!-*,-<>-\[\]-~]")
_EMBEDDED: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_BLANK_LINES: Final = re.compile(rb"(?:\r?\n[ \t]*+){2,}+")
_STATUS: Final = re.compile(r"\b([245])[ \t]*\.[ \t]*([0-9]{1,3})[ \t]*\.[ \t]*([0-9]{1,3})\b")
_COMMENT: Final = re.compile(r"\([^()]*\)")
_ACTIONS: Final = {action.value: action for action in Action}.get
# Lotus, James and others have their own words for it.
_ACTION_BEGINNINGS: Final = (
    ("fail", Action.FAILED),
    ("delay", Action.DELAYED),
    ("deliverable", Action.DELAYED),
    ("deliver", Action.DELIVERED),
    ("relay", Action.RELAYED),
    ("expand", Action.EXPANDED),
)


# ---------------------------------------------------------------- writing


def write_status(status: DeliveryStatus, *, utf8: bool) -> bytes:
    """The body of message/delivery-status, or with utf8 of message/global-delivery-status."""
    blocks = [_message_fields(status)]
    blocks += [_recipient_fields(recipient, utf8=utf8) for recipient in status.recipients]
    text = "\r\n".join("".join(map(_folded, block)) for block in blocks)
    return text.encode("utf-8") if utf8 else text.encode("ascii", "replace")


def _message_fields(status: DeliveryStatus) -> list[str]:
    fields = []
    if status.envelope_id is not None:
        fields.append(f"Original-Envelope-Id: {_one_line(status.envelope_id)}")
    fields.append(f"Reporting-MTA: dns; {_one_line(status.reporting_mta)}")
    if status.arrival is not None:
        fields.append(f"Arrival-Date: {_date(status.arrival)}")
    if status.deliver_by is not None:
        fields.append(f"Deliver-By-Date: {_date(status.deliver_by)}")
    return fields


def _recipient_fields(recipient: RecipientStatus, *, utf8: bool) -> list[str]:
    fields = []
    original = recipient.original
    if original is not None:
        kind = _one_line(original.address_type)
        shown = _address(original.address, kind, utf8=utf8)
        fields.append(f"Original-Recipient: {kind}; {shown}")
    kind = "rfc822" if recipient.final.isascii() else "utf-8"
    fields.append(f"Final-Recipient: {kind}; {_address(recipient.final, kind, utf8=utf8)}")
    if recipient.action is not None:
        fields.append(f"Action: {recipient.action.value}")
    fields.append(f"Status: {recipient.status}")
    if recipient.remote_mta:
        fields.append(f"Remote-MTA: dns; {_one_line(recipient.remote_mta)}")
    if recipient.diagnostic:
        said = _one_line(recipient.diagnostic)[:WRITTEN_CHARACTERS]
        fields.append(f"Diagnostic-Code: {recipient.diagnostic_type}; {said}")
    if recipient.last_attempt is not None:
        fields.append(f"Last-Attempt-Date: {_date(recipient.last_attempt)}")
    if recipient.retry_until is not None:
        fields.append(f"Will-Retry-Until: {_date(recipient.retry_until)}")
    return fields


def _address(address: str, kind: str, *, utf8: bool) -> str:
    """An address in the form that its type and the part allow (RFC 6533 §3)."""
    if kind.lower() == "utf-8":
        if utf8:
            return _one_line(_unembedded(address))
        return _XTEXT_SPECIAL.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", _unembedded(address))
    return _one_line(address)


def _unembedded(address: str) -> str:
    def character(found: re.Match[str]) -> str:
        number = int(found[1], 16)
        is_one = number < 0x110000 and not 0xD800 <= number < 0xE000
        return chr(number) if is_one else found[0]

    return _EMBEDDED.sub(character, address)


def _one_line(text: str) -> str:
    return " ".join(without_controls(text).split())


def _date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC))


def _folded(field: str) -> str:
    """The field with its line end; a word that is too long for a line is cut."""
    lines, line = [], ""
    for word in field.split(" "):
        for start in range(0, len(word), _LONGEST_LINE // 4):
            piece = word[start : start + _LONGEST_LINE // 4]
            # The name stays with the first word of its value.
            if line and _is_full(line, piece) and not line.endswith(":"):
                lines.append(line)
                line = ""
            line = f"{line} {piece}" if line else piece
    lines.append(line)
    return "\r\n ".join(lines) + "\r\n"


def _is_full(line: str, word: str) -> bool:
    """Whether the word finds no room on the line."""
    return len(line.encode("utf-8")) + 1 + len(word.encode("utf-8")) > _WIDTH


# ---------------------------------------------------------------- reading


def read_status(octets: bytes) -> DeliveryStatus:
    """What a report says, as far as it can be understood.

    A first block that names a recipient already counts as one, and a block without any field
    of a recipient is passed over: both are seen.
    """
    reporting, envelope_id, arrival = "", None, None
    recipients: list[RecipientStatus] = []
    for fields in _blocks(octets[:READ_OCTETS]):
        if (mta := _typed(fields, b"reporting-mta")) and not reporting:
            reporting = mta[1]
        if envelope_id is None:
            envelope_id = _value(fields, b"original-envelope-id") or None
        if arrival is None:
            arrival = _moment(fields, b"arrival-date")
        recipient = _recipient(fields)
        if recipient is not None and len(recipients) < RECIPIENTS:
            recipients.append(recipient)
    return DeliveryStatus(reporting, tuple(recipients), envelope_id, arrival)


def _blocks(octets: bytes) -> Iterator[HeaderFields]:
    start = len(octets) - len(octets.lstrip(b"\r\n \t"))
    for blank in _BLANK_LINES.finditer(octets, start):
        yield HeaderFields(octets[start : blank.start()] + b"\r\n")
        start = blank.end()
    if start < len(octets):
        yield HeaderFields(octets[start:].rstrip() + b"\r\n")


def _recipient(fields: HeaderFields) -> RecipientStatus | None:
    final = _typed(fields, b"final-recipient") or _typed(fields, b"x-actual-recipient")
    original = _typed(fields, b"original-recipient")
    said_action, said_status = _value(fields, b"action"), _value(fields, b"status")
    diagnostic = _typed(fields, b"diagnostic-code")
    if not final and not original and not said_action and not said_status:
        return None
    kind, said = diagnostic or ("", "")
    mta = _typed(fields, b"remote-mta")
    code = _STATUS.search(said_status)
    return RecipientStatus(
        final=_bare(final[1]) if final else "",
        action=_action(said_action),
        status=".".join(code.groups()) if code else "",
        original=OriginalRecipient(original[0], _bare(original[1])) if original else None,
        remote_mta=mta[1] if mta else "",
        diagnostic=said,
        diagnostic_type=kind or "smtp",
        last_attempt=_moment(fields, b"last-attempt-date"),
        retry_until=_moment(fields, b"will-retry-until"),
    )


def _value(fields: HeaderFields, name: bytes) -> str:
    value = fields.first(name)
    if value is None:
        return ""
    value = value[: 4 * VALUE_CHARACTERS]
    text = decode_words(value) if b"=?" in value else decode(value, None, may_guess=False)
    return _one_line(text)[:VALUE_CHARACTERS]


def _typed(fields: HeaderFields, name: bytes) -> tuple[str, str] | None:
    """`type; value` in two; a value without a type is all value."""
    value = _value(fields, name)
    if not value:
        return None
    kind, semicolon, rest = value.partition(";")
    if semicolon and len(kind) <= 30 and " " not in kind.strip():
        return kind.strip().lower(), rest.strip()
    return "", value


def _bare(address: str) -> str:
    """The address without brackets and comments, embedded characters put back."""
    return _unembedded(address).strip().removeprefix("<").removesuffix(">").strip()


def _action(said: str) -> Action | None:
    word = _COMMENT.sub("", said).strip().lower()
    exact = _ACTIONS(word)
    if exact is not None:
        return exact
    return next((action for start, action in _ACTION_BEGINNINGS if word.startswith(start)), None)


def _moment(fields: HeaderFields, name: bytes) -> datetime | None:
    value = fields.first(name)
    if value is None:
        return None
    sent = read_date(value)
    return None if sent is None else _EPOCH + timedelta(seconds=sent.epoch_seconds)
