"""Targets of the relay room: what other servers say to our client."""

from typing import Final

from mailbox_server.model.reply import Reply
from mailbox_server.relay.client.engine import Engine, State
from mailbox_server.relay.client.offer import read_offer
from mailbox_server.relay.client.reply_reader import ReplyReader
from mailbox_server.relay.client.transaction import Answer, Way
from tests.fuzz.target import Target, pieces_of

_RECIPIENTS: Final = 3
_EHLO: Final = b"250-mx.example.net\r\n250-PIPELINING\r\n250 CHUNKING\r\n"

Played = tuple[State, list[Answer | None], list[bool], Answer | None]


def _replies(octets: bytes) -> None:
    whole = list(_read([octets]))
    assert list(_read(list(pieces_of(octets)))) == whole
    assert list(_read([octets[at : at + 1] for at in range(len(octets))])) == whole
    for found in whole:
        if isinstance(found, Reply):
            assert all(line.isprintable() for line in found.lines)
            assert found.octets().count(b"\n") == len(found.lines)
            offer = read_offer(found)
            assert offer.size is None or offer.size > 0


def _read(pieces: list[bytes]) -> list[object]:
    reader = ReplyReader()
    found: list[object] = []
    for piece in pieces:
        reader.feed(piece)
        while (one := reader.next_reply()) is not None:
            found.append(one)
    return found


def _played(pieces: list[bytes], way: Way) -> Played:
    engine = Engine()
    engine.receive(b"220 hi\r\n")
    engine.hello("me.example.org")
    engine.receive(_EHLO)
    transaction = engine.begin(b"MAIL\r\n", [b"RCPT\r\n"] * _RECIPIENTS, way)
    for piece in pieces:
        engine.receive(piece)
    asked = [engine.is_sending, engine.wants_content]
    engine.lost(Reply(421, "4.4.2", ("lost",)))
    assert transaction.answers.count(None) in (0, _RECIPIENTS) or engine.state is State.CLOSED
    return engine.state, transaction.answers, asked, engine.failure


def _transaction(octets: bytes) -> None:
    """One transaction: the same answers whole and in pieces, and delivered only at the end."""
    for way in Way:
        whole = _played([octets], way)
        assert _played(list(pieces_of(octets)), way) == whole
        assert _played([octets[at : at + 1] for at in range(len(octets))], way) == whole
        for answer in whole[1]:
            # Nothing was sent yet: nobody can have been delivered to.
            assert answer is not None and not answer.reply.is_positive


RELAY_TARGETS = (
    Target(
        "smtp-replies",
        "replies of other servers",
        _replies,
        (
            b"220-mx\r\n220 hi\r\n",
            b"250-mx\r\n250-SIZE 100\r\n250-AUTH PLAIN\r\n250 LIMITS MAILMAX=5\r\n",
            b"550-5.1.1 no\r\n550 5.1.1 such user\r\n",
            b"354\r\n",
        ),
        (b"\r\n", b"\n", b"250-", b"250 ", b"421 ", b"5.1.1 ", b"2.0.0", b"999 ", b"\0"),
        1_000,
    ),
    Target(
        "smtp-client",
        "a server's side of one transaction",
        _transaction,
        (
            b"250 ok\r\n250 ok\r\n550 5.1.1 no\r\n450 later\r\n354 go\r\n",
            b"550 no\r\n503 no\r\n503 no\r\n503 no\r\n554 no\r\n",
            b"250 ok\r\n421 bye\r\n",
        ),
        (b"250 ok\r\n", b"354 go\r\n", b"550 no\r\n", b"421 \r\n", b"221 \r\n", b"250-a\r\n"),
        600,
    ),
)
