"""Put one report together: its words, its fields, and what of the message it gives back.

Pure but for reading the message: who sends the report stages these octets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mailbox_server.delivery.bounces import catalogue
from mailbox_server.delivery.bounces.causes import failed_checks, judge_reply
from mailbox_server.delivery.bounces.happening import Happening
from mailbox_server.delivery.bounces.original import Original
from mailbox_server.delivery.bounces.wording import Letter, Told, subject_line, text
from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.reports.composing import Ends, ReportHeader, compose_report
from mailbox_server.mime.reports.delivery_status import Action, DeliveryStatus, RecipientStatus
from mailbox_server.mime.reports.returned import Returned
from mailbox_server.model.address import Address, Domain, Localpart
from mailbox_server.model.bounce import Cause
from mailbox_server.model.envelope import BodyType, Return
from mailbox_server.model.reply import Reply

OUR_DIAGNOSTICS: Final = "X-Mailbox-Server"
"""The type of a diagnostic that is ours and no server's (RFC 3464 §2.1.2)."""

_BAD_NEWS: Final = (Action.FAILED, Action.DELAYED)
_MISSPELLED: Final = (Cause.NO_SUCH_MAILBOX, Cause.NO_SUCH_DOMAIN, Cause.NO_MAIL_DOMAIN)
_REFERENCE_CHARACTERS: Final = 900


@dataclass(frozen=True, slots=True)
class ReportRules:
    """What an operator settles about reports.

    hostname: who reports.  whole_octets: messages up to this size are given back whole where
    the sender did not say; full_octets: those up to this where all of it was asked for.
    """

    hostname: Domain
    whole_octets: int = 50_000
    full_octets: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reader:
    """Who gets the report; forwarded: it is the owner of what a stranger sent."""

    address: Address
    forwarded: bool = False


def returned(rules: ReportRules, ret: Return, octets: int, *, has_failure: bool) -> Returned:
    """What is given back: all of it only for a failure (RFC 3461 §4.3, §6.2)."""
    if not has_failure or ret is Return.HEADERS:
        return Returned.HEADER
    most = rules.full_octets if ret is Return.FULL else rules.whole_octets
    return Returned.WHOLE if octets <= most else Returned.HEADER


def needs_utf8(original: Original, reader: Reader) -> bool:
    """Whether the report is one with UTF-8 fields: for such a message, or to such an address."""
    return original.smtputf8 or not reader.address.is_ascii


def compose(
    rules: ReportRules,
    original: Original,
    reader: Reader,
    happenings: Sequence[Happening],
    *,
    beginning: bytes,
    gives: Returned,
    token: str,
    now: datetime,
) -> Ends:
    """Both ends of the report.

    beginning: the first octets of the message.  token: by chance, for what must be unique.
    """
    fields = HeaderFields(beginning)
    subject = _shown(fields, b"subject")
    # The reverse-path of what is passed on is one of ours by now, which says nothing to people.
    author = _shown(fields, b"from") or str(original.reverse_path)
    forwarded = (author, reader.address) if reader.forwarded else None
    letter = Letter(rules.hostname.unicode, subject, original.arrived, gives, forwarded)
    worst = min((each.action for each in happenings), key=list(Action).index)
    header = ReportHeader(
        sender=Address(Localpart("postmaster"), rules.hostname),
        sender_name=catalogue.SENDER_NAME,
        recipient=reader.address,
        subject=subject_line(letter, worst),
        date=now,
        message_id=f"{token}@{rules.hostname.ascii}",
        extra_fields=(("Auto-Submitted", "auto-replied"), *_references(original.message_id)),
    )
    status = DeliveryStatus(
        reporting_mta=rules.hostname.ascii,
        recipients=tuple(_status(each) for each in happenings),
        envelope_id=original.envelope_id,
        arrival=original.arrived,
        deliver_by=original.deliver_by,
    )
    return compose_report(
        header,
        text(letter, [_told(original, each) for each in happenings]),
        status,
        gives,
        boundary=f"report-{token}",
        utf8=needs_utf8(original, reader),
        eight_bit=original.body is not BodyType.SEVEN_BIT,
    )


