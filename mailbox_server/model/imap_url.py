"""IMAP URLs of one message or a part of it (RFC 5092, RFC 4467 §9), read strictly.

A URL has at most 8 KiB and each octet is looked at a few times at most.  URLs of servers,
mailboxes and searches are refused: nothing here could be read from them.

Relative URLs may begin with `/`, or with `;UID=` where they mean a message of the mailbox
that is the base (RFC 5092 §9.1, RFC 4469 §3; §7.2 would have the latter refused).
"""

import enum
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import unquote_to_bytes

from mailbox_server.model.errors import MailboxNameMalformed, UrlMalformed
from mailbox_server.model.mailbox import mailbox_name

URL_OCTETS: Final = 8 * 1024
TOKEN_DIGITS: Final = 512

_NUMBER_MOST: Final = 2**32 - 1
_OFFSET_MOST: Final = 2**63 - 1

# No octet fits two alternatives: a hostile URL costs no more than others.
_PLAIN: Final = rb"A-Za-z0-9\-._~!$'()*+,&="
_ACHARS: Final = rb"(?:[%b]|%%[0-9a-f]{2})+" % _PLAIN
_BCHARS: Final = rb"(?:[%b:@]|%%[0-9a-f]{2}|/(?!;))+" % _PLAIN

_PLACE: Final = re.compile(
    rb"(?i)(?:imap:)?//(?:(?P<user>%b)?(?P<auth>;AUTH=%b)?@)?"
    rb"(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{0,5})?(?=/)" % (_ACHARS, _ACHARS)
)
_MESSAGE: Final = re.compile(
    rb"(?i)(?:/(?P<mailbox>%b)(?:;UIDVALIDITY=(?P<validity>[1-9][0-9]{0,9}))?/)?"
    rb";UID=(?P<uid>[1-9][0-9]{0,9})"
    rb"(?:/;SECTION=(?P<section>%b))?"
    rb"(?:/;PARTIAL=(?P<start>[0-9]{1,19})(?:\.(?P<count>[1-9][0-9]{0,18}))?)?"
    rb"(?P<rump>(?:;EXPIRE=(?P<expires>[0-9TZ:.+\-]{20,64}))?"
    rb";URLAUTH=(?:(?P<for>submit|user)\+(?P<userid>%b)|(?P<open>authuser|anonymous)))?"
    rb"(?P<verifier>:(?P<mechanism>[a-z0-9.-]{1,64}):(?P<token>[0-9a-f]{32,%d}))?\Z"
    % (_BCHARS, _BCHARS, _ACHARS, TOKEN_DIGITS)
)
_DATE_TIME: Final = re.compile(
    r"(?i)(\d{4}-\d\d-\d\dT\d\d:\d\d:)(\d\d)(?:\.(\d+))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
)
_DOTS: Final = (b".", b"..")


class AccessKind(enum.Enum):
    """For whom a URL was authorized (RFC 4467 §3)."""

    SUBMIT = "submit+"
    USER = "user+"
    AUTHUSER = "authuser"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class UrlAccess:
    """`;EXPIRE=` and `;URLAUTH=`.  userid: a login, for SUBMIT and USER only.

    expires: the last moment at which the URL is valid, UTC; None for ever.
    """

    kind: AccessKind
    userid: str = ""
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class UrlVerifier:
    """`:mechanism:token`.  mechanism: in capitals.  token: digits in lower case.

    rump: the URL up to here, octet for octet (RFC 4467 §6).
    """

    mechanism: str
    token: bytes
    rump: bytes


@dataclass(frozen=True, slots=True)
class ImapUrl:
    """A message, or a part of one.

    host: in lower case, without its port; "" for a relative URL.
    user: the login whose mailbox it is; "" where none is named.
    mailbox: stored form; None for the one that is the base.
    section: as BODY[...] has it, b"" for the whole message; not looked at yet.
    count: at most that many octets from start; None for all.
    """

    host: str
    user: str
    mailbox: str | None
    uid_validity: int | None
    uid: int
    section: bytes = b""
    start: int = 0
    count: int | None = None
    access: UrlAccess | None = None
    verifier: UrlVerifier | None = None


