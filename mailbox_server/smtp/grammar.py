"""The grammar of command lines: paths, parameters and xtext (RFC 5321 §4.1.2, RFC 6531 §3.3).

`parse` turns one line without its CR LF into a Command; whatever the octets, it returns
and never raises.  Work is linear in the line, which the engine keeps short.

Kinder than the RFC in three things that real clients need: a space after `FROM:` and `TO:`
(Outlook), hello names that are no domains, and paths without angle brackets, which the session
takes from who has logged in.  Stricter in none.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from mailbox_server.delivery.verp import PLAIN_DELIMITERS
from mailbox_server.model.address import Address, AddressLiteral, Domain, ReversePath
from mailbox_server.model.envelope import BodyType, Notify, OriginalRecipient, Return, Verp
from mailbox_server.model.errors import AddressMalformed, BadInput, DomainMalformed
from mailbox_server.model.outbound import ByMode
from mailbox_server.model.reply import Reply
from mailbox_server.smtp import replies
from mailbox_server.smtp.commands import (
    Auth,
    Bdat,
    BrokenOff,
    Burl,
    By,
    Command,
    Data,
    Foreign,
    Hello,
    Help,
    Mail,
    MailParameters,
    Malformed,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
)

FOREIGN_VERBS: Final = frozenset(
    {"GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI"}
)
"""Words of HTTP; a browser may be the one who was tricked into talking to us (ALPACA)."""

REFUSED_VERBS: Final = frozenset(
    {"EXPN", "ETRN", "TURN", "ATRN", "SEND", "SOML", "SAML", "XCLIENT", "XFORWARD"}
)

_LETTERS: Final = re.compile(rb"[A-Za-z]+\Z")
_HELLOS: Final = frozenset(("EHLO", "HELO", "LHLO"))
_HELLO_NAME: Final = re.compile(r"[^\0-\x1f\x7f]{1,255}\Z")
_KEYWORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")
_VALUE: Final = re.compile(r"[!-<>-~\u0080-\U0010ffff]+\Z")
_XTEXT: Final = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_XTEXT_HEX: Final = re.compile(r"\+([0-9A-F]{2})")
_PRINTABLE: Final = re.compile(r"[ -~]*\Z")
_ADDRESS_TYPE: Final = re.compile(r"[A-Za-z0-9!#$%&'*/?^_`{|}~.-]+\Z")
_UTF8_ADDRESS: Final = re.compile(r"(?:[!-*,-<>-\[\]-~\u0080-\U0010ffff]|\\x\{[0-9A-F]{2,6}\})+\Z")
_UTF8_HEX: Final = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_PLAIN_PATH: Final = re.compile(r'<([^"\\<> ]*)>')
_SECONDS: Final = re.compile(r"[0-9]{1,9}\Z", re.ASCII)
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})\Z",
    re.IGNORECASE | re.ASCII,
)
_PRIORITY: Final = re.compile(r"(?:0|-?[1-9])\Z")
_DELIMITERS: Final = re.compile(r"[-=+]{2}\Z")
_BY: Final = re.compile(r"([+-]?[0-9]{1,9});([NR])(T?)\Z", re.IGNORECASE | re.ASCII)
_MECHANISM: Final = re.compile(r"[A-Za-z0-9_-]{1,20}\Z")
_BDAT: Final = re.compile(rb"([0-9]{1,18})(?: +([Ll][Aa][Ss][Tt]))?\Z")

ENVELOPE_ID_OCTETS: Final = 100
ORIGINAL_RECIPIENT_OCTETS: Final = 500
MOST_PARAMETERS: Final = 20


class _NotUnderstood(BadInput):
    """Part of a line cannot be used; carries the reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.lines[0])
        self.reply = reply


