"""The part of a report that people read, put together from the catalogue.

Lines have at most 76 characters where words allow it.  What a peer said is quoted, without
controls and cut; it is never taken for words of ours.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mailbox_server.delivery.bounces import catalogue
from mailbox_server.mime.encoded_words import without_controls
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.mime.reports.returned import Returned
from mailbox_server.model.address import Address
from mailbox_server.model.bounce import Cause
from mailbox_server.model.reply import Reply

WIDTH: Final = 76
SUBJECT_CHARACTERS: Final = 100
QUOTED_LINES: Final = 20
QUOTED_CHARACTERS: Final = 300
"""Of each line that a peer said."""

RECIPIENTS_TOLD: Final = 100
"""Recipients told in words; the fields for machines name all."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of one recipient.

    cause: of a failure or delay.  server: who gave the reply, None where it is ours.
    checks: which of our proofs failed, as far as the reply says.
    gave_up: it failed only because the time was over.  suggestion: a known address much
    like this one.  untold: failures before, of which the reader has not heard.
    """

    address: Address
    action: Action
    cause: Cause
    reply: Reply | None
    server: str | None
    since: datetime
    until: datetime
    next_try: datetime | None = None
    gave_up: bool = False
    checks: tuple[str, ...] = ()
    suggestion: Address | None = None
    untold: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """What the whole report is about.

    hostname: who writes.  subject: of the message, "" where it has none.
    forwarded: sender and owner, where the message came from outside and was passed on.
    """

    hostname: str
    subject: str
    sent: datetime
    returned: Returned
    forwarded: tuple[str, Address] | None = None


def subject_line(letter: Letter, worst: Action) -> str:
    """The subject of the report."""
    subject = _shown(letter.subject, SUBJECT_CHARACTERS) or catalogue.NO_SUBJECT
    return catalogue.SUBJECTS[worst].format(subject=subject)


def text(letter: Letter, recipients: Sequence[Told]) -> str:
    """The words for people, lines ended by LF."""
    paragraphs: list[str] = []
    greeting = catalogue.GREETING.format(server=letter.hostname)
    subject = _shown(letter.subject, SUBJECT_CHARACTERS)
    paragraphs.append(_wrapped(greeting))
    for action in Action:
        told = [each for each in recipients if each.action is action]
        if not told:
            continue
        paragraphs.append(_wrapped(_opening(letter, action, len(told))))
        paragraphs += [_about_one(each) for each in told[:RECIPIENTS_TOLD]]
    said_of = (
        _about(letter, bool(subject))
        .format(date=moment(letter.sent), subject=subject)
        .removesuffix(":")
    )
    paragraphs.append(_wrapped(f"{said_of}."))
    if letter.forwarded is not None:
        paragraphs.append(_wrapped(catalogue.FORWARD_CLOSING))
    is_whole = letter.returned is Returned.WHOLE
    paragraphs.append(_wrapped(catalogue.CLOSING_WHOLE if is_whole else catalogue.CLOSING_HEADER))
    return "\n\n".join(paragraphs) + "\n"


def _about(letter: Letter, has_subject: bool) -> str:
    if letter.forwarded is not None:
        return catalogue.FORWARD_ABOUT_SUBJECT if has_subject else catalogue.FORWARD_ABOUT
    return catalogue.ABOUT_SUBJECT if has_subject else catalogue.ABOUT


def moment(when: datetime) -> str:
    """A date and time for people, in UTC."""
    utc = when.astimezone(UTC)
    month = catalogue.MONTHS[utc.month - 1]
    return catalogue.MOMENT.format(
        day=utc.day, month=month, year=utc.year, hour=utc.hour, minute=utc.minute
    )


def _opening(letter: Letter, action: Action, count: int) -> str:
    who = catalogue.ONE if count == 1 else catalogue.SEVERAL
    if letter.forwarded is not None and action is Action.FAILED:
        sender, owner = letter.forwarded
        opening = catalogue.FORWARD_OPENING.format(
            sender=_shown(sender, SUBJECT_CHARACTERS), owner=owner, who=who
        )
    else:
        opening = catalogue.OPENINGS[action].format(who=who)
    return opening[0].upper() + opening[1:]


def _about_one(told: Told) -> str:
    sentences = " ".join(_sentences(told))
    lines = [str(told.address), _wrapped(sentences, "    ")]
    reply = told.reply
    if reply is not None and told.action in (Action.FAILED, Action.DELAYED):
        server = told.server
        said = catalogue.SAID_HERE if server is None else catalogue.SAID.format(server=server)
        lines.append(_wrapped(said, "    "))
        lines += [_wrapped(line, "        ") for line in _quoted(reply)]
    return "\n".join(lines)


def _sentences(told: Told) -> list[str]:
    words = catalogue.CAUSES[told.cause]
    # The domain as people write it.
    domain = told.address.domain.unicode
    checks = " and ".join(told.checks) or catalogue.CHECKS_UNNAMED

    def filled(sentence: str) -> str:
        return sentence.format(domain=domain, address=told.address, checks=checks)

    match told.action:
        case Action.DELIVERED:
            return [catalogue.DELIVERED]
        case Action.RELAYED:
            return [catalogue.RELAYED]
        case Action.EXPANDED:
            return [catalogue.EXPANDED]
        case Action.DELAYED:
            return [filled(words.waiting), _promise(told)]
        case Action.FAILED:
            first = [catalogue.GIVEN_UP.format(since=moment(told.since))] if told.gave_up else []
            happened = words.waiting if told.gave_up else words.failed
            if told.untold:
                untold = catalogue.UNTOLD_ONE if told.untold == 1 else catalogue.UNTOLD
                first.append(untold.format(count=told.untold))
            if told.suggestion is None:
                return [filled(happened), *first, filled(words.advice)]
            suggestion = catalogue.SUGGESTION.format(suggestion=told.suggestion)
            return [filled(happened), *first, suggestion]


def _promise(told: Told) -> str:
    until = moment(told.until)
    if told.next_try is None:
        return catalogue.NOTHING_LOST_SOON.format(until=until)
    return catalogue.NOTHING_LOST.format(next_try=moment(told.next_try), until=until)


def _quoted(reply: Reply) -> list[str]:
    prefix = f"{reply.code} {reply.enhanced}".strip()
    lines = [_shown(line, QUOTED_CHARACTERS) for line in reply.lines[:QUOTED_LINES]]
    return [f"{prefix} {line}".strip() for line in lines or [""]]


def _shown(text: str, most: int) -> str:
    plain = " ".join(without_controls(text).split())
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=True,
        break_on_hyphens=False,
    )
