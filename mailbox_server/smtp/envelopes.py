"""The envelope of a transaction whose content is complete: all that the peer said, as one value."""

from datetime import datetime, timedelta

from mailbox_server.delivery.arrival import Wishes
from mailbox_server.delivery.submitting.holding import LONGEST
from mailbox_server.model.envelope import Envelope, Recipient, TlsState
from mailbox_server.model.outbound import DeliverBy
from mailbox_server.smtp.commands import Hello, Mail, MailParameters
from mailbox_server.smtp.places import Place


def envelope(
    place: Place,
    hello: Hello,
    tls: TlsState | None,
    mail: Mail,
    recipients: tuple[Recipient, ...],
    started: datetime,
    *,
    is_logged_in: bool,
) -> Envelope:
    """Put it together."""
    given = mail.parameters
    return Envelope(
        peer=place.peer,
        peer_name=None,
        greeting_name=hello.name,
        protocol=_protocol(place, hello, tls, mail, is_logged_in=is_logged_in),
        tls=tls,
        reverse_path=mail.path,
        recipients=recipients,
        body=given.body,
        smtputf8=given.smtputf8,
        require_tls=given.require_tls,
        ret=given.ret,
        envelope_id=given.envelope_id,
        declared_size=given.size,
        started=started,
    )


def latest_hold(now: datetime) -> str:
    """To when a message can be held, as FUTURERELEASE tells it (RFC 4865 §3); whole hours."""
    latest = (now + LONGEST).replace(minute=0, second=0, microsecond=0)
    return latest.strftime("%Y-%m-%dT%H:%M:%SZ")


def wishes(given: MailParameters, now: datetime) -> Wishes | None:
    """What was asked of the way out, from now on; None where it cannot be held so long."""
    by = given.by
    deliver_by = None
    if by is not None:
        deliver_by = DeliverBy(now + timedelta(seconds=by.seconds), by.mode, by.trace)
    hold = given.hold
    until = now + hold if isinstance(hold, timedelta) else hold
    if until is not None and until > now + LONGEST:
        return None
    return Wishes(given.priority, deliver_by, until, given.verp)


def _protocol(
    place: Place, hello: Hello, tls: TlsState | None, mail: Mail, *, is_logged_in: bool
) -> str:
    """The `with` keyword (RFC 3848; RFC 6531 §4.3 for the UTF8 forms)."""
    if hello.verb == "HELO":
        return "SMTP"
    security = ("S" if tls is not None else "") + ("A" if is_logged_in else "")
    name = "LMTP" if place.dialect.is_lmtp else "SMTP"
    if mail.parameters.smtputf8:
        return f"UTF8{name}{security}"
    return f"LMTP{security}" if place.dialect.is_lmtp else f"ESMTP{security}"
