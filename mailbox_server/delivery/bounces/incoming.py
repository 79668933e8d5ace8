"""Understand a bounce that somebody sends us: whether it is one, and what it says of whom.

Fields for machines count first (RFC 3464).  Old servers write text only: there the words
around each address are judged.  What a person's helper answers is no bounce (RFC 3834), nor
is a complaint (RFC 5965).  Who sends such a report may lie: what is read here is evidence,
and only a return path that we made says whom it is about.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from mailbox_server.delivery.bounces.causes import Judgement, judge
from mailbox_server.delivery.bounces.plain_text import (
    before_the_message,
    codes_in,
    is_specific,
    what_was_said,
)
from mailbox_server.mime.encoded_words import decode_words, without_controls
from mailbox_server.mime.reports.delivery_status import Action, RecipientStatus
from mailbox_server.mime.reports.reading import ReadReport
from mailbox_server.mime.reports.status_fields import read_status
from mailbox_server.model.bounce import WORDS_CHARACTERS, Cause

RECIPIENTS: Final = 100
"""Recipients of one report that are judged; the rest is passed over."""

WHOLE_WORDS: Final = 10
"""Recipients for which all words are looked through, where those about them say nothing."""

_FIELDS_IN_TEXT: Final = re.compile(
    r"^[ \t>]*(?:reporting-mta|final-recipient|action)[ \t]*:", re.IGNORECASE | re.MULTILINE
)
_QUOTE_MARKS: Final = re.compile(r"^[ \t]*>+[ \t]?|^[ \t]+(?=[A-Za-z-]+:)", re.MULTILINE)
_DAEMON: Final = re.compile(
    r"mailer[._-]?daemon|postmaster|mail (?:delivery|administrator|system)|mdaemon"
    r"|(?:delivery|bounce|error|double-bounce)[a-z0-9._+=-]*@|maildeliver",
    re.IGNORECASE,
)
_BOUNCE_SUBJECT: Final = re.compile(
    r"undeliver|un-?delivered|returned (?:mail|to|message)|returning message|failure notice"
    r"|deliver(?:y|ing)[a-z ]{0,20}(?:fail|status|notif|problem|error|report|delay|incomplete)"
    r"|(?:fail|delay)[a-z]*[a-z ]{0,20}deliver|could ?n[o']t (?:be )?(?:deliver|sent)"
    r"|mail (?:error|fail|system error|could not)|not (?:be )?deliver|non-?delivery|rejected"
    r"|warning: (?:message|could not)|\berror(?:s)? (?:sending|in|mail)|bounce|nondeliverable"
    r"|mail status report|notification[a-z ]{0,10}fail|unzustellbar|配信|エラー|送信",
    re.IGNORECASE,
)
_BOUNCE_WORDS: Final = re.compile(
    r"could not be delivered|unable to deliver|(?:wasn't|was not) (?:able to|deliver)"
    r"|undeliverable|delivery (?:has )?failed|requested action not taken",
    re.IGNORECASE,
)
_OPENING_CHARACTERS: Final = 1_000
_DELAY: Final = re.compile(
    r"this is a warning|do not need to resend|warning only|has been delayed|is delayed"
    r"|(?:not|n't) yet been delivered|(?:message|delivery)[a-z ]{0,20}delayed"
    r"|will (?:be|keep|continue)[a-z ]{0,10}(?:retr|try)|only a temporary failure report"
    r"|delivery attempts will continue|still being retried|warning: message",
    re.IGNORECASE,
)
_HELPER: Final = re.compile(
    r"out of (?:the )?office|\bvacation\b|auto(?:matic|mated)?[ -]?(?:reply|respon|answer)"
    r"|abwesen|on holiday|away from",
    re.IGNORECASE,
)


class Nature(enum.Enum):
    """What kind of message it is.

    GOOD: a report, but of no trouble.  HELPER: an answer on behalf of a person.
    """

    FAILURE = "failure"
    DELAY = "delay"
    GOOD = "good"
    HELPER = "helper"
    COMPLAINT = "complaint"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Bounced:
    """One recipient of a failure or delay.

    address: "" where the report does not tell it.  words: what was said, at most
    WORDS_CHARACTERS.
    """

    address: str
    judgement: Judgement
    words: str = ""


@dataclass(frozen=True, slots=True)
class Understood:
    """What came of reading it; recipients only of FAILURE and DELAY, then at least one.

    message_id: of the message it is about, "" where it does not say.
    """

    nature: Nature
    recipients: tuple[Bounced, ...]
    message_id: str = ""

    @property
    def worst(self) -> Bounced | None:
        """What counts, where the return path tells the recipient: what is for good first."""
        return max(self.recipients, key=_weight, default=None)


def understand(report: ReadReport) -> Understood:
    """Judge a message that came to an address where bounces are expected.  Never raises."""
    if report.is_complaint:
        return Understood(Nature.COMPLAINT, ())
    recipients = _with_fields(report)
    if recipients:
        return _by_fields(report, recipients)
    subject = _field(report, b"subject")
    is_daemon = _DAEMON.search(_field(report, b"from")) is not None
    is_bounce = (
        _BOUNCE_SUBJECT.search(subject) is not None
        or _BOUNCE_WORDS.search(report.text, 0, _OPENING_CHARACTERS) is not None
    )
    if not is_daemon and (_HELPER.search(subject) or (_answers(report) and not is_bounce)):
        return Understood(Nature.HELPER, ())
    if not is_daemon and not is_bounce:
        return Understood(Nature.OTHER, ())
    return _by_words(report, subject)


def _with_fields(report: ReadReport) -> tuple[RecipientStatus, ...]:
    """Recipients told in fields, in a part of their own or within the words."""
    if report.status is not None and report.status.recipients:
        return report.status.recipients[:RECIPIENTS]
    found = _FIELDS_IN_TEXT.search(report.text)
    if found is None:
        return ()
    fields = _QUOTE_MARKS.sub("", report.text[found.start() :])
    named = read_status(fields.encode("utf-8", "replace")).recipients[:RECIPIENTS]
    return tuple(each for each in named if each.final or each.original)


def _by_fields(report: ReadReport, recipients: tuple[RecipientStatus, ...]) -> Understood:
    bad = [each for each in recipients if _is_bad(each)]
    if not bad:
        return Understood(Nature.GOOD, (), report.returned.message_id)
    words = before_the_message(report.text)
    bounced = tuple(
        Bounced(_address(each), _judged(each, words), _cut(each.diagnostic or each.status))
        for each in bad
    )
    if any(_is_failed(each) for each in bad):
        return Understood(Nature.FAILURE, bounced, report.returned.message_id)
    return Understood(Nature.DELAY, _waiting(bounced), report.returned.message_id)


def _is_failed(recipient: RecipientStatus) -> bool:
    if recipient.action is None:
        return not recipient.status or recipient.status.startswith("5")
    return recipient.action is Action.FAILED


def _is_bad(recipient: RecipientStatus) -> bool:
    if recipient.action is None:
        return not recipient.status.startswith("2")
    return recipient.action in (Action.FAILED, Action.DELAYED)


def _address(recipient: RecipientStatus) -> str:
    return recipient.final or (recipient.original.address if recipient.original else "")


def _judged(recipient: RecipientStatus, words: str) -> Judgement:
    """By the diagnostic, and by the words only where there is none."""
    said = recipient.diagnostic
    code, enhanced = codes_in(said)
    if recipient.status and not (enhanced and is_specific(enhanced)):
        enhanced = recipient.status
    judgement = judge(code, enhanced, said)
    is_vague = judgement.cause in (Cause.UNKNOWN, Cause.EXPIRED)
    if is_vague or (not said and not is_specific(enhanced)):
        _, quoted = codes_in(words)
        judgement = judge(code, quoted if quoted and is_specific(quoted) else enhanced, words)
    # A failure is for good, whatever the code of the last attempt was.
    return Judgement(judgement.cause, judgement.is_permanent or _is_failed(recipient))


def _by_words(report: ReadReport, subject: str) -> Understood:
    words = before_the_message(report.text)
    bounced: list[Bounced] = []
    for said in what_was_said(report.text):
        code, enhanced = codes_in(said.words)
        judgement = judge(code, enhanced, said.words)
        if judgement.cause is Cause.UNKNOWN and len(bounced) < WHOLE_WORDS:
            # The reason may stand before the address.
            judgement = judge(code, enhanced, words)
        bounced.append(Bounced(said.address, judgement, _cut(said.words)))
    is_delay = _DELAY.search(words) is not None or _DELAY.search(subject) is not None
    if is_delay:
        return Understood(Nature.DELAY, _waiting(bounced), report.returned.message_id)
    final = tuple(
        replace(each, judgement=Judgement(each.judgement.cause, True)) for each in bounced
    )
    return Understood(Nature.FAILURE, final, report.returned.message_id)


def _waiting(bounced: Iterable[Bounced]) -> tuple[Bounced, ...]:
    """A warning tells what happens when its sender gives up; it has not yet."""
    causes = [(each, each.judgement.cause) for each in bounced]
    return tuple(
        replace(
            each, judgement=Judgement(Cause.UNKNOWN if cause is Cause.EXPIRED else cause, False)
        )
        for each, cause in causes
    )


def _weight(bounced: Bounced) -> tuple[bool, bool]:
    return bounced.judgement.is_permanent, bounced.judgement.cause.is_dead_address


def _cut(words: str) -> str:
    return " ".join(without_controls(words[: 4 * WORDS_CHARACTERS]).split())[:WORDS_CHARACTERS]


def _answers(report: ReadReport) -> bool:
    said = _field(report, b"auto-submitted").lower()
    return said.startswith("auto-") or any(
        report.header.first(mark) for mark in (b"x-autoreply", b"x-autorespond")
    )


def _field(report: ReadReport, name: bytes) -> str:
    return decode_words(report.header.first(name) or b"", 2_000)