def parse(line: bytes) -> Command:
    """Read one command line, given without its CR LF."""
    if not line:
        return Malformed(replies.EMPTY_COMMAND)
    if not (65 <= line[0] <= 90 or 97 <= line[0] <= 122) or line.startswith(b"SSH-"):
        return Foreign()
    word, _, argument = line.partition(b" ")
    if b"\r" in line or b"\n" in line:
        return BrokenOff(replies.BARE_NEWLINE_IN_COMMAND)
    if 0 in line:
        return Malformed(replies.NUL_IN_COMMAND)
    if not _LETTERS.match(word):
        return Malformed(replies.UNKNOWN_COMMAND)
    verb = word.upper().decode("ascii")
    if verb in FOREIGN_VERBS:
        return Foreign()
    if verb == "BDAT":
        return _bdat(argument.strip(b" "))
    try:
        text = argument.decode("utf-8", "replace" if verb in _HELLOS else "strict").strip(" ")
    except UnicodeDecodeError:
        return Malformed(replies.NOT_UTF8)
    if verb in REFUSED_VERBS:
        return Malformed(replies.NOT_OFFERED)
    try:
        return _parse_argument(verb, text)
    except _NotUnderstood as problem:
        return Malformed(problem.reply)


def _parse_argument(verb: str, text: str) -> Command:
    match verb:
        case "MAIL":
            return _mail(text)
        case "RCPT":
            return _rcpt(text)
        case verb if verb in _HELLOS:
            return _hello(verb, text)
        case "DATA":
            return _without_argument(text, Data())
        case "RSET":
            return _without_argument(text, Rset())
        case "QUIT":
            return _without_argument(text, Quit())
        case "STARTTLS":
            return _without_argument(text, StartTls())
        case "NOOP":
            return Noop()
        case "HELP":
            return Help()
        case "VRFY":
            return Vrfy() if text else Malformed(replies.ARGUMENT_MISSING)
        case "AUTH":
            return _auth(text)
        case "BURL":
            return _burl(text)
    return Malformed(replies.UNKNOWN_COMMAND)


def _auth(text: str) -> Command:
    mechanism, space, initial = text.partition(" ")
    if not _MECHANISM.match(mechanism) or " " in initial:
        return Malformed(replies.AUTH_MALFORMED)
    return Auth(mechanism.upper(), initial.encode("utf-8") if space else None)


def _burl(text: str) -> Command:
    url, _, last = text.partition(" ")
    if not url or last.strip(" ").upper() not in ("", "LAST"):
        return Malformed(replies.BURL_MALFORMED)
    return Burl(url, bool(last.strip(" ")))


def _without_argument(text: str, command: Command) -> Command:
    return Malformed(replies.NO_ARGUMENT_ALLOWED) if text else command


def _bdat(argument: bytes) -> Command:
    found = _BDAT.match(argument)
    if found is None:
        # How much content follows is unknown, and it must never be read as commands.
        return BrokenOff(replies.BDAT_MALFORMED)
    return Bdat(int(found[1]), found[2] is not None)


def _hello(verb: str, text: str) -> Hello:
    """Any name will do (RFC 5321 §4.1.4): computers are called in letters of all scripts.

    A U-label is unusable: RFC 6531 §3.7.1 wants A-labels here.
    """
    if not _HELLO_NAME.match(text):
        raise _NotUnderstood(replies.HELLO_MALFORMED)
    if not text.isascii():
        return Hello(verb, "")
    try:
        if text.startswith("["):
            return Hello(verb, AddressLiteral.parse(text).ascii)
        return Hello(verb, Domain.parse(text.removesuffix(".")).ascii)
    except DomainMalformed:
        return Hello(verb, "")


# ---------------------------------------------------------------- paths


def _after_keyword(text: str, keyword: str, problem: Reply) -> str:
    if text[: len(keyword)].upper() != keyword:
        raise _NotUnderstood(problem)
    return text[len(keyword) :].lstrip(" ")


def _split_path(text: str, problem: Reply) -> tuple[str, str]:
    """Cut `<path> rest` into the path without brackets and the rest; quotes are minded.

    One without brackets is not empty and has no source route.
    """
    plain = _PLAIN_PATH.match(text)
    if plain is not None:
        return plain[1], text[plain.end() :]
    is_bare = not text.startswith("<")
    quoted = False
    position = 0 if is_bare else 1
    while position < len(text):
        character = text[position]
        if quoted:
            if character == "\\":
                position += 1
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character == ">" and not is_bare:
            return text[1:position], text[position + 1 :]
        elif character in " <>":
            break
        position += 1
    ends = text[position : position + 1] in ("", " ")
    if not is_bare or quoted or not ends or text[:1] in ("", " ", "@"):
        raise _NotUnderstood(problem)
    return text[:position], text[position:]


