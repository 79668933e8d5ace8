"""Arguments of APPEND and REPLACE, read up to each message literal.

RFC 9051 §6.3.12, RFC 3502 (several messages), RFC 3516 §4.4 (literal8), RFC 4469 (CATENATE),
RFC 8508 (REPLACE).
`UTF8 (~{size} ...)` is of RFC 6855 §4; RFC 9755 has dropped it, and Thunderbird sends it.

What is appended comes as steps: a message begins, then come its parts, texts and URLs.  The
octets of a text are no part of these values: they flow past the grammar, see
session.MessageLiterals.  So a text is always the last step of a stretch.
"""

import enum
import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.dates import parse_date_time
from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.flags import parse_flag_list
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_names import parse_mailbox
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet, parse_sequence_number
from mailbox_server.model.message import InternalDate

STEPS_MOST: Final = 3_000
"""Before the next literal; limits.appended_messages messages of one URL each take 2,000."""

_UTF8 = re.compile(rb"(?i)UTF8 +\(~")
_CATENATE = re.compile(rb"(?i)CATENATE +\(")
_TEXT = re.compile(rb"(?i)TEXT +")
_URL = re.compile(rb"(?i)URL +")


class Within(enum.Enum):
    """What a message literal stands in, and so what may come behind it."""

    NOTHING = "nothing"
    UTF8 = "UTF8 (~{5} ...)"
    CATENATE = "CATENATE (TEXT {5} ... URL x)"


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """A message begins.

    flags: stored form, \\Deleted perhaps among them.  date: None means now.
    """

    flags: frozenset[str]
    date: InternalDate | None


@dataclass(frozen=True, slots=True)
class AppendText:
    """A literal to come, the message or a part of it.

    size: its octets.  may_hold_nul: whether it is a literal8.
    """

    size: int
    within: Within = Within.NOTHING
    may_hold_nul: bool = False


@dataclass(frozen=True, slots=True)
class AppendUrl:
    """A part that is here already, as the client has named it."""

    url: bytes


AppendStep = AppendMessage | AppendText | AppendUrl


@dataclass(frozen=True, slots=True)
class AppendArguments:
    """APPEND up to its first literal, or whole where it has none."""

    mailbox: str
    steps: tuple[AppendStep, ...]


@dataclass(frozen=True, slots=True)
class ReplaceArguments:
    """REPLACE or UID REPLACE, as far as AppendArguments go; what comes behind may be too much."""

    number: SequenceSet
    by: By
    mailbox: str
    steps: tuple[AppendStep, ...]


def parse_append(lexer: Lexer) -> AppendArguments:
    """Read what follows APPEND, up to the end or the `{size}` of the first message literal."""
    lexer.space()
    mailbox = parse_mailbox(lexer)
    steps: list[AppendStep] = []
    if not _message(lexer, steps):
        _messages(lexer, steps)
    return AppendArguments(mailbox, tuple(steps))


def parse_replace(lexer: Lexer, by: By) -> ReplaceArguments:
    """Read what follows REPLACE, up to the end or the first message literal (RFC 8508 §5)."""
    lexer.space()
    number = parse_sequence_number(lexer)
    new = parse_append(lexer)
    return ReplaceArguments(number, by, new.mailbox, new.steps)


def parse_append_rest(lexer: Lexer, within: Within) -> tuple[AppendStep, ...]:
    """Read what follows a message literal, up to the end or the next `{size}`."""
    steps: list[AppendStep] = []
    if within is Within.UTF8:
        lexer.expect(b")")
    if within is not Within.CATENATE or not _more_parts(lexer, steps):
        _messages(lexer, steps)
    return tuple(steps)


def _messages(lexer: Lexer, steps: list[AppendStep]) -> None:
    while not lexer.at_end():
        if _message(lexer, steps):
            return


def _message(lexer: Lexer, steps: list[AppendStep]) -> bool:
    """Read ` [flags] [date-time]` and the message; whether that ends with a literal."""
    lexer.space()
    flags: frozenset[str] = frozenset()
    if lexer.peek() == b"(":
        flags = parse_flag_list(lexer)
        lexer.space()
    date = None
    if lexer.peek() == b'"':
        date = parse_date_time(lexer)
        lexer.space()
    _add(steps, AppendMessage(flags, date))
    if lexer.match(_CATENATE):
        return _parts(lexer, steps)
    if lexer.match(_UTF8):
        _add(steps, AppendText(lexer.announced(), Within.UTF8, may_hold_nul=True))
    else:
        _add(steps, _text(lexer, Within.NOTHING))
    return True


def _text(lexer: Lexer, within: Within) -> AppendText:
    may_hold_nul = lexer.take(b"~")
    return AppendText(lexer.announced(), within, may_hold_nul)


def _more_parts(lexer: Lexer, steps: list[AppendStep]) -> bool:
    if lexer.take(b")"):
        return False
    lexer.space()
    return _parts(lexer, steps)


def _parts(lexer: Lexer, steps: list[AppendStep]) -> bool:
    """Read `TEXT {size}` and `URL x` up to `)`; whether that ends with a literal."""
    while True:
        if lexer.match(_TEXT):
            _add(steps, _text(lexer, Within.CATENATE))
            return True
        if lexer.match(_URL) is None:
            raise ArgumentsMalformed("Expected TEXT or URL")
        _add(steps, AppendUrl(lexer.astring()))
        if lexer.take(b")"):
            return False
        lexer.space()


def _add(steps: list[AppendStep], step: AppendStep) -> None:
    steps.append(step)
    if len(steps) > STEPS_MOST:
        raise ArgumentsTooMany("Too many messages or parts in one APPEND")
