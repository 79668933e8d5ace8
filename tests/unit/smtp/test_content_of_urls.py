"""What URLs bring and what chunks bring is one message, which has one size."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from mailbox_server.delivery.receiving import Arrival
from mailbox_server.model.envelope import Peer
from mailbox_server.model.reply import Reply
from mailbox_server.smtp import replies
from mailbox_server.smtp.commands import Bdat, Burl, Hello
from mailbox_server.smtp.dialects import SMTP
from mailbox_server.smtp.engine import ContentEnd
from mailbox_server.smtp.grammar import parse
from mailbox_server.smtp.limits import SmtpLimits
from mailbox_server.smtp.places import Place
from mailbox_server.smtp.session import Session
from tests.unit.delivery.house import HOSTNAME, OWN, PEER, House

LINE = b"Subject: x\r\n"


async def test_a_chunk_behind_a_url_is_counted_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def blocks() -> AsyncGenerator[bytes, None]:
        yield LINE

    async def fetch(_arrival: Arrival, _url: str) -> AsyncGenerator[bytes, None] | Reply:
        return blocks()

    monkeypatch.setattr(Arrival, "fetch", fetch)
    house = House()
    house.store.add_account("ann@example.org")
    limits = SmtpLimits(message_octets=len(LINE) + 2)
    dialect = replace(SMTP, is_submission=True)
    place = Place(dialect, HOSTNAME, limits, Peer(PEER, 1, "c"), OWN, tls_possible=True)
    session = Session(place, house.receiver, house.clock, house.events, house.tasks, None)
    mail, rcpt = parse(b"MAIL FROM:<a@example.net>"), parse(b"RCPT TO:<ann@example.org>")
    for command in (Hello("EHLO", "c"), mail, rcpt, Burl("imap://x/")):
        assert (await session.handle(command)).replies[0].is_positive
    await session.handle(Bdat(3, True))
    session.take(b"a\r\n")
    assert (await session.end_content(ContentEnd(None, last=True))).replies == (replies.TOO_LARGE,)
    session.ended()