def _mailbox(path: str, problem: Reply) -> Address:
    """Read a path; a source route before it is checked and dropped (RFC 5321 §4.1.1.3, C)."""
    try:
        if path.startswith("@"):
            route, colon, path = path.partition(":")
            if not colon:
                raise _NotUnderstood(problem)
            for hop in route.split(","):
                if not hop.startswith("@"):
                    raise _NotUnderstood(problem)
                Domain.parse(hop[1:])
        return Address.parse(path)
    except (AddressMalformed, DomainMalformed) as error:
        raise _NotUnderstood(problem) from error


def _mail(text: str) -> Mail:
    text = _after_keyword(text, "FROM:", replies.MAIL_MALFORMED)
    path, rest = _split_path(text, replies.SENDER_MALFORMED)
    sender = ReversePath(_mailbox(path, replies.SENDER_MALFORMED) if path else None)
    is_bare = not text.startswith("<")
    return Mail(sender, _mail_parameters(_parameters(rest)), is_bare=is_bare)


def _rcpt(text: str) -> Rcpt:
    text = _after_keyword(text, "TO:", replies.RCPT_MALFORMED)
    path, rest = _split_path(text, replies.RECIPIENT_MALFORMED)
    is_bare = not text.startswith("<")
    address = None
    if is_bare or path.lower() != "postmaster":
        address = _mailbox(path, replies.RECIPIENT_MALFORMED)
    notify = Notify.UNSAID
    original = None
    for keyword, value in _parameters(rest):
        if keyword == "NOTIFY":
            notify = _notify(value)
        elif keyword == "ORCPT":
            original = _original_recipient(value)
        else:
            raise _NotUnderstood(replies.PARAMETER_UNKNOWN)
    return Rcpt(address, notify, original, is_bare=is_bare)


# ---------------------------------------------------------------- parameters


def _parameters(rest: str) -> list[tuple[str, str | None]]:
    """Cut ` KEY=value KEY2` into pairs, keywords in capitals, values untouched."""
    if not rest:
        return []
    if not rest.startswith(" "):
        raise _NotUnderstood(replies.PARAMETERS_MALFORMED)
    found: list[tuple[str, str | None]] = []
    seen: set[str] = set()
    for word in rest.split(" "):
        if not word:
            continue
        keyword, equals, value = word.partition("=")
        if not _KEYWORD.match(keyword) or (equals and not _is_value(keyword, value)):
            raise _NotUnderstood(replies.PARAMETERS_MALFORMED)
        keyword = keyword.upper()
        if keyword in seen:
            raise _NotUnderstood(replies.PARAMETER_TWICE)
        if len(found) == MOST_PARAMETERS:
            raise _NotUnderstood(replies.PARAMETERS_MALFORMED)
        seen.add(keyword)
        found.append((keyword, value if equals else None))
    return found


def _is_value(keyword: str, value: str) -> bool:
    # Postfix departs from RFC 5321 §4.1.2, and those who talk to it: XVERP=+= has a = in its value.
    kind = _DELIMITERS if keyword.upper() == "XVERP" else _VALUE
    return kind.match(value) is not None


def _mail_parameters(pairs: list[tuple[str, str | None]]) -> MailParameters:
    size: int | None = None
    body = BodyType.SEVEN_BIT
    smtputf8 = require_tls = False
    ret = Return.UNSAID
    envelope_id: str | None = None
    priority = 0
    by: By | None = None
    hold: timedelta | datetime | None = None
    verp: Verp | None = None
    for keyword, value in pairs:
        match keyword:
            case "MT-PRIORITY":
                priority = _priority(value)
            case "HOLDFOR" | "HOLDUNTIL" if hold is not None:
                raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
            case "HOLDFOR":
                hold = _hold_for(value)
            case "HOLDUNTIL":
                hold = _hold_until(value)
            case "XVERP" | "XBOUNCECOUNT" if verp is not None:
                raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
            case "XVERP":
                verp = Verp(PLAIN_DELIMITERS if value is None else value)
            case "XBOUNCECOUNT":
                verp = Verp("") if _flag(value) else None
            case "BY":
                by = _by(value)
            case "AUTH":
                _check_auth(value)
            case "SIZE":
                size = _size(value)
            case "BODY":
                body = _choice(BodyType, value)
            case "SMTPUTF8":
                smtputf8 = _flag(value)
            case "REQUIRETLS":
                require_tls = _flag(value)
            case "RET":
                ret = _return(value)
            case "ENVID":
                envelope_id = _envelope_id(value)
            case _:
                raise _NotUnderstood(replies.PARAMETER_UNKNOWN)
    given = tuple(keyword for keyword, _ in pairs)
    return MailParameters(
        size, body, smtputf8, ret, envelope_id, require_tls, priority, by, hold, verp, given
    )


