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

WIDE = NetworkLimit(24, 48, 1000)


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
        ticket = self.admissions.admit(address, lambda: self.shed.append(name))
        if isinstance(ticket, Ticket):
            ticket.on_cut = lambda: None
        return ticket

    def admitted(self, name: str, ip: str | None = None) -> Ticket:
        ticket = self.admit(name, ip)
        assert isinstance(ticket, Ticket)
        return ticket


def test_places_are_given_back() -> None:
    scene = Scene(1)
    first = scene.admitted("a")
    first.enter(Phase.BUSY)
    assert scene.admit("b") is Crowded.TOTAL
    first.release()
    first.release()
    assert first.is_released
    first.enter(Phase.BUSY)
    scene.admitted("b")
    assert len(scene.admissions) == 1
    assert scene.shed == []


def test_who_has_begun_to_talk_has_a_time_of_grace() -> None:
    scene = Scene(1)
    scene.admitted("a").enter(Phase.IDLE)
    scene.clock.seconds += 4.9
    assert scene.admit("b") is Crowded.TOTAL
    scene.clock.seconds += 0.1
    scene.admitted("b")
    assert scene.shed == ["a"]
    assert len(scene.admissions) == 1


def test_who_said_nothing_goes_first_however_young() -> None:
    scene = Scene(3)
    scene.admitted("talking").enter(Phase.IDLE)
    scene.clock.seconds += 2
    for name in ("a", "b", "c", "d"):
        scene.admitted(name)
    assert scene.shed == ["a", "b"]


def test_long_idle_before_mute_and_new() -> None:
    scene = Scene(2, WIDE)
    scene.admitted("long idle", "192.0.2.1").enter(Phase.IDLE)
    scene.clock.seconds += 60
    scene.admitted("mute and new", "198.51.100.1")
    scene.admitted("newcomer", "203.0.113.1")
    assert scene.shed == ["long idle"]


def test_a_flood_from_one_network_makes_room_for_others_from_its_own() -> None:
    """S17: whoever comes from elsewhere stays, though it came first and says nothing yet."""
    scene = Scene(100, WIDE)
    scene.admitted("slow peer", "192.0.2.1")
    flood = [f"10.0.0.{n}" for n in range(99)]
    for ip in flood:
        scene.admitted(ip, ip)
    for n in range(50):
        scene.admitted(f"good {n}", f"198.51.{n}.1")
    assert scene.shed == flood[:50]


def test_a_flood_that_says_hello_makes_room_as_well() -> None:
    scene = Scene(100, WIDE)
    flood = [f"10.0.0.{n}" for n in range(100)]
    for ip in flood:
        scene.admitted(ip, ip).enter(Phase.IDLE)
    for n in range(50):
        scene.admitted(f"good {n}", f"198.51.{n}.1").enter(Phase.IDLE)
    assert scene.shed == flood[:50]


def test_a_flood_from_everywhere_lets_every_newcomer_in() -> None:
    scene = Scene(100, WIDE)
    flood = [f"10.{n // 250}.{n % 250}.1" for n in range(1000)]
    for ip in flood:
        scene.admitted(ip, ip)
    scene.admitted("good", "192.0.2.1")
    assert scene.shed == flood[:901]


def test_loopback_is_a_crowd_as_any_other() -> None:
    scene = Scene(10, WIDE)
    scene.admitted("good", "127.0.0.1")
    flood = [f"127.7.7.{n}" for n in range(200)]
    for ip in flood:
        scene.admitted(ip, ip)
    assert scene.shed == flood[:191]


def test_who_does_not_go_when_told_is_cut() -> None:
    cut: list[int] = []
    scene = Scene()
    scene.admissions.change_limits(AdmissionLimits(2, (), leaving=3))
    tickets = []
    for number in range(10):
        ticket = scene.admitted(str(number))
        ticket.on_cut = lambda number=number: cut.append(number)
        tickets.append(ticket)
    assert scene.shed == [str(n) for n in range(8)]
    assert cut == [0, 1, 2, 3, 4]
    tickets[5].release()
    tickets[0].release()
    scene.admitted("last")
    assert cut == [0, 1, 2, 3, 4]
    assert len(scene.admissions) == 2


def test_who_was_told_to_go_gets_no_place_back() -> None:
    scene = Scene(1)
    first = scene.admitted("a")
    scene.admitted("b")
    assert first.is_released
    first.enter(Phase.BUSY)
    assert len(scene.admissions) == 1
    scene.admitted("c")
    assert scene.shed == ["a", "b"]


def test_one_can_be_shed_for_other_reasons() -> None:
    scene = Scene(10)
    assert not scene.admissions.shed_one()
    scene.admitted("busy").enter(Phase.BUSY)
    assert not scene.admissions.shed_one()
    scene.admitted("idle").enter(Phase.IDLE)
    scene.admitted("mute")
    assert [scene.admissions.shed_one() for _ in range(3)] == [True, True, False]
    assert scene.shed == ["mute", "idle"]


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
    scene.admitted("a", ip).enter(Phase.BUSY)
    scene.admitted("b", ip).enter(Phase.BUSY)
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


def test_a_flood_leaves_no_trace() -> None:
    scene = Scene(10_000, NetworkLimit(32, 64, 3))
    tickets = [scene.admitted(str(n), f"10.0.{n // 250}.{n % 250}") for n in range(2000)]
    for ticket in tickets:
        ticket.release()
    assert len(scene.admissions) == 0
    assert scene.admissions._networks == {}
    assert all(len(strangers) == 0 for strangers in scene.admissions._strangers.values())
