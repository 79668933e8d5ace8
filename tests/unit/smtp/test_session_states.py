"""All short sequences of commands against a model of RFC 5321 §4.1.4, RFC 3030 and RFC 3207."""

import itertools
from dataclasses import dataclass

import pytest

from mailbox_server.model.envelope import Peer
from mailbox_server.smtp.dialects import SMTP
from mailbox_server.smtp.engine import ContentBlock, ContentEnd, Engine
from mailbox_server.smtp.limits import SmtpLimits
from mailbox_server.smtp.places import After, Place
from mailbox_server.smtp.session import Session
from tests.dialogues.smtp.drivers import TLS
from tests.unit.delivery.house import HOSTNAME, OWN, PEER, House

COMMANDS = (
    b"HELO c",
    b"EHLO c",
    b"MAIL FROM:<>",
    b"RCPT TO:<ann@example.org>",
    b"RCPT TO:<no@example.org>",
    b"DATA",
    b"BDAT 2",
    b"BDAT 2 LAST",
    b"RSET",
    b"STARTTLS",
)
LENGTH = 4


@dataclass
class Model:
    """What a server knows, as simply as it can be said."""

    greeted: bool = False
    secured: bool = False
    mail: bool = False
    asked: int = 0
    accepted: int = 0
    chunked: bool = False

    def clear(self) -> None:
        self.mail, self.asked, self.accepted, self.chunked = False, 0, 0, False

    def answer(self, command: bytes) -> list[int]:
        match command.split()[0]:
            case b"HELO" | b"EHLO":
                self.clear()
                self.greeted = True
                return [250]
            case b"RSET":
                self.clear()
                return [250]
            case b"STARTTLS":
                if self.secured:
                    return [503]
                self.clear()
                self.greeted, self.secured = False, True
                return [220]
            case b"MAIL":
                if not self.greeted or self.mail:
                    return [503]
                self.mail = True
                return [250]
            case b"RCPT":
                if not self.mail or self.chunked:
                    return [503]
                self.asked += 1
                if b"<no@" in command:
                    return [550]
                self.accepted += 1
                return [250]
            case b"DATA":
                if not self.mail or self.chunked:
                    return [503]
                if not self.accepted:
                    return [554 if self.asked else 503]
                self.clear()
                return [354, 250]
        if not self.mail:
            return [503]
        if not self.accepted:
            return [554 if self.asked else 503]
        self.chunked = True
        if command.endswith(b"LAST"):
            self.clear()
        return [250]


async def codes(session: Session, engine: Engine, command: bytes) -> list[int]:
    """Send one command, with its content where it has one; the codes that came."""
    engine.feed(command + b"\r\n")
    if command.startswith(b"BDAT"):
        engine.feed(b"\r\n")
    found: list[int] = []
    while (value := engine.next_value()) is not None:
        if isinstance(value, ContentBlock):
            session.take(value.octets)
            continue
        if isinstance(value, ContentEnd):
            answer = await session.end_content(value)
        else:
            answer = await session.handle(value)
        found += [reply.code for reply in answer.replies]
        if not (engine.reads_content or session.has_chunks):
            engine.forget_content()
        if answer.after is After.CONTENT:
            engine.begin_content()
            engine.feed(b"Subject: x\r\n.\r\n")
        elif answer.after is After.TLS:
            engine.forget()
            session.secured(TLS)
        assert answer.after is not After.CLOSE
    return found


@pytest.mark.parametrize("first", COMMANDS, ids=lambda command: command.decode())
async def test_every_sequence_is_answered_as_the_model_says(first: bytes) -> None:
    house = House()
    house.store.add_account("ann@example.org")
    limits = SmtpLimits(errors=1000, slow_errors=1000)
    place = Place(SMTP, HOSTNAME, limits, Peer(PEER, 1, "c"), OWN, tls_possible=True)
    for rest in itertools.product(COMMANDS, repeat=LENGTH - 1):
        session = Session(place, house.receiver, house.clock, house.events, house.tasks, None)
        engine, model = Engine(limits), Model()
        for command in (b"EHLO c", first, *rest):
            expected = model.answer(command)
            assert await codes(session, engine, command) == expected, (first, rest, command)
        session.ended()
    assert house.events.faults == []


@pytest.mark.parametrize(
    ("mail", "code"),
    [
        (b"MAIL FROM:<a@example.net>", "452 4.3.1"),
        (b"MAIL FROM:<a@example.net> SIZE=999999999", "552 5.3.4"),
        (b"MAIL FROM:<a@example.net> REQUIRETLS", "555 5.5.4"),
        ("MAIL FROM:<\u00e4@example.net>".encode(), "550 5.6.7"),
    ],
)
async def test_a_refused_sender_is_told_in_the_log(mail: bytes, code: str) -> None:
    """An operator whose mail is refused must find out why without asking the peers."""
    house = House()
    house.store.low = True
    place = Place(SMTP, HOSTNAME, SmtpLimits(), Peer(PEER, 1, "c"), OWN, tls_possible=True)
    session = Session(place, house.receiver, house.clock, house.events, house.tasks, None)
    engine = Engine(SmtpLimits())
    for command in (b"EHLO c", mail):
        answered = await codes(session, engine, command)
    assert answered == [int(code[:3])]
    [told] = [fields for name, fields in house.events.told if name == "smtp.refused"]
    assert (told["connection"], told["reply"]) == ("c", code)
    assert "@example.net" in str(told["sender"])
