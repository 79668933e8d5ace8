"""One row of the command table: a command's name, where it is allowed, how it is read and done."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.responses import Outcome
from mailbox_server.imap.selected import Tells
from mailbox_server.imap.session import Session, State

A = TypeVar("A")

ANY_STATE = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
BEFORE_LOGIN = frozenset({State.NOT_AUTHENTICATED})
AFTER_LOGIN = frozenset({State.AUTHENTICATED, State.SELECTED})
WHEN_SELECTED = frozenset({State.SELECTED})


@dataclass(frozen=True, slots=True)
class CommandRow(Generic[A]):
    """A command.

    name: in capitals; UID commands are `UID FETCH`.
    parse: reads from just behind the name to the end of the command (it calls
        lexer.end()).  Raises what grammar.faults names, or MailboxNameMalformed.
    handle: does it; see imap.session.
    streams: its literals after the first argument are messages: parse is called with the
        text up to and including the first `{size}`, handle pulls session.literals.
    tells: which changes may be told between handle and the tagged reply.
    """

    name: str
    states: frozenset[State]
    parse: Callable[[Lexer], A]
    handle: Callable[[Session, A], Awaitable[Outcome]]
    rfc: str
    tells: Tells = Tells.EVERYTHING
    streams: bool = False