def parse_imap_url(octets: bytes) -> ImapUrl:
    """Read a URL.  Raises UrlMalformed."""
    if len(octets) > URL_OCTETS:
        raise UrlMalformed("the URL is longer than 8 KiB")
    place = _PLACE.match(octets)
    if place is not None and not (place["user"] or place["auth"]) and b"@" in place[0]:
        raise UrlMalformed("the URL names an empty user")
    path = octets[place.end() if place is not None else 0 :]
    found = _MESSAGE.match(_without_dots(path) if path.startswith(b"/") else path)
    if found is None or (place is not None and found["mailbox"] is None):
        raise UrlMalformed("that is no URL of a message")
    verifier = None
    if found["verifier"] is not None:
        if found["rump"] is None:
            raise UrlMalformed("a token stands behind a URL that is not authorized")
        rump = octets[: len(octets) - len(found["verifier"])]
        mechanism = found["mechanism"].decode("ascii").upper()
        verifier = UrlVerifier(mechanism, found["token"].lower(), rump)
    return ImapUrl(
        host="" if place is None else place["host"].decode("ascii").lower(),
        user="" if place is None else _text(place["user"] or b""),
        mailbox=None if found["mailbox"] is None else _mailbox(found["mailbox"]),
        uid_validity=None if found["validity"] is None else _number(found["validity"]),
        uid=_number(found["uid"]),
        section=unquote_to_bytes(found["section"] or b""),
        start=_number(found["start"] or b"0", _OFFSET_MOST),
        count=None if found["count"] is None else _number(found["count"], _OFFSET_MOST),
        access=None if found["rump"] is None else _access(found),
        verifier=verifier,
    )


def _access(found: re.Match[bytes]) -> UrlAccess:
    expires = None if found["expires"] is None else _moment(found["expires"].decode("ascii"))
    if found["open"] is not None:
        return UrlAccess(AccessKind(found["open"].decode("ascii").lower()), "", expires)
    kind = AccessKind(found["for"].decode("ascii").lower() + "+")
    return UrlAccess(kind, _text(found["userid"]), expires)


def _without_dots(path: bytes) -> bytes:
    """The path without `.` and `..` (RFC 3986 §5.2.4)."""
    segments = path.split(b"/")[1:]
    kept: list[bytes] = []
    for segment in segments:
        if segment not in _DOTS:
            kept.append(segment)
        elif segment == b".." and kept:
            kept.pop()
    if segments[-1] in _DOTS:
        kept.append(b"")
    return b"/" + b"/".join(kept)


def _mailbox(encoded: bytes) -> str:
    try:
        return mailbox_name(_text(encoded))
    except MailboxNameMalformed as fault:
        raise UrlMalformed("no mailbox has the name in the URL") from fault


def _text(encoded: bytes) -> str:
    try:
        return unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError as fault:
        raise UrlMalformed("the URL names something that is not UTF-8") from fault


def _number(digits: bytes, most: int = _NUMBER_MOST) -> int:
    number = int(digits)
    if number > most:
        raise UrlMalformed("a number in the URL is too large")
    return number


def _moment(text: str) -> datetime:
    """An RFC 3339 date-time; the second that was inserted counts to the next minute."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise UrlMalformed("the URL expires at no date")
    minute, second, fraction, zone = found.groups()
    offset = "+00:00" if zone in "Zz" else zone
    try:
        begun = datetime.fromisoformat(f"{minute.upper()}00{offset}")
        if int(second) > 60:
            raise UrlMalformed("the URL expires at no date")
        span = timedelta(seconds=int(second), microseconds=int(f"{fraction or ''}000000"[:6]))
        return (begun + span).astimezone(UTC)
    except (ValueError, OverflowError) as fault:
        raise UrlMalformed("the URL expires at no date") from fault
