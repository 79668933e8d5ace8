"""Take the text out of calendars and cards of addresses (RFC 5545 §3.1, RFC 6350 §3.2).

Only what people read is taken: names, places, notes, addresses.  Lines are unfolded before
the charset is undone, because programs fold inside of characters.
"""

import binascii
import re
from typing import Final

from mailbox_server.mime.charset import decode
from mailbox_server.mime.documents.gathered import Gathered
from mailbox_server.mime.documents.outcomes import Outcome, Unreadable

_FOLD: Final = re.compile(rb"\r?\n[ \t]")
_LINE: Final = re.compile(r'((?:[^":\r\n]|"[^"\r\n]*+"?)*+):(.*)')
_BEGIN: Final = re.compile(rb"^\s*+BEGIN:\s*(?:VCALENDAR|VCARD)\s*$", re.I | re.M)
_BEGIN_WITHIN: Final = 4_096
_NAME: Final = re.compile(r'(?:\A|;)(?:CN)=("[^"]*"?|[^;]*)', re.I)
_ESCAPED: Final = re.compile(r"\\(.)")
_ESCAPED_NAME: Final = re.compile(r"\^([n'^])")
_SOFT_BREAK: Final = re.compile(rb"=\r?\n")
_QUOTED: Final = re.compile(rb"^[^:\r\n]*ENCODING=QUOTED-PRINTABLE", re.I | re.M)

_READ: Final = frozenset(
    {"SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "CONTACT", "CATEGORIES", "RESOURCES"}
    | {"ATTENDEE", "ORGANIZER", "URL", "NAME", "X-WR-CALNAME", "X-WR-CALDESC"}
    | {"FN", "N", "NICKNAME", "EMAIL", "TEL", "ADR", "ORG", "TITLE", "ROLE", "NOTE"}
)
_STRUCTURED: Final = frozenset(("N", "ADR", "ORG"))


def gather_content_lines(octets: bytes, charset: str | None, gathered: Gathered) -> None:
    """Raises Unreadable where it is neither calendar nor card, Enough."""
    if not _BEGIN.search(octets[:_BEGIN_WITHIN].lstrip(b"\xef\xbb\xbf")):
        raise Unreadable(Outcome.UNKNOWN)
    if _QUOTED.search(octets):
        # vCard 2.1: such lines are continued as in a mail.
        octets = _SOFT_BREAK.sub(b"", octets)
    text = decode(_FOLD.sub(b"", octets), charset)
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is not None:
            _gather(match[1], match[2], gathered)


def _gather(head: str, value: str, gathered: Gathered) -> None:
    name, _, parameters = head.partition(";")
    name = name.rpartition(".")[2].strip().upper()
    if name not in _READ:
        return
    upper = parameters.upper()
    if "QUOTED-PRINTABLE" in upper:
        octets = binascii.a2b_qp(value.encode("utf-8", "replace"))
        charset = re.search(r"CHARSET=([\w.:-]{1,40})", parameters, re.I)
        value = decode(octets, charset[1] if charset else None)
    elif "ENCODING=B" in upper or "VALUE=BINARY" in upper:
        return
    for called in _NAME.findall(parameters):
        gathered.add_line(_ESCAPED_NAME.sub(_name_character, called.strip('"')))
    if name in _STRUCTURED:
        value = re.sub(r"(?<!\\);", " ", value)
    gathered.add_line(_ESCAPED.sub(_character, value.removeprefix("mailto:")))


def _character(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]


def _name_character(match: re.Match[str]) -> str:
    """RFC 6868 §3.1."""
    return {"n": "\n", "'": '"', "^": "^"}[match[1]]
