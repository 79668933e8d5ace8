"""What a stranger's connection costs: at most 64 KiB in plain text, 320 KiB in TLS (A12).

Measured as the growth of the process's proportional set size over some hundred connections
that have been greeted and said one harmless thing.  All of a group are held until its end,
and each group has a fresh process, so that no memory given back before is used again; the
first few of a kind go before, so that what is kept for all of them is not counted.
"""

import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import pytest

from tests.e2e.appliance import Appliance
from tests.e2e.attacks.process import KIB, pss_octets
from tests.e2e.attacks.raw import IMPLICIT_TLS, PATIENCE_SECONDS, Raw, connect

WARM: Final = 40
PLAIN_MOST: Final = 64 * KIB
TLS_MOST: Final = 320 * KIB
HARMLESS: Final = {
    "smtp": b"EHLO c\r\n",
    "lmtp": b"LHLO c\r\n",
    "smtp_tls": b"EHLO c\r\n",
    "pop3": b"CAPA\r\n",
    "pop3s": b"CAPA\r\n",
    "imap": b"a CAPABILITY\r\n",
    "imaps": b"a CAPABILITY\r\n",
}
STARTTLS: Final = {
    "smtp": b"STARTTLS\r\n",
    "lmtp": b"STARTTLS\r\n",
    "pop3": b"STLS\r\n",
    "imap": b"a STARTTLS\r\n",
}


@pytest.fixture(params=["uvloop", "asyncio"])
def fresh(appliance: Appliance, request: pytest.FixtureRequest, full: bool) -> Iterator[Appliance]:
    stock = appliance.config.read_text()
    if request.param == "asyncio":
        if not full:
            pytest.skip("the loop of those who have no uvloop; --full runs it")
        appliance.config.write_text(stock.replace("[server]\n", "[server]\nuvloop = false\n", 1))
    assert appliance.stop() == 0
    appliance.start()
    yield appliance
    if request.param == "asyncio":
        appliance.config.write_text(stock)
        assert appliance.stop() == 0
        appliance.start()


def greeted(appliance: Appliance, service: str, *, starttls: bool) -> Raw:
    one = connect(appliance, service)
    assert one.line()
    if starttls:
        one.send(STARTTLS[service])
        assert one.line()
        assert one.secure(appliance)
    one.send(HARMLESS[service])
    assert one.line()
    return one


def mute(appliance: Appliance, service: str) -> socket.socket:
    place = ("127.0.0.1", appliance.ports[service])
    return socket.create_connection(place, PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("services", "starttls", "most"),
    [
        (tuple(STARTTLS), False, PLAIN_MOST),
        (IMPLICIT_TLS, False, TLS_MOST),
        (tuple(STARTTLS), True, TLS_MOST),
    ],
    ids=["plain", "implicit TLS", "STARTTLS"],
)
def test_a_stranger_costs_little(
    fresh: Appliance, services: tuple[str, ...], starttls: bool, most: int, full: bool
) -> None:
    # A handshake is dear for both sides, who share the machine.
    count, warm = (300, WARM) if full or most == PLAIN_MOST else (50, 10)
    costs = {}
    with contextlib.ExitStack() as held:
        for service in services:
            for _ in range(warm):
                held.callback(greeted(fresh, service, starttls=starttls).close)
            before = pss_octets(fresh.pid)
            for _ in range(count):
                held.callback(greeted(fresh, service, starttls=starttls).close)
            costs[service] = (pss_octets(fresh.pid) - before) // count
    assert max(costs.values()) <= most, costs


def test_who_says_nothing_costs_no_more(fresh: Appliance) -> None:
    costs = {}
    with contextlib.ExitStack() as held:
        for service in ("smtp", "pop3", "imap", "smtp_tls", "imaps"):
            for _ in range(WARM):
                held.callback(mute(fresh, service).close)
            greeted(fresh, "smtp", starttls=False).close()
            before = pss_octets(fresh.pid)
            for _ in range(300):
                held.callback(mute(fresh, service).close)
            # Whoever came before this one has been accepted.
            greeted(fresh, "smtp", starttls=False).close()
            costs[service] = (pss_octets(fresh.pid) - before) // 300
    assert all(
        cost <= (TLS_MOST if service in IMPLICIT_TLS else PLAIN_MOST)
        for service, cost in costs.items()
    ), costs
