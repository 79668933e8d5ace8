"""An engine played by hand: what it says is compared, what the server says is fed to it."""

from collections.abc import Sequence
from typing import Final

from mailbox_server.relay.client.engine import Engine, State
from mailbox_server.relay.client.transaction import Transaction, Way

ALL: Final = ("PIPELINING", "CHUNKING", "8BITMIME", "DSN", "SMTPUTF8", "SIZE 1000000")


def ehlo_reply(*keywords: str) -> bytes:
    lines = ["mx.example.net", *keywords]
    return b"".join(
        f"250{' ' if at == len(lines) - 1 else '-'}{line}\r\n".encode()
        for at, line in enumerate(lines)
    )


def greeted(*keywords: str) -> Engine:
    """An engine that is READY at a server with these extensions."""
    engine = Engine()
    engine.receive(b"220 mx.example.net ESMTP\r\n")
    engine.hello("me.example.org")
    assert engine.output() == b"EHLO me.example.org\r\n"
    engine.receive(ehlo_reply(*keywords))
    assert engine.state is State.READY
    return engine


def begun(engine: Engine, recipients: int, way: Way = Way.DATA) -> Transaction:
    """A transaction from a to r0, r1 and so on."""
    lines = [b"RCPT TO:<r%d@example.net>\r\n" % at for at in range(recipients)]
    return engine.begin(b"MAIL FROM:<a@example.org>\r\n", lines, way)


def told(transaction: Transaction) -> list[tuple[str, int, str, bool] | None]:
    """Phase, code, text and whose of each answer."""
    return [
        None
        if one is None
        else (one.phase.value, one.reply.code, " ".join(one.reply.lines), one.is_theirs)
        for one in transaction.answers
    ]


def codes(transaction: Transaction) -> Sequence[int | None]:
    return [None if one is None else one.reply.code for one in transaction.answers]
