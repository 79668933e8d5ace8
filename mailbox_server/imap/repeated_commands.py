"""Commands that clients give again in the same words, read once.

A client that polls says the same line each time, and connections of one account say the
same.  What they mean is kept by account: nobody learns, by how long an answer takes, what
somebody else has asked.
"""

from typing import Final

from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.model.ids import AccountId

OCTETS_MOST: Final = 128
"""Of a line, behind its tag; longer ones are read each time."""
LINES_MOST: Final = 256
"""Of all accounts; the oldest goes first."""

Words = tuple[AccountId, TextForm, bytes]
"""Whose, how text is written on the connection, and the line behind its tag, of OCTETS_MOST."""
Meaning = tuple[str, object]
"""The command's name, and its arguments, which nobody changes."""


class RepeatedCommands:
    """What lines of one command each, without literals, mean; shared by a server's connections.

    meaning: of such words, None where it is not known.
    """

    def __init__(self) -> None:
        self._meanings: dict[Words, Meaning] = {}
        self.meaning = self._meanings.get

    def keep(self, words: Words, name: str, arguments: object) -> None:
        """Such a line means this; only of commands whose rows say that they are repeated."""
        if len(self._meanings) >= LINES_MOST:
            del self._meanings[next(iter(self._meanings))]
        self._meanings[words] = name, arguments
