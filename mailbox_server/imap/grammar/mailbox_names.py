"""Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3) or UTF-8, to text and back."""

import base64
import binascii
import re
from collections.abc import Iterator

from mailbox_server.imap.grammar.lexer import Lexer, TextForm
from mailbox_server.model.errors import MailboxNameMalformed
from mailbox_server.model.mailbox import mailbox_name

# An ampersand inside would let each of them be tried up to the end.
_SHIFT = re.compile(r"&([^-&]*)-")
_RUNS = re.compile(r"([ -%'-~]+)|(&)|([^ -~]+)")
_PLAIN = re.compile(r"[ -%'-~]*")


def decode(octets: bytes, form: TextForm = TextForm.SEVEN_BIT) -> str:
    """Text of a name or LIST pattern.  Raises MailboxNameMalformed.

    Of modified UTF-7 only the one canonical encoding is taken, so that two spellings never
    mean one mailbox.  Where names are written in it, one with octets above 127 is read as
    plain UTF-8 all the same: some clients send that without having been allowed to.
    """
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise MailboxNameMalformed("the mailbox name is not UTF-8") from fault
    if form is not TextForm.SEVEN_BIT or not text.isascii() or "&" not in text:
        return text
    decoded = "".join(_decoded(text))
    if encode(decoded) != octets:
        raise MailboxNameMalformed("the mailbox name is not proper modified UTF-7")
    return decoded


def _decoded(text: str) -> Iterator[str]:
    at = 0
    for shift in _SHIFT.finditer(text):
        yield text[at : shift.start()]
        yield _unshifted(shift.group(1)) if shift.group(1) else "&"
        at = shift.end()
    yield text[at:]


def _unshifted(digits: str) -> str:
    padded = digits.replace(",", "/") + "=" * (-len(digits) % 4)
    try:
        return base64.b64decode(padded, validate=True).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError, ValueError) as fault:
        raise MailboxNameMalformed("the mailbox name is not modified UTF-7") from fault


def encode(name: str) -> bytes:
    """Modified UTF-7 of text; not yet quoted (responses.mailbox does that)."""
    if _PLAIN.fullmatch(name):
        return name.encode("ascii")
    return "".join(_encoded(name)).encode("ascii")


def _encoded(name: str) -> Iterator[str]:
    for run in _RUNS.finditer(name):
        plain, ampersand, rest = run.groups()
        if plain:
            yield plain
        elif ampersand:
            yield "&-"
        else:
            digits = base64.b64encode(rest.encode("utf-16-be", "surrogatepass")).decode("ascii")
            yield "&" + digits.rstrip("=").replace("/", ",") + "-"


def parse_mailbox(lexer: Lexer) -> str:
    """Read a mailbox argument; the name in its stored form (model.mailbox).

    Raises MailboxNameMalformed, which the session answers with NO [CANNOT].
    """
    return parse_named(lexer)[0]


def parse_named(lexer: Lexer) -> tuple[str, str]:
    """The same, and the name as the client has written it."""
    written = decode(lexer.astring(), lexer.text_form)
    lexer.over("The mailbox name holds a character that needs quotes")
    return mailbox_name(written), written