def _shown(fields: HeaderFields, name: bytes) -> str:
    """A field for people; what looks like an encoded word then is not to be decoded again."""
    text = decode_words(fields.first(name) or b"")
    return text.encode("utf-8", "replace").decode("utf-8").replace("=?", "= ?")


def _references(message_id: str | None) -> tuple[tuple[str, str], ...]:
    if message_id is None or len(message_id) > _REFERENCE_CHARACTERS:
        return ()
    if not message_id.isascii() or not message_id.isprintable() or " " in message_id:
        return ()
    if "=?" in message_id:
        # It would be decoded when it is written, into another one or what no field can hold.
        return ()
    return (("In-Reply-To", message_id), ("References", message_id))


def _told(original: Original, happening: Happening) -> Told:
    attempt = happening.attempt
    reply = None if attempt is None else attempt.reply
    is_bad = happening.action in _BAD_NEWS
    return Told(
        address=happening.address,
        action=happening.action,
        cause=cause_of(happening) if is_bad else Cause.UNKNOWN,
        reply=reply,
        server=_server(happening),
        since=original.arrived,
        until=happening.until or original.arrived,
        next_try=happening.next_try,
        gave_up=happening.gave_up,
        checks=() if reply is None else failed_checks(reply),
        suggestion=happening.suggestion,
        untold=happening.untold,
    )


def wants_suggestion(happening: Happening) -> bool:
    """Whether the address may be misspelled."""
    return happening.action is Action.FAILED and cause_of(happening) in _MISSPELLED


def cause_of(happening: Happening) -> Cause:
    """Why it failed or waits."""
    attempt = happening.attempt
    if attempt is None:
        return Cause.EXPIRED if happening.gave_up else Cause.UNKNOWN
    if happening.is_by_operator:
        return Cause.ENDED_BY_OPERATOR
    return judge_reply(attempt.reply, attempt.phase).cause


def _server(happening: Happening) -> str | None:
    attempt = happening.attempt
    if attempt is None or not attempt.is_theirs:
        return None
    if attempt.ip is None:
        return attempt.host
    return f"{attempt.host or ''} [{attempt.ip}]".strip()


def _status(happening: Happening) -> RecipientStatus:
    attempt = happening.attempt
    is_bad = happening.action in _BAD_NEWS
    reply = attempt.reply if attempt is not None and is_bad else None
    is_theirs = attempt is not None and attempt.is_theirs
    return RecipientStatus(
        final=str(happening.address),
        action=happening.action,
        status=_code(happening, reply),
        original=happening.original,
        remote_mta=(attempt.host or "") if attempt is not None and is_theirs else "",
        diagnostic="" if reply is None else _diagnostic(reply),
        diagnostic_type="smtp" if is_theirs else OUR_DIAGNOSTICS,
        last_attempt=None if attempt is None else attempt.at,
        retry_until=happening.until if happening.action is Action.DELAYED else None,
    )


def _code(happening: Happening, reply: Reply | None) -> str:
    """The status code: of the last reply, also where the time was over (RFC 3464 §2.3.4).

    But not where that was the sender's time (RFC 2852 §4.1.3).
    """
    match happening.action:
        case Action.FAILED if happening.is_late:
            return "5.4.7"
        case Action.DELAYED if happening.is_late:
            return "4.4.7"
        case Action.FAILED:
            if reply is not None:
                return reply.enhanced or f"{str(reply.code)[0]}.0.0"
            return "4.4.7" if happening.gave_up else "5.0.0"
        case Action.DELAYED:
            return (reply.enhanced if reply is not None else "") or "4.0.0"
        case Action.DELIVERED | Action.RELAYED | Action.EXPANDED:
            return "2.0.0"


def _diagnostic(reply: Reply) -> str:
    prefix = f"{reply.code} {reply.enhanced}".strip()
    return " ".join((prefix, *reply.lines))
