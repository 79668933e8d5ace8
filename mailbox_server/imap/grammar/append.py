"""Arguments of APPEND, read up to each message literal (RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.4).

`UTF8 (~{size} ...)` is of RFC 6855 §4; RFC 9755 has dropped it, and Thunderbird sends it.

The octets of the messages are no part of these values: they flow past the grammar, see
session.MessageLiterals.
"""

import re
from dataclasses import dataclass

from mailbox_server.imap.grammar.dates import parse_date_time
from mailbox_server.imap.grammar.flags import parse_flag_list
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_names import parse_mailbox
from mailbox_server.model.message import InternalDate

_UTF8 = re.compile(rb"(?i)UTF8 +\(~")


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """One message as announced.

    flags: stored form, \\Deleted perhaps among them.  date: None means now.
    size: octets of the literal to come.  may_hold_nul: whether it is a literal8.
    """

    flags: frozenset[str]
    date: InternalDate | None
    size: int
    may_hold_nul: bool = False


@dataclass(frozen=True, slots=True)
class AppendArguments:
    """APPEND with its first message; more may follow (MULTIAPPEND)."""

    mailbox: str
    first: AppendMessage


def parse_append(lexer: Lexer) -> AppendArguments:
    """Read what follows APPEND, the `{size}` of its first message included."""
    lexer.space()
    mailbox = parse_mailbox(lexer)
    return AppendArguments(mailbox, parse_append_message(lexer))


def parse_append_message(lexer: Lexer) -> AppendMessage:
    """Read ` [flags] [date-time] [~]{size}`; the octets that follow are no business of ours.

    Behind `UTF8 (~{size}` the engine takes the parenthesis that closes.
    """
    lexer.space()
    flags: frozenset[str] = frozenset()
    if lexer.peek() == b"(":
        flags = parse_flag_list(lexer)
        lexer.space()
    date = None
    if lexer.peek() == b'"':
        date = parse_date_time(lexer)
        lexer.space()
    may_hold_nul = lexer.match(_UTF8) is not None or lexer.take(b"~")
    size = lexer.announced()
    lexer.end()
    return AppendMessage(flags, date, size, may_hold_nul)
