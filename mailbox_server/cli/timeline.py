"""The way of one message as text: what it is, what happened and when, how it stands now.

Times are UTC.  What others said is shown without control characters; nothing else of it is
left out.  Facts that no phrase here knows are shown by their names.
"""

from collections.abc import Iterator, Mapping
from string import Formatter
from types import MappingProxyType
from typing import Final

from mailbox_server.cli.outcome import octets, printable
from mailbox_server.ops.story_requests import (
    AttemptRow,
    EvidenceRow,
    RecipientRow,
    StoryRow,
)

# Pieces of a sentence; one is left out where a fact of it is missing.
_STAGES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "receive.connect": (
            "came from {hello} [{peer}]",
            "by {protocol}",
            "{tls}",
            "connection {connection}",
        ),
        "receive.envelope": (
            "sender {reverse-path}",
            "recipients: {recipients}",
            "{octets} octets",
        ),
        "submit.connect": (
            "handed in by {account}",
            "from {hello} [{peer}]",
            "by {protocol}",
            "{tls}",
            "connection {connection}",
        ),
        "submit.envelope": ("sender {reverse-path}", "recipients: {recipients}", "{octets} octets"),
        "submit.repeat": ("sent again, for its reply was lost",),
        "submit.held": ("put into the Outbox", "by {account}", "to leave {until}"),
        "submit.released": ("left the Outbox",),
        "submit.kept-back": ("not sent: {reason}",),
        "submit.cancelled": ("not to leave, by the {by}",),
        "submit.copy": ("the sender keeps this copy",),
        "route": ("for {recipient}", "through {through}", "with detail {detail}"),
        "forward": ("passed on for {recipient}", "through {through}", "sender {reverse-path}"),
        "operator.hold": ("held by the operator", "{recipient}", "recipients: {recipients}"),
        "operator.release": (
            "released by the operator",
            "{recipient}",
            "recipients: {recipients}",
        ),
        "operator.retry": (
            "to be tried at once, says the operator",
            "{recipient}",
            "recipients: {recipients}",
        ),
        "operator.drop": ("dropped by the operator", "{recipient}", "recipients: {recipients}"),
        "operator.route": (
            "given another way by the operator",
            "{recipient}",
            "recipients: {recipients}",
            "by {host}",
        ),
        "deliver.local": ("put into {mailbox}",),
        "append": ("put into {mailbox} by a mail program", "from {peer}"),
        "import": ("imported from {source}", "{octets} octets"),
        "return": (
            "a report that came back to {recipient}",
            "for {sender}",
            "number {count} of {most} today",
        ),
        "held": (
            "held, because a bug of ours came in the way {times} times",
            "recipients: {recipients}",
        ),
        "probe": ("a probe of ours", "for {list}"),
        "report": ("a report of ours: {actions}", "recipients: {recipients}", "about {about}"),
    }
)
_PHASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lookup": "finding the way",
        "connect": "connecting",
        "greeting": "the greeting",
        "hello": "EHLO",
        "tls": "TLS",
        "login": "the login",
        "mail": "MAIL",
        "rcpt": "RCPT",
        "data": "DATA",
        "content": "sending the content",
        "end": "the end of the content",
    }
)
_ENDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "delivered": "was delivered",
        "failed": "failed",
        "expired": "was given up, its time was over",
        "dropped": "was dropped by the operator",
    }
)
_INDENT: Final = " " * 21


def timeline(story: StoryRow) -> Iterator[str]:
    """The lines, without line ends."""
    yield from map(printable, _heading(story))
    yield ""
    for at, lines in sorted(_happened(story), key=lambda each: each[0]):
        yield f"{_moment(at)}  {printable(lines[0])}"
        yield from (_INDENT + printable(line) for line in lines[1:])
    if story.recipients:
        yield ""
    yield from (printable(_standing(each)) for each in story.recipients)
    if story.untold:
        yield f"and {story.untold} more recipients"


def _heading(story: StoryRow) -> Iterator[str]:
    whose = "" if story.account is None else f" of {story.account}"
    if story.origin is not None:
        yield f"{story.id}: {story.origin}{whose}"
    else:
        yield f"{story.id}: message{whose}"
    if story.origin is not None:
        yield f"Sender:     <{story.sender}>"
    elif story.sender:
        yield f"From:       {story.sender}"
    if story.subject:
        yield f"Subject:    {story.subject}"
    if story.message_id is not None:
        yield f"Message-ID: {story.message_id}"
    if story.size:
        yield f"Size:       {octets(story.size)}"
    if story.origin is None:
        yield f"Lies in:    {', '.join(story.places) or 'no mailbox (expunged)'}"


def _happened(story: StoryRow) -> Iterator[tuple[str, list[str]]]:
    """When, and the lines that say what."""
    for stamp in story.evidence:
        yield stamp.at, [_stamp(stamp)]
    for recipient in story.recipients:
        for attempt in recipient.attempts:
            yield attempt.at, _attempt(recipient, attempt)
        if recipient.delay_told is not None:
            yield recipient.delay_told, [f"{recipient.address}: the sender was told of the delay"]


def _stamp(stamp: EvidenceRow) -> str:
    pieces, told = [], set()
    for piece in _STAGES.get(stamp.stage, ()):
        names = [name for _, name, _, _ in Formatter().parse(piece) if name]
        if all(name in stamp.facts for name in names):
            pieces.append(_filled(piece, stamp.facts))
            told.update(names)
    others = [f"{name} {fact}" for name, fact in stamp.facts.items() if name not in told]
    said = ", ".join([*pieces, *others])
    return said if pieces else f"{stamp.stage}: {said}"


def _filled(piece: str, facts: Mapping[str, str]) -> str:
    return "".join(
        text + (facts[name] if name else "") for text, name, _, _ in Formatter().parse(piece)
    )


def _attempt(recipient: RecipientRow, attempt: AttemptRow) -> list[str]:
    place = ""
    if attempt.host is not None or attempt.ip is not None:
        ip = "" if attempt.ip is None else f"[{attempt.ip}]"
        place = " ".join(each for each in (attempt.host, ip) if each)
    if attempt.finding == "delivered":
        said = [f"{recipient.address}: taken by {place or 'the other side'}"]
    else:
        who = f"by {place}" if place else "here"
        phase = _PHASES.get(attempt.phase, attempt.phase)
        said = [f"{recipient.address}: {attempt.finding} {who} at {phase}"]
    if place:
        said += [attempt.tls or "no TLS", f"policy {attempt.policy}", f"{attempt.seconds:.1f} s"]
    if attempt.is_shared:
        said.append("as another message found shortly before")
    prefix = f"{attempt.code} {attempt.enhanced}".strip()
    whose = "" if attempt.is_theirs else "noted here: "
    return [", ".join(said), *(f"{whose}{prefix} {line}" for line in attempt.words)]


def _standing(recipient: RecipientRow) -> str:
    name = f"{recipient.address} ({recipient.id})"
    by_way = "" if recipient.route is None else f", by way of {recipient.route}"
    if recipient.state in _ENDS:
        return f"{name} {_ENDS[recipient.state]}"
    until = "" if recipient.expires is None else f", given up {_moment(recipient.expires)}"
    if recipient.state == "held":
        return f"{name} is held until it is released{by_way}"
    return f"{name} waits, next try {_moment(recipient.due)}{until}{by_way}"


def _moment(text: str) -> str:
    """As people read it, to the second."""
    return text[:19].replace("T", " ")
