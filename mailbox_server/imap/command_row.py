"""The shape of the command table: names, states, grammars and handlers, one row a command."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.named_grammar import NamedGrammar
from mailbox_server.imap.responses import Outcome
from mailbox_server.imap.session import Session, State
from mailbox_server.imap.views.selected import Tells

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
    streams: its literals after the mailbox are messages: parse is called with the text up to
        and including the first `{size}`, handle pulls session.literals.
    names_message: the mailbox is its second argument, behind one that is no string.
    by_number: it names messages by number; once UIDONLY was enabled it is refused (RFC 9586 §3).
    tells: which changes may be told between handle and the tagged reply.
    asks_news: clients give it to hear of new mail.
    repeats: clients give it again in the same words, of which none is secret; its arguments are
        hashable and say the same whenever they are read.
    """

    name: str
    states: frozenset[State]
    parse: Callable[[Lexer], A]
    handle: Callable[[Session, A], Awaitable[Outcome]]
    rfc: str
    tells: Tells = Tells.EVERYTHING
    streams: bool = False
    names_message: bool = False
    by_number: bool = False
    asks_news: bool = False
    repeats: bool = False


class CommandTable:
    """The rows by name, and what the engine needs of them; made once, shared by all."""

    def __init__(self, rows: Iterable[CommandRow[Any]]) -> None:
        self.rows: Mapping[str, CommandRow[Any]] = {row.name: row for row in rows}
        self.grammars: Mapping[str, NamedGrammar] = {
            name: NamedGrammar(
                row.parse,
                streams=row.streams,
                names_message=row.names_message,
                repeats=row.repeats,
            )
            for name, row in self.rows.items()
        }
