"""All that is known of one message on its way in or out, as one row.

What peers said stands in it as it came, but for surrogates, which no row can carry; who
prints it keeps control characters from the terminal.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.references import message_id
from mailbox_server.model.errors import (
    BadInput,
    ContentDamaged,
    ContentMissing,
    MessageMissing,
    OutboundMissing,
)
from mailbox_server.model.ids import (
    AccountId,
    DepartureId,
    MessageId,
    OutboundId,
    departure_object_id,
    message_object_id,
    outbound_object_id,
    row_number,
)
from mailbox_server.model.outbound import Attempt, Departure
from mailbox_server.model.passport import Evidence
from mailbox_server.ops.listed_fields import fields_of, shown
from mailbox_server.ops.request_roots import instant
from mailbox_server.ops.story_requests import (
    AttemptRow,
    EvidenceRow,
    RecipientRow,
    StoryRow,
)
from mailbox_server.store.ports import Queued, ReadTx

RECIPIENTS_TOLD: Final = 50
"""Recipients of one departure whose attempts are told."""

UNREADABLE: Final = "it cannot be read"
"""The origin of a departure whose row makes no sense; of such, what can be told is told."""
_HEADER_OCTETS: Final = 65_536


def story_of(tx: ReadTx, text: str) -> StoryRow:
    """Of a message `m…`, a departure `s…` or one recipient `q…`.

    Raises BadInput, MessageMissing, OutboundMissing.
    """
    message = row_number("m", text)
    if message is not None:
        return _of_message(tx, MessageId(message))
    departure = row_number("s", text)
    if departure is not None:
        number = DepartureId(departure)
        return _of_departure(tx, number, tx.queue.recipients(number))
    recipient = row_number("q", text)
    if recipient is None:
        raise BadInput(f"{text!r:.40} is no id such as m1, s1 or q1")
    job = tx.queue.queued(OutboundId(recipient))
    if job is None:
        raise OutboundMissing(f"no {text} in the queue")
    return _of_departure(tx, job.departure, [job])


def arrived_at(tx: ReadTx, number: DepartureId) -> datetime | None:
    """When a departure came to us; None where there is none.

    Of one that cannot be read, the time of the first stamp, or of the next try.
    """
    departure = tx.outbound.departure(number)
    if departure is not None:
        return departure.arrived
    known = [each.at for each in tx.outbound.evidence(number)]
    known += [each.due for each in tx.queue.recipients(number)[:1]]
    return known[0] if known else None


def evidence_rows(stamps: Iterable[Evidence]) -> list[EvidenceRow]:
    """The stamps of a passport."""
    return [
        EvidenceRow(
            stamp.at.astimezone(UTC).isoformat(timespec="seconds"),
            stamp.stage,
            {_plain(name): _plain(fact) for name, fact in stamp.facts},
        )
        for stamp in stamps
    ]


def _of_message(tx: ReadTx, number: MessageId) -> StoryRow:
    facts, evidence = tx.messages.about(number), evidence_rows(tx.passports.of(number))
    if facts is None:
        if not evidence:
            raise MessageMissing(f"no message {message_object_id(number)}")
        return StoryRow(message_object_id(number), None, None, "", "", 0, evidence[0].at)
    listed = fields_of(tx, number, facts.listed)
    places = []
    for mailbox, uid in facts.places:
        place = tx.mailboxes.get(mailbox)
        places.append(f"{place.name if place else '?'} (UID {uid})")
    named = message_id(listed.first(b"message-id"))
    return StoryRow(
        id=message_object_id(number),
        account=_account(tx, facts.account),
        message_id=None if named is None else _plain(f"<{named}>"),
        sender=shown(listed, b"from"),
        subject=shown(listed, b"subject"),
        size=facts.size,
        arrived=_moment(datetime.fromtimestamp(facts.received.seconds, UTC)),
        places=places,
        evidence=evidence,
    )


def _of_departure(tx: ReadTx, number: DepartureId, jobs: list[Queued]) -> StoryRow:
    departure, arrived = tx.outbound.departure(number), arrived_at(tx, number)
    if arrived is None:
        raise OutboundMissing(f"no departure {departure_object_id(number)}")
    story = StoryRow(
        id=departure_object_id(number),
        account=None,
        message_id=None,
        sender="?",
        subject="",
        size=0,
        arrived=_moment(arrived),
        origin=UNREADABLE,
        evidence=evidence_rows(tx.outbound.evidence(number)),
        recipients=[_recipient(tx, job) for job in jobs[:RECIPIENTS_TOLD]],
        untold=len(jobs[RECIPIENTS_TOLD:]),
    )
    if departure is None:
        return story
    return msgspec.structs.replace(
        story,
        account=_account(tx, departure.account),
        message_id=departure.message_id,
        sender=str(departure.reverse_path),
        subject=_subject(tx, departure),
        size=departure.size,
        origin=departure.origin.value,
    )


def _recipient(tx: ReadTx, queued: Queued) -> RecipientRow:
    job = queued.job
    if job is None:
        number, due = outbound_object_id(queued.id), _moment(queued.due)
        address = f"{queued.address} (it cannot be read)"
        return RecipientRow(number, address, queued.state, due, None, None, None, [])
    return RecipientRow(
        id=outbound_object_id(job.id),
        address=str(job.address),
        state=job.state.value,
        due=_moment(job.due),
        expires=instant(job.expires),
        route=job.route,
        delay_told=instant(job.delay_told),
        attempts=[_attempt(each) for each in tx.outbound.attempts(job.id)],
    )


def _attempt(attempt: Attempt) -> AttemptRow:
    tls = attempt.tls
    return AttemptRow(
        at=_moment(attempt.at),
        finding=attempt.finding.value,
        phase=attempt.phase.value,
        code=attempt.reply.code,
        enhanced=attempt.reply.enhanced,
        words=list(attempt.reply.lines),
        is_theirs=attempt.is_theirs,
        is_shared=attempt.is_shared,
        host=attempt.host,
        ip=None if attempt.ip is None else str(attempt.ip),
        tls=None if tls is None else f"{tls.version} {tls.cipher}",
        policy=attempt.policy,
        seconds=attempt.seconds,
    )


def _account(tx: ReadTx, number: AccountId | None) -> str | None:
    account = None if number is None else tx.accounts.get(number)
    return None if account is None else str(account.address)


def _subject(tx: ReadTx, departure: Departure) -> str:
    """While the content is held; it may be gone once all recipients have ended."""
    if not departure.content:
        return ""
    try:
        beginning = tx.contents.read(departure.content, 0, _HEADER_OCTETS)
    except (ContentMissing, ContentDamaged):
        return ""
    return shown(HeaderFields(beginning.partition(b"\r\n\r\n")[0] + b"\r\n"), b"subject")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _plain(text: str) -> str:
    """Text without surrogates: JSON cannot carry them."""
    return text.encode("utf-8", "replace").decode()
