"""Everything that leaves for the client is put into octets here, safe against injection.

Text of status lines comes from us and is cut to printable ASCII; what came from mail or
from clients goes through string(), which quotes it or makes it a literal.
"""

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.mailbox_names import encode

CRLF: Final = b"\r\n"
QUOTED_MOST: Final = 1_000
_BYE: Final = b"BYE"

_ASTRING_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+\Z')
_UNQUOTABLE = re.compile(rb"[\x00\r\n\x80-\xff]")
_UNQUOTED_TEXT = re.compile(rb"[\x00\r\n]")
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_PLAIN_NAME = re.compile(r"[ !#-%'-\[\]-~]*")
"""Written alike in all forms."""
_TO_ESCAPE = re.compile(rb'(["\\])')
_NOT_PRINTABLE = re.compile(r"[^ -~]")


class Status(bytes, enum.Enum):
    """How a command ended (RFC 9051 §7.1); each is its own octets."""

    OK = b"OK"
    NO = b"NO"
    BAD = b"BAD"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The tagged reply of a command, without its tag.

    text: our words, never the peer's.  code: what stands between brackets, ready octets
    without them; b"" for none.
    """

    status: Status
    text: str
    code: bytes = b""


def ok(text: str, code: bytes = b"") -> Outcome:
    """The command was done."""
    return Outcome(Status.OK, text, code)


def no(text: str, code: bytes = b"") -> Outcome:
    """The command was understood and not done."""
    return Outcome(Status.NO, text, code)


def bad(text: str, code: bytes = b"") -> Outcome:
    """The command was not understood."""
    return Outcome(Status.BAD, text, code)


def status_line(tag: bytes, outcome: Outcome) -> bytes:
    """One line, CRLF included; tag b"*" makes it untagged."""
    text = outcome.text or "-"
    if not (text.isascii() and text.isprintable()):
        text = _NOT_PRINTABLE.sub("?", text)
    code = b"[" + outcome.code + b"] " if outcome.code else b""
    return tag + b" " + outcome.status + b" " + code + text.encode("ascii") + CRLF


def bye(farewell: Outcome) -> bytes:
    """`* BYE [CODE] text`; only the code of the outcome matters, never its status."""
    line = status_line(b"*", farewell)
    return line[:2] + _BYE + line[2 + len(farewell.status) :]


def untagged(line: bytes) -> bytes:
    """`* line`, CRLF included; line is made of ready pieces."""
    return b"* " + line + CRLF


def string(octets: bytes) -> bytes:
    """A quoted string where that is possible and short, else a literal (RFC 9051 §4.3)."""
    if _PLAIN.fullmatch(octets) and len(octets) <= QUOTED_MOST:
        return b'"' + octets + b'"'
    if len(octets) > QUOTED_MOST or _UNQUOTABLE.search(octets):
        return literal(octets)
    return _quoted(octets)


def _quoted(octets: bytes) -> bytes:
    return b'"' + _TO_ESCAPE.sub(rb"\\\1", octets) + b'"'


def literal(octets: bytes) -> bytes:
    """A literal."""
    return b"{%d}\r\n" % len(octets) + octets


def nstring(octets: bytes | None) -> bytes:
    """A string, or NIL."""
    return b"NIL" if octets is None else string(octets)


def binary_nstring(octets: bytes | None) -> bytes:
    """The same; octets with NUL as a literal8 (RFC 3516 §4.1)."""
    if octets is not None and b"\0" in octets:
        return b"~" + literal(octets)
    return nstring(octets)


def astring(octets: bytes) -> bytes:
    """An atom where the octets are one, else a string."""
    if _ASTRING_ATOM.match(octets) and octets.upper() != b"NIL":
        return octets
    return string(octets)


def text(written: str, form: TextForm) -> bytes:
    """A string; where it is UTF-8 it may be quoted only in that form (RFC 9755 §3)."""
    octets = written.encode("utf-8")
    if form is TextForm.SEVEN_BIT or len(octets) > QUOTED_MOST or _UNQUOTED_TEXT.search(octets):
        return string(octets)
    return _quoted(octets)


def mailbox(name: str, form: TextForm) -> bytes:
    """A mailbox name as LIST, STATUS and their like write it, a string."""
    if len(name) <= QUOTED_MOST and _PLAIN_NAME.fullmatch(name):
        return b'"%b"' % name.encode("ascii")
    return string(encode(name)) if form is TextForm.SEVEN_BIT else text(name, form)


def flag_list(names: Iterable[str]) -> bytes:
    """`(\\Seen $Junk)`; names in stored form are atoms, so they need no quotes."""
    return b"(" + " ".join(names).encode("ascii") + b")"


def ordered_set(numbers: Sequence[int]) -> bytes:
    """The numbers in their order, runs as ranges (RFC 5267 §3.2 lets SORT answer so)."""
    pieces = []
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            pieces.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
            first = number
        last = number
    pieces.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
    return b",".join(pieces)
