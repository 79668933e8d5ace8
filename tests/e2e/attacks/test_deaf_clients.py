"""A client that asks and never reads: bounded memory, nothing read ahead, and then it is cut.

S19, A14, B6 of the design notes.  Neither asyncio's close() nor Twisted's loseConnection()
ends such a connection; it must be aborted, after 60 seconds for SMTP and 120 for the others.
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mailbox_server.imap.fetch.fetch_data import READ_OCTETS
from tests.e2e.appliance import DOMAIN, PASSWORDS, Appliance, address
from tests.e2e.attacks.in_process import InProcess, in_process
from tests.e2e.attacks.process import forget_peak, peak_octets
from tests.e2e.mail import send

MIB = 1024 * 1024
A_FEW_MIB = 6 * MIB
SHORT_SECONDS = 0.1
LARGE = b"Subject: large\r\n\r\n" + (b"z" * 70 + b"\r\n") * 20_000
MIDDLING = (b"z" * 70 + b"\r\n") * 1_400
MANY = 60
WAITING = 2 * READ_OCTETS * 5 // 4
"""Of one client: what two reads took, less what its system takes, and the message that is sent."""
IN_READING = 32 * MIB
"""What the store's readers have in hand at one moment, in several copies."""
LOGIN = f'"{address("bob")}" "{PASSWORDS["bob"]}"'.encode()


@dataclass(frozen=True)
class Deaf:
    """What the client says once, and what it says again and again."""

    service: str
    once: bytes
    again: bytes


# SMTP counts commands that lead nowhere, and ends the connection before much is unread.
COUNTED = (Deaf("smtp", b"", b"EHLO client.example\r\n" * 500),)
STRANGERS = (
    Deaf("lmtp", b"", b"LHLO client.example\r\n" * 500),
    Deaf("pop3", b"", b"CAPA\r\n" * 500),
    Deaf("imap", b"", b"a CAPABILITY\r\n" * 500),
)
KNOWN = (
    Deaf("imap", b"a LOGIN " + LOGIN + b"\r\nb SELECT INBOX\r\n", b"c FETCH 1:* BODY.PEEK[]\r\n"),
    Deaf("pop3", b"USER bob@%s\r\nPASS %s\r\n", b"RETR 1\r\n"),
)


def said_once(deaf: Deaf) -> bytes:
    if b"%s" not in deaf.once:
        return deaf.once
    return deaf.once % (DOMAIN.encode(), PASSWORDS["bob"].encode())


