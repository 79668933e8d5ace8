"""Guessing gets slower by network and account, and the owner gets in all the same."""

import ipaddress
from dataclasses import replace
from datetime import timedelta

import pytest

from mailbox_server.auth.throttle import Gate, Rate, Throttle, ThrottleSettings
from tests.unit.auth.memory_store import HandClock

ANN = "ann@example.org"


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def spend(throttle: Throttle, address: str, login: str, most: int = 1_000) -> int:
    for count in range(most):
        if throttle.enter(ip(address), login).gate is not Gate.OPEN:
            return count
    return most


def test_an_address_has_ten_guesses_a_minute(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    assert spend(throttle, "192.0.2.1", ANN) == 10
    shut = throttle.enter(ip("192.0.2.1"), "other@example.org")
    assert shut.gate is Gate.SHUT
    assert shut.retry_after_seconds == pytest.approx(6.0)
    clock.seconds += 6.0
    assert throttle.enter(ip("192.0.2.1"), ANN).gate is Gate.OPEN
    assert throttle.enter(ip("192.0.2.1"), ANN).gate is Gate.SHUT


def test_and_fifty_a_day(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings(stranger=Rate(10_000, 1.0)))
    guesses = 0
    for _ in range(60):
        guesses += spend(throttle, "192.0.2.1", ANN)
        clock.seconds += 60
    assert 50 <= guesses <= 53
    clock.seconds += 86_400
    assert spend(throttle, "192.0.2.1", ANN) == 10


@pytest.mark.parametrize(
    "addresses",
    [
        [f"192.0.2.{n}" for n in range(100)],
        [f"2001:db8:0:{n:x}::1" for n in range(100)],
    ],
    ids=["an IPv4 /24", "an IPv6 /48"],
)
def test_a_wide_network_has_fifty(clock: HandClock, addresses: list[str]) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    gates = [throttle.enter(ip(a), f"user{n}@example.org").gate for n, a in enumerate(addresses)]
    assert gates == [Gate.OPEN] * 50 + [Gate.SHUT] * 50


def test_an_ipv6_lan_is_one_network(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    gates = [throttle.enter(ip(f"2001:db8::{n:x}"), ANN).gate for n in range(1, 12)]
    assert gates == [Gate.OPEN] * 10 + [Gate.SHUT]


def test_a_mapped_address_is_its_ipv4_address(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    assert spend(throttle, "::ffff:192.0.2.1", ANN) == 10
    assert throttle.enter(ip("192.0.2.1"), ANN).gate is Gate.SHUT
    for n in range(100):
        assert throttle.enter(ip("::ffff:127.0.0.1"), f"user{n}@x.example").gate is Gate.OPEN


def test_spraying_one_account_from_everywhere_shuts_only_strangers_out(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    home = ip("198.51.100.5")
    throttle.succeeded(throttle.enter(home, ANN), home, ANN)
    gates = [throttle.enter(ip(f"10.{n}.0.1"), ANN).gate for n in range(200)]
    assert gates[:20] == [Gate.OPEN] * 20
    assert set(gates[20:]) == {Gate.TOKENS_ONLY}
    assert throttle.enter(home, ANN).gate is Gate.OPEN
    assert throttle.enter(ip("10.0.0.1"), "bob@example.org").gate is Gate.OPEN


def test_neighbors_of_the_owner_cannot_lock_the_owner_out(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    home = ip("198.51.100.5")
    throttle.succeeded(throttle.enter(home, ANN), home, ANN)
    spend(throttle, "198.51.100.5", "bob@example.org")
    assert throttle.enter(home, "carl@example.org").gate is Gate.SHUT
    assert throttle.enter(home, ANN).gate is Gate.OPEN


def test_the_owners_own_device_with_an_old_password_is_slowed_for_seconds_only(
    clock: HandClock,
) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    home = ip("198.51.100.5")
    throttle.succeeded(throttle.enter(home, ANN), home, ANN)
    assert spend(throttle, "198.51.100.5", ANN) == 30
    assert throttle.enter(home, ANN).retry_after_seconds <= 2.0
    clock.seconds += 2.0
    assert throttle.enter(home, ANN).gate is Gate.OPEN


def test_a_network_is_forgotten_after_thirty_days(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings(known_for=timedelta(days=30)))
    home = ip("198.51.100.5")
    throttle.succeeded(throttle.enter(home, ANN), home, ANN)
    clock.seconds += 30 * 86_400
    assert spend(throttle, "198.51.100.5", ANN) == 10


def test_a_success_costs_nothing(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    address = ip("192.0.2.1")
    for _ in range(100):
        charge = throttle.enter(address, ANN)
        assert charge.gate is Gate.OPEN
        throttle.succeeded(charge, address, ANN)
    assert spend(throttle, "192.0.2.1", "bob@example.org") == 10


def test_guesses_side_by_side_are_counted(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    charges = [throttle.enter(ip("192.0.2.1"), ANN) for _ in range(15)]
    assert [c.gate for c in charges].count(Gate.OPEN) == 10
    charges[0].give_back()
    assert throttle.enter(ip("192.0.2.1"), ANN).gate is Gate.OPEN


def test_delays_double_up_to_the_longest(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    delays = [throttle.delay_seconds(throttle.enter(ip("192.0.2.1"), ANN)) for _ in range(8)]
    assert delays == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    clock.seconds += 3_600 * 24
    assert throttle.delay_seconds(throttle.enter(ip("192.0.2.1"), ANN)) == 0.25


def test_loopback_has_no_budget_but_accounts_do(clock: HandClock) -> None:
    throttle = Throttle(clock, ThrottleSettings())
    for n in range(200):
        assert throttle.enter(ip("127.0.0.1"), f"user{n}@example.org").gate is Gate.OPEN
    assert spend(throttle, "::1", ANN) == 20


def test_memory_is_bounded(clock: HandClock) -> None:
    settings = replace(ThrottleSettings(), entries=100)
    throttle = Throttle(clock, settings)
    for n in range(5_000):
        address = ip(f"10.{n // 250}.{n % 250}.1")
        charge = throttle.enter(address, f"user{n}@example.org")
        if n % 2:
            throttle.succeeded(charge, address, f"user{n}@example.org")
    tables = [*throttle._narrow, *throttle._wide, throttle._stranger, throttle._familiar]
    assert max(len(table._levels) for table in tables) <= 100
    assert len(throttle.known) <= 100