def _flag(value: str | None) -> bool:
    if value is not None:
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    return True


def _size(value: str | None) -> int:
    # 1*20DIGIT (RFC 1870 §4); int() alone would take signs, blanks and other digits.
    if value is None or len(value) > 20 or not (value.isascii() and value.isdigit()):
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    return int(value)


def _priority(value: str | None) -> int:
    if value is None or not _PRIORITY.match(value):
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    return int(value)


def _hold_for(value: str | None) -> timedelta:
    if value is None or not _SECONDS.match(value):
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    return timedelta(seconds=int(value))


def _hold_until(value: str | None) -> datetime:
    """A moment of RFC 3339 §5.6."""
    if value is None or not _MOMENT.match(value):
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD) from error


def _by(value: str | None) -> By:
    found = _BY.match(value or "")
    if found is None:
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    by = By(int(found[1]), ByMode(found[2].upper()), bool(found[3]))
    if by.mode is ByMode.RETURN and by.seconds <= 0:
        # What is late already cannot be returned if late (RFC 2852 §4).
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    return by


def _check_auth(value: str | None) -> None:
    """Who is said to have sent it first (RFC 4954 §5); we assert nothing to the next server."""
    if value is None or (value != "<>" and xtext_decoded(value) is None):
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)


def _choice(kind: Callable[[str], BodyType], value: str | None) -> BodyType:
    try:
        return kind((value or "").upper())
    except ValueError as error:
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD) from error


def _return(value: str | None) -> Return:
    match (value or "").upper():
        case "FULL":
            return Return.FULL
        case "HDRS":
            return Return.HEADERS
    raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)


def _notify(value: str | None) -> Notify:
    words = (value or "").upper().split(",")
    if words == ["NEVER"]:
        return Notify.NEVER
    wishes = Notify.UNSAID
    for word in words:
        match word:
            case "SUCCESS":
                wishes |= Notify.SUCCESS
            case "FAILURE":
                wishes |= Notify.FAILURE
            case "DELAY":
                wishes |= Notify.DELAY
            case _:
                raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    return wishes


def xtext_decoded(text: str) -> str | None:
    """Decode xtext (RFC 3461 §4); None where malformed or hiding anything unprintable."""
    if not _XTEXT.match(text):
        return None
    plain = _XTEXT_HEX.sub(lambda found: chr(int(found[1], 16)), text)
    return plain if _PRINTABLE.match(plain) else None


def _envelope_id(value: str | None) -> str:
    if value is None or len(value) > ENVELOPE_ID_OCTETS:
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    plain = xtext_decoded(value)
    if plain is None:
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    return plain


def _original_recipient(value: str | None) -> OriginalRecipient:
    if value is None or len(value.encode("utf-8")) > ORIGINAL_RECIPIENT_OCTETS:
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    kind, semicolon, encoded = value.partition(";")
    if not semicolon or not encoded or not _ADDRESS_TYPE.match(kind):
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    plain = utf8_address_decoded(encoded) if kind.lower() == "utf-8" else xtext_decoded(encoded)
    if plain is None:
        raise _NotUnderstood(replies.PARAMETER_VALUE_BAD)
    return OriginalRecipient(kind, plain)


def utf8_address_decoded(text: str) -> str | None:
    r"""Decode the utf-8 address type, `\x{HEX}` in it (RFC 6533 §3); None where malformed."""
    if not _UTF8_ADDRESS.match(text):
        return None
    points = [int(found, 16) for found in _UTF8_HEX.findall(text)]
    if any(
        point > 0x10FFFF or 0xD800 <= point <= 0xDFFF or point < 0x20 or 0x7F <= point < 0xA0
        for point in points
    ):
        return None
    plain = _UTF8_HEX.sub(lambda found: chr(int(found[1], 16)), text)
    return plain if plain.isprintable() else None