def identify(deaf: Deaf) -> str:
    return f"{deaf.service} {deaf.again.split()[-1].decode()}"


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A client whose own system takes hardly anything for it."""
    with socket.socket() as carrier:
        carrier.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        carrier.connect(("127.0.0.1", port))
        carrier.setblocking(False)
        yield carrier


def ask_until_nobody_listens(carrier: socket.socket, octets: bytes) -> int:
    """Send whole commands for as long as they are taken; how much that was."""
    taken, refusals = 0, 0
    while refusals < 100:
        try:
            taken += carrier.send(octets[taken % len(octets) :])
            refusals = 0
        except BlockingIOError:
            refusals += 1
            time.sleep(0.001)
        except ConnectionError:
            break
    return taken


@pytest.mark.parametrize("deaf", COUNTED + STRANGERS, ids=identify)
def test_it_costs_little_while_it_lasts(appliance: Appliance, deaf: Deaf) -> None:
    with connected(appliance.ports[deaf.service]) as carrier:
        carrier.send(said_once(deaf))
        costs_little(appliance, carrier, deaf)


def costs_little(appliance: Appliance, carrier: socket.socket, deaf: Deaf) -> None:
    before = forget_peak(appliance.pid)
    taken = ask_until_nobody_listens(carrier, deaf.again)
    assert taken < 16 * MIB
    assert peak_octets(appliance.pid) - before <= A_FEW_MIB
    # Others are served meanwhile.
    send(appliance, b"Subject: meanwhile\r\n\r\nx\r\n", [address("ann")])


def log_in(carrier: socket.socket, deaf: Deaf) -> None:
    """Say what opens the mailbox, and read that it is open."""
    carrier.settimeout(30)
    carrier.sendall(said_once(deaf))
    came = b""
    while came.count(b"+OK") < 3 and b"\r\nb OK" not in came:
        octets = carrier.recv(4096)
        assert octets, came
        came += octets
        assert b"-ERR" not in came and b" NO " not in came, came
    carrier.setblocking(False)


def await_index(running: Appliance) -> None:
    """Return when the search index, whose making takes memory, has caught up."""
    while json.loads(running.verb("store", "status", "--json").stdout)[0]["behind"]:
        time.sleep(0.1)


@pytest.mark.parametrize("deaf", KNOWN, ids=identify)
def test_it_costs_little_though_it_is_logged_in(in_clear: Appliance, deaf: Deaf) -> None:
    send(in_clear, LARGE, [address("bob")])
    await_index(in_clear)
    with connected(in_clear.ports[deaf.service]) as carrier:
        log_in(carrier, deaf)
        costs_little(in_clear, carrier, deaf)


def select_inbox(carrier: socket.socket, password: str) -> None:
    """Log ann in, and read all that comes of it."""
    carrier.settimeout(30)
    carrier.sendall(f'a LOGIN "{address("ann")}" "{password}"\r\nb SELECT INBOX\r\n'.encode())
    came = b""
    while b"\r\nb OK" not in came:
        came += carrier.recv(4096)


@pytest.fixture
def in_clear(tmp_path: Path) -> Iterator[Appliance]:
    """An appliance that takes passwords without TLS."""
    running = Appliance(tmp_path, "[login]\nplaintext_on_loopback = true\n")
    running.open_accounts()
    running.start()
    yield running
    running.stop()


def test_of_many_each_costs_what_two_reads_took(in_clear: Appliance) -> None:
    """I6 of the design notes: nothing more is read for who has not taken what was read.

    What its system took in no time looks taken: then one more was read meanwhile.
    """
    for number in range(40):
        send(in_clear, b"Subject: %d\r\n\r\n" % number + MIDDLING, [address("ann")])
    await_index(in_clear)
    port = in_clear.ports["imap"]
    with contextlib.ExitStack() as held:
        carriers = [held.enter_context(connected(port)) for _ in range(MANY)]
        reader = held.enter_context(socket.create_connection(("127.0.0.1", port)))
        for carrier in (*carriers, reader):
            select_inbox(carrier, PASSWORDS["ann"])
        before = forget_peak(in_clear.pid)
        for carrier in carriers:
            carrier.sendall(b"c FETCH 1:* BODY.PEEK[]\r\n")
        for carrier in carriers:
            assert carrier.recv(1, socket.MSG_PEEK) == b"*"
        # What is asked for now is read behind all that they were read.
        reader.sendall(b"c FETCH 1:* BODY.PEEK[]\r\n")
        came = b""
        while b"\r\nc OK" not in came[-100:]:
            came += reader.recv(1 << 16)
        assert len(came) > 40 * len(MIDDLING)
        assert peak_octets(in_clear.pid) - before <= MANY * WAITING + IN_READING


async def gone(house: InProcess) -> None:
    async with asyncio.timeout(30):
        while len(house.built.admissions):  # noqa: ASYNC110 - the register has no event
            await asyncio.sleep(0.01)


async def test_it_is_cut() -> None:
    """All of them side by side, with time-outs of a tenth of a second."""
    async with in_process(write_seconds=SHORT_SECONDS) as house:
        for service in (house.built.smtp, house.built.lmtp):
            service.limits = replace(service.limits, idle_commands=10**9)
            service.timeouts = replace(service.timeouts, unsent=SHORT_SECONDS, close=SHORT_SECONDS)
        await fill(house)
        with contextlib.ExitStack() as held:
            asking = []
            for deaf in COUNTED + STRANGERS + KNOWN:
                carrier = held.enter_context(connected(house.ports[deaf.service]))
                carrier.send(said_once(deaf))
                asking.append(asyncio.create_task(ask(carrier, deaf.again), name=identify(deaf)))
            await asyncio.gather(*asking)
            await gone(house)
        assert house.faults() == []


async def ask(carrier: socket.socket, octets: bytes) -> None:
    """Ask until the server has ended it."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(60):
            while True:
                await loop.sock_sendall(carrier, octets)


async def fill(house: InProcess) -> None:
    """A large message for bob."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.ports["smtp"])
    writer.write(
        b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<" + address("bob").encode() + b">\r\nDATA\r\n"
    )
    await reader.readuntil(b"354 ")
    writer.write(LARGE + b".\r\nQUIT\r\n")
    assert b"250 2.0.0 Ok, kept" in await reader.read()
    writer.close()


@pytest.mark.timeout(400)
def test_all_of_them_are_cut_in_the_end(in_clear: Appliance, full: bool) -> None:
    if not full:
        pytest.skip("takes more than two minutes; --full runs it")
    send(in_clear, LARGE, [address("bob")])
    with contextlib.ExitStack() as held:
        carriers = []
        for deaf in STRANGERS + KNOWN:
            carrier = held.enter_context(connected(in_clear.ports[deaf.service]))
            if deaf in KNOWN:
                log_in(carrier, deaf)
            ask_until_nobody_listens(carrier, deaf.again)
            carriers.append(carrier)
        for carrier in carriers:
            carrier.settimeout(300)
            # The cut resets the connection; before it there is only silence.
            with pytest.raises(ConnectionError):
                while True:
                    carrier.sendall(b"\r\n")
                    time.sleep(0.5)
