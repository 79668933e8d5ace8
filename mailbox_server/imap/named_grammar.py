"""How the arguments of one command are read."""

from collections.abc import Callable

from mailbox_server.imap.grammar.lexer import Lexer


class NamedGrammar:
    """What the engine knows of a command; streams and names_message as in CommandRow."""

    __slots__ = ("names_message", "parse", "streams")

    def __init__(
        self,
        parse: Callable[[Lexer], object],
        *,
        streams: bool = False,
        names_message: bool = False,
    ) -> None:
        self.parse = parse
        self.streams = streams
        self.names_message = names_message
