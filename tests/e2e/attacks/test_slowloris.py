"""Thousands of connections that trickle, and a real client among them (S17, S18).

The connections come from many networks of loopback.  Below the limit all of them stand;
beyond it the oldest of the most crowded network make room.  Either way the client is
greeted and served while they go on.
"""

import asyncio
import imaplib
import poplib
import smtplib

import pytest

from tests.e2e.appliance import Appliance, address
from tests.e2e.attacks.flood import Flood, flood, room_for
from tests.e2e.attacks.in_process import connect, in_process
from tests.e2e.attacks.log import Watch
from tests.e2e.mail import fetch_all, imap, pop3, send, wait_for

PLAIN = ("smtp", "pop3", "imap", "lmtp")
WITH_TLS = (*PLAIN, "imaps")
"""What trickles into a handshake is no TLS, or takes longer than ten seconds: it goes soon."""
A_FEW_TURNS = 50
PLACES = 2_000
"""net.connections as it is when nobody sets it."""


@pytest.fixture(scope="session")
def many(full: bool) -> int:
    count = 10_000 if full else 1_000
    if not room_for(count):
        pytest.skip(f"needs {count} descriptors")
    return count


def serves(appliance: Appliance, running: Flood) -> None:
    """A real client of each protocol gets what it wants, while the flood goes on."""
    before = len(fetch_all(appliance))
    send(appliance, b"Subject: among thousands\r\n\r\nx\r\n", [address("ann")])
    reader = imap(appliance)
    assert reader.select("INBOX")[1] == [str(before + 1).encode()]
    reader.logout()
    maildrop = pop3(appliance)
    assert maildrop.stat()[0] == before + 1
    maildrop.quit()
    for plain in (imaplib.IMAP4, poplib.POP3, smtplib.SMTP):
        service = {imaplib.IMAP4: "imap", poplib.POP3: "pop3", smtplib.SMTP: "smtp"}[plain]
        plain("localhost", appliance.ports[service], timeout=30)
    assert running.goes_on
    assert running.held() > 0


def test_a_real_client_is_served_among_connections_that_trickle(
    appliance: Appliance, many: int
) -> None:
    watch = Watch(appliance)
    with flood(many, [appliance.ports[service] for service in WITH_TLS]) as running:
        running.held()
        serves(appliance, running)
    assert not [event for event in watch.events() if event["level"] != "info"]


def test_a_login_that_stands_outlives_the_flood(appliance: Appliance, many: int) -> None:
    """A7 of admission: work in hand is never shed, however many come."""
    reader = imap(appliance, "bob")
    reader.select("INBOX")
    with flood(max(many, PLACES + 500), [appliance.ports["imap"]]) as running:
        assert running.shrinks_to(PLACES) > PLACES // 2
        assert reader.noop()[0] == "OK"
        serves(appliance, running)
        assert reader.noop()[0] == "OK"
    reader.logout()


@pytest.mark.timeout(300)
async def test_the_greeting_comes_in_a_bounded_number_of_turns(many: int) -> None:
    async with in_process(connections=20_000) as house:
        loop = asyncio.get_running_loop()
        with flood(many, [house.ports[service] for service in PLAIN]) as running:
            most = house.built.admissions.limits.total
            held = await loop.run_in_executor(None, running.shrinks_to, most)
            # Where most places are taken, SMTP peers are given ten seconds instead of 300.
            assert held > min(many, most) // 2
            turns = 0

            def count() -> None:
                nonlocal turns, turning
                turns += 1
                turning = loop.call_soon(count)

            turning = loop.call_soon(count)
            for service in PLAIN:
                before = turns
                client = await connect(house, service)
                assert turns - before <= A_FEW_TURNS
                client.close()
            turning.cancel()
            assert running.goes_on
        assert house.faults() == []


@pytest.mark.parametrize(
    ("service", "hello", "goodbye"),
    [
        ("smtp", b"EHLO c", b"421 4.3.2 Too many connections"),
        ("lmtp", b"LHLO c", b"421 4.3.2 Too many connections"),
        ("pop3", b"CAPA", b"-ERR [SYS/TEMP] too many connections"),
        ("imap", b"a CAPABILITY", b"* BYE [UNAVAILABLE] Too many connections"),
    ],
)
async def test_the_mute_make_room_and_read_why(service: str, hello: bytes, goodbye: bytes) -> None:
    """Who has said something useful stays; commands that lead nowhere do not renew a place."""
    async with in_process(connections=10) as house:
        talking = await connect(house, service)
        for _ in range(3):
            talking.writer.write(hello + b"\r\n")
            assert await talking.line()
        mute = [await connect(house, service) for _ in range(9)]
        newcomers = [await connect(house, service) for _ in range(5)]
        for client in mute[:5]:
            assert (await client.line()).startswith(goodbye)
            assert await client.line() == b""
        talking.writer.write(hello + b"\r\n")
        assert await talking.line()
        for client in (talking, *mute, *newcomers):
            client.close()
        assert house.faults() == []


def test_nothing_is_left_of_a_flood(appliance: Appliance) -> None:
    """After all of it a message takes its ordinary way."""
    send(appliance, b"Subject: after the flood\r\n\r\nx\r\n", [address("ann")])
    wait_for(appliance, b"after the flood")
