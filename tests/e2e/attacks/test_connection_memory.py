"""What a stranger's connection costs: at most 64 KiB in plain text, 320 KiB in TLS (A12).

Measured as the growth of the process's own memory over many connections that have been
greeted and said one harmless thing; the first few of a kind go before, so that what is kept
for all of them is not counted.  The process is fresh and all connections are
held to the end, so that no memory given back before is used again: with --full by groups of
300, else all in one process.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import pytest

from tests.e2e.appliance import Appliance
from tests.e2e.attacks.process import KIB, own_octets
from tests.e2e.attacks.raw import IMPLICIT_TLS, PATIENCE_SECONDS, Raw, connect

PLAIN_MOST: Final = 64 * KIB
TLS_MOST: Final = 320 * KIB
HARMLESS: Final = {
    "smtp": b"EHLO c\r\n",
    "lmtp": b"LHLO c\r\n",
    "smtp_tls": b"EHLO c\r\n",
    "submission": b"EHLO c\r\n",
    "submissions": b"EHLO c\r\n",
    "pop3": b"CAPA\r\n",
    "pop3s": b"CAPA\r\n",
    "imap": b"a CAPABILITY\r\n",
    "imaps": b"a CAPABILITY\r\n",
}
STARTTLS: Final = {
    "smtp": b"STARTTLS\r\n",
    "lmtp": b"STARTTLS\r\n",
    "submission": b"STARTTLS\r\n",
    "pop3": b"STLS\r\n",
    "imap": b"a STARTTLS\r\n",
}


@dataclass(frozen=True)
class Count:
    """How many connections go before, and over how many is measured."""

    warm: int
    plain: int
    tls: int
    mute: int


class Room:
    """A fresh appliance, and the connections that are held to it."""

    def __init__(self, appliance: Appliance, count: Count) -> None:
        self.appliance = appliance
        self.count = count
        self._held = contextlib.ExitStack()

    def hold(self, number: int, connecting: Callable[[], Raw | socket.socket]) -> None:
        for _ in range(number):
            self._held.callback(connecting().close)

    def leave(self) -> None:
        self._held.close()


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def room(appliance: Appliance, request: pytest.FixtureRequest, full: bool) -> Iterator[Room]:
    stock = appliance.config.read_text()
    if request.param == "asyncio":
        if not full:
            pytest.skip("the loop of those who have no uvloop; --full runs it")
        appliance.config.write_text(stock.replace("[server]\n", "[server]\nuvloop = false\n", 1))
    assert appliance.stop() == 0
    appliance.start()
    made = Room(appliance, Count(40, 300, 300, 300) if full else Count(15, 150, 50, 80))
    yield made
    made.leave()
    if request.param == "asyncio":
        appliance.config.write_text(stock)
        assert appliance.stop() == 0
        appliance.start()


@pytest.fixture
def group(room: Room, full: bool) -> Room:
    """Before each group all others have left, where there would be too many."""
    if full:
        room.leave()
        assert room.appliance.stop() == 0
        room.appliance.start()
    return room


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


def cost_of_each(room: Room, number: int, connecting: Callable[[], Raw | socket.socket]) -> int:
    """Octets that each of so many connections costs, by the cheaper half of them.

    What the process takes once, whoever is connected, falls into one half only.
    """
    grown = []
    for _ in range(2):
        # Whoever came before this one has been accepted.
        greeted(room.appliance, "smtp", starttls=False).close()
        before = own_octets(room.appliance.pid)
        room.hold(number // 2, connecting)
        greeted(room.appliance, "smtp", starttls=False).close()
        grown.append(own_octets(room.appliance.pid) - before)
    return min(grown) // (number // 2)


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
    group: Room, services: tuple[str, ...], starttls: bool, most: int
) -> None:
    count = group.count.plain if most == PLAIN_MOST else group.count.tls
    costs = {}
    for service in services:
        connecting = partial(greeted, group.appliance, service, starttls=starttls)
        group.hold(group.count.warm, connecting)
        costs[service] = cost_of_each(group, count, connecting)
    assert max(costs.values()) <= most, costs


def test_who_says_nothing_costs_no_more(group: Room) -> None:
    costs = {}
    for service in ("smtp", "pop3", "imap", "smtp_tls", "submissions", "imaps"):
        connecting = partial(mute, group.appliance, service)
        group.hold(group.count.warm, connecting)
        costs[service] = cost_of_each(group, group.count.mute, connecting)
    assert all(
        cost <= (TLS_MOST if service in IMPLICIT_TLS else PLAIN_MOST)
        for service, cost in costs.items()
    ), costs
