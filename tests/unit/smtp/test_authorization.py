"""A login holds while its account and password do, and its owner is no stranger."""

from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest
import pytest_asyncio

from mailbox_server.model.address import Address, IpAddress, ReversePath
from mailbox_server.model.envelope import Peer, TlsState
from mailbox_server.smtp import replies
from mailbox_server.smtp.commands import Auth, Data, Hello, Mail, Rcpt
from mailbox_server.smtp.dialects import SUBMISSION
from mailbox_server.smtp.engine import ContentEnd
from mailbox_server.smtp.limits import SmtpLimits
from mailbox_server.smtp.places import After, Answer, Place
from mailbox_server.smtp.session import Session
from tests.dialogues.submission.house import SubmissionHouse
from tests.unit.delivery.house import HOSTNAME, PEER

TLS = TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
ANN, BOB = Address.parse("ann@example.org"), Address.parse("bob@example.org")
LOGIN = Auth("PLAIN", b"AGFubgBzZWNyZXQ=")


@pytest_asyncio.fixture
async def house() -> AsyncIterator[SubmissionHouse]:
    house = await SubmissionHouse.open()
    yield house
    await house.close()


async def session_of(
    house: SubmissionHouse, tls: TlsState | None = TLS, ip: IpAddress | None = PEER
) -> Session:
    """One that has said hello."""
    peer = Peer(ip, 40_000, "c1")
    place = Place(
        SUBMISSION, HOSTNAME, SmtpLimits(), peer, None, tls_possible=True, logins=house.logins
    )
    session = Session(place, house.submitter, house.clock, house.events, house.tasks, tls)
    await session.handle(Hello("EHLO", "c"))
    return session


async def test_who_has_logged_in_is_no_stranger(house: SubmissionHouse) -> None:
    session = await session_of(house)
    assert not session.in_transaction
    assert await session.handle(LOGIN) == Answer((replies.LOGGED_IN,))
    assert session.in_transaction


async def test_a_login_that_holds_no_more_ends_the_session(house: SubmissionHouse) -> None:
    session = await session_of(house)
    await session.handle(LOGIN)
    await house.given("ann is disabled")
    house.clock.seconds += 6
    answer = await session.handle(Mail(ReversePath(None)))
    assert answer == Answer((replies.LOGIN_GONE,), After.CLOSE)


async def test_a_login_that_holds_no_more_ends_the_transaction(house: SubmissionHouse) -> None:
    """At the end of the content, and at whatever is said before it."""
    for closing in (Data(), Rcpt(BOB), ContentEnd(None, last=True)):
        session = await session_of(house)
        await session.handle(LOGIN)
        assert (await session.handle(Mail(ReversePath(ANN)))).replies[0].is_positive
        assert (await session.handle(Rcpt(BOB))).replies[0].is_positive
        if isinstance(closing, ContentEnd):
            assert (await session.handle(Data())).after is After.CONTENT
            session.take(b"From: ann@example.org\r\n\r\nwords\r\n")
        await house.given("ann is disabled")
        house.clock.seconds += 6
        if isinstance(closing, ContentEnd):
            answer = await session.end_content(closing)
        else:
            answer = await session.handle(closing)
        assert answer == Answer((replies.LOGIN_GONE,), After.CLOSE)
        await house.given("ann is enabled")
    assert await house.mail("bob") == []


async def test_tls_ends_a_login_made_without_it(house: SubmissionHouse) -> None:
    await house.given("loopback logins")
    session = await session_of(house, None, ip_address("127.0.0.1"))
    assert await session.handle(LOGIN) == Answer((replies.LOGGED_IN,))
    session.secured(TLS)
    await session.handle(Hello("EHLO", "c"))
    assert await session.handle(Mail(ReversePath(None))) == Answer((replies.LOGIN_FIRST,))


@pytest.mark.parametrize("ip", [PEER, None])
async def test_without_tls_only_this_machine_may(
    house: SubmissionHouse, ip: IpAddress | None
) -> None:
    """A UNIX socket is this machine's."""
    session = await session_of(house, None, ip)
    assert await session.handle(LOGIN) == Answer((replies.LOGIN_NEEDS_TLS,))
    await house.given("loopback logins")
    session = await session_of(house, None, ip)
    expected = replies.LOGGED_IN if ip is None else replies.LOGIN_NEEDS_TLS
    assert await session.handle(LOGIN) == Answer((expected,))
