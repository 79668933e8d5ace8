"""Places are limited in all and per network; slow strangers make room, work in hand never."""

import ipaddress
from datetime import UTC, datetime

import pytest

from mailbox_server.model.address import IpAddress
from mailbox_server.net.admission import (
    AdmissionLimits,
    Admissions,
    Crowded,
    NetworkLimit,
    Phase,
    Ticket,
)


class HandClock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class Scene:
    """A register, its clock, and who was told to go."""

    def __init__(self, total: int = 3, *networks: NetworkLimit) -> None:
        self.clock = HandClock()
        self.shed: list[str] = []
        self.admissions = Admissions(AdmissionLimits(total, networks, 5.0), self.clock)

    def admit(self, name: str, ip: str | None = None) -> Ticket | Crowded:
        address: IpAddress | None = ipaddress.ip_address(ip) if ip else None
        return self.admissions.admit(address, lambda: self.shed.append(name))

    def admitted(self, name: str, ip: str | None = None) -> Ticket:
        ticket = self.admit(name, ip)
        assert isinstance(ticket, Ticket)
        return ticket


def test_places_are_given_back() -> None:
    scene = Scene(1)
    first = scene.admitted("a")
    assert scene.admit("b") is Crowded.TOTAL
    first.release()
    first.release()
    assert first.is_released
    first.enter(Phase.BUSY)
    scene.admitted("b")
    assert len(scene.admissions) == 1
    assert scene.shed == []


def test_the_young_are_not_shed() -> None:
    scene = Scene(1)
    scene.admitted("a")
    scene.clock.seconds += 4.9
    assert scene.admit("b") is Crowded.TOTAL
    scene.clock.seconds += 0.1
    scene.admitted("b")
    assert scene.shed == ["a"]
    assert len(scene.admissions) == 1


def test_the_slowest_unauthenticated_goes_first() -> None:
    scene = Scene(3)
    busy = scene.admitted("busy")
    busy.enter(Phase.BUSY)
    slow = scene.admitted("slow")
    quick = scene.admitted("quick")
    scene.clock.seconds += 10
    slow_again = slow
    quick.enter(Phase.IDLE)
    scene.clock.seconds += 10
    scene.admitted("new")
    assert scene.shed == ["slow"]
    assert slow_again.is_released
    scene.admitted("newer")
    assert scene.shed == ["slow", "quick"]


def test_progress_puts_a_stranger_behind_the_others() -> None:
    scene = Scene(2)
    first = scene.admitted("first")
    scene.admitted("second")
    scene.clock.seconds += 3
    first.enter(Phase.IDLE)
    scene.clock.seconds += 10
    scene.admitted("third")
    assert scene.shed == ["second"]


def test_work_in_hand_is_never_shed() -> None:
    scene = Scene(2)
    for name in "ab":
        scene.admitted(name).enter(Phase.BUSY)
    scene.clock.seconds += 100_000
    assert scene.admit("c") is Crowded.TOTAL
    assert scene.shed == []


def test_who_becomes_idle_again_may_be_shed() -> None:
    scene = Scene(1)
    ticket = scene.admitted("a")
    ticket.enter(Phase.BUSY)
    ticket.enter(Phase.IDLE)
    scene.clock.seconds += 5
    scene.admitted("b")
    assert scene.shed == ["a"]


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (["192.0.2.1", "192.0.2.200", "::ffff:192.0.2.3"], "192.0.3.1"),
        (["2001:db8:0:1::1", "2001:db8:0:1:ffff::", "2001:db8:0:1::3"], "2001:db8:0:2::1"),
    ],
)
def test_one_network_has_its_own_limit(inside: list[str], outside: str) -> None:
    scene = Scene(100, NetworkLimit(24, 64, 2))
    tickets = [scene.admitted(ip, ip) for ip in inside[:2]]
    assert scene.admit("third", inside[2]) is Crowded.NETWORK
    scene.admitted("other", outside)
    scene.admitted("local socket")
    tickets[0].release()
    scene.admitted("third", inside[2])


def test_a_network_sheds_its_own_strangers_only() -> None:
    scene = Scene(100, NetworkLimit(32, 64, 1))
    scene.admitted("elsewhere", "198.51.100.1")
    scene.admitted("here", "192.0.2.1")
    scene.clock.seconds += 5
    scene.admitted("new", "192.0.2.1")
    assert scene.shed == ["here"]


def test_each_of_several_network_limits_counts() -> None:
    scene = Scene(100, NetworkLimit(32, 128, 1), NetworkLimit(24, 64, 2))
    scene.admitted("a", "192.0.2.1")
    assert scene.admit("again", "192.0.2.1") is Crowded.NETWORK
    scene.admitted("b", "192.0.2.2")
    assert scene.admit("c", "192.0.2.3") is Crowded.NETWORK


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_counts_for_the_total_only(ip: str) -> None:
    scene = Scene(2, NetworkLimit(32, 64, 1))
    scene.admitted("a", ip)
    scene.admitted("b", ip)
    assert scene.admit("c", ip) is Crowded.TOTAL


def test_changed_limits_hold_from_now_on() -> None:
    scene = Scene(1, NetworkLimit(32, 64, 1))
    first = scene.admitted("a", "192.0.2.1")
    scene.admissions.change_limits(AdmissionLimits(3, (NetworkLimit(24, 64, 2),)))
    scene.admitted("b", "192.0.2.1")
    scene.admitted("c", "192.0.2.1")
    assert scene.admit("d", "192.0.2.1") is Crowded.NETWORK
    first.release()
    assert len(scene.admissions) == 2
    assert scene.admissions.limits.total == 3


def test_shutdown_tells_everybody() -> None:
    scene = Scene(3)
    for name in "abc":
        scene.admitted(name).enter(Phase.BUSY)
    assert scene.admissions.shed_all() == 3
    assert scene.shed == ["a", "b", "c"]


def test_a_flood_leaves_no_trace() -> None:
    scene = Scene(10_000, NetworkLimit(32, 64, 3))
    tickets = [scene.admitted(str(n), f"10.0.{n // 250}.{n % 250}") for n in range(2000)]
    for ticket in tickets:
        ticket.release()
    assert len(scene.admissions) == 0
    assert scene.admissions._networks == {}
