"""Arguments of UIDBATCHES (RFC 10022 §4)."""

from dataclasses import dataclass

from mailbox_server.imap.grammar.lexer import Lexer


@dataclass(frozen=True, slots=True)
class BatchArguments:
    """size: messages a batch; first, last: the batches asked for as written, None for all.

    All are 0 or more; 0 and a wrong order are for the command to refuse.
    """

    size: int
    first: int | None = None
    last: int | None = None


def parse_batches(lexer: Lexer) -> BatchArguments:
    """Read what follows UIDBATCHES."""
    lexer.space()
    size = lexer.number()
    if lexer.at_end():
        return BatchArguments(size)
    lexer.space()
    first = lexer.number()
    lexer.expect(b":")
    last = lexer.number()
    lexer.end()
    return BatchArguments(size, first, last)
