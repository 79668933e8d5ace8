"""Targets of the POP3 room: the engine, and what a message goes through on its way out."""

from mailbox_server.pop3.engine import Engine
from mailbox_server.pop3.grammar import Command
from mailbox_server.pop3.stuffing import Stuffing
from mailbox_server.pop3.top_cut import TopCut
from tests.fuzz.target import Target, pieces_of

_LINE_OCTETS = 60


def _commands(pieces: list[bytes]) -> list[Command]:
    engine, found = Engine(_LINE_OCTETS), []
    for piece in pieces:
        engine.receive(piece)
        while (command := engine.next_command()) is not None:
            found.append(command)
        assert engine.pending <= _LINE_OCTETS + 1
    return found


def _engine(octets: bytes) -> None:
    whole = _commands([octets])
    assert _commands(list(pieces_of(octets))) == whole
    assert _commands([octets[at : at + 1] for at in range(len(octets))]) == whole


def _retrieval(octets: bytes) -> None:
    """Dots doubled and taken off again give the message, and TOP is a beginning of it."""
    stuffing = Stuffing()
    sent = b"".join(stuffing.feed(piece) for piece in pieces_of(octets)) + stuffing.finish()
    assert sent.endswith(b".\r\n") and b"\r\n.\r\n" not in (b"\r\n" + sent)[:-3]
    plain = (b"\n" + sent[:-3]).replace(b"\n.", b"\n")[1:]
    assert plain.startswith(octets) and plain[len(octets) :] in (b"", b"\r\n", b"\n")
    for lines in (0, 1, 3):
        top = TopCut(min(5, len(octets)), lines)
        shown = b"".join(top.feed(piece) for piece in pieces_of(octets))
        again = TopCut(min(5, len(octets)), lines)
        assert octets.startswith(shown) and again.feed(octets) == shown
        assert shown.count(b"\n", 5) <= lines


POP3_TARGETS = (
    Target(
        "pop3-engine",
        "POP3 octets, whole and in pieces",
        _engine,
        (
            b"USER ann\r\nPASS a b \r\nSTAT\r\nLIST 1\r\nRETR 2\r\n"
            b"TOP 1 5\r\nUIDL\r\nDELE 1\r\nQUIT\r\n",
            b"AUTH PLAIN =\r\nCAPA\nLANG *\r\nUTF8\r\nAPOP a b\r\nSTLS\r\nRSET\r\nNOOP\r\n",
        ),
        (
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\0",
            b"\xff",
            b"x" * 61,
            b"TOP 1 ",
            b"99999999999999999999",
        ),
        600,
    ),
    Target(
        "pop3-retrieval",
        "messages as RETR and TOP send them",
        _retrieval,
        (b"a\r\n.\r\n..b\r\n", b".", b"a\n.b\r\n\r", b"Subject: x\r\n\r\nbody\r\n.\r\n"),
        (b".", b"\r\n.", b"\r\n.\r\n", b"\n.", b"\r", b"\n"),
        600,
    ),
)
