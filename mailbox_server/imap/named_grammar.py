"""How the arguments of one command are read."""

from collections.abc import Callable

from mailbox_server.imap.grammar.lexer import Lexer


class NamedGrammar:
    """What the engine knows of a command; the rest as in CommandRow."""

    __slots__ = ("names_message", "parse", "repeats", "streams")

    def __init__(
        self,
        parse: Callable[[Lexer], object],
        *,
        streams: bool = False,
        names_message: bool = False,
        repeats: bool = False,
    ) -> None:
        self.parse = parse
        self.streams = streams
        self.names_message = names_message
        self.repeats = repeats
