"""The owner stays known over a restart, and the store is told seldom."""

import ipaddress
from datetime import timedelta
from typing import Any

import pytest

from mailbox_server.auth.known_networks import KnownNetworks
from mailbox_server.auth.throttle import Gate, Throttle, ThrottleSettings
from mailbox_server.model.account import KnownNetwork
from mailbox_server.model.errors import StoreUnavailable
from tests.unit.auth.memory_store import BEGINNING, HandClock

ANN = "ann@example.org"
HOME = ipaddress.ip_network("192.0.2.1/32")
DAY = 86_400.0


class Rows:
    """A store that keeps known networks and counts its writes."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], KnownNetwork] = {}
        self.writes = 0
        self.is_broken = False
        self.known_networks = self

    async def read(self, work: Any) -> Any:
        return work(self)

    async def write(self, work: Any) -> Any:
        if self.is_broken:
            raise StoreUnavailable("the disk is gone")
        self.writes += 1
        return work(self)

    def since(self, instant: Any, most: int) -> list[KnownNetwork]:
        found = sorted(self.kept.values(), key=lambda each: each.seen)
        return [each for each in found if each.seen >= instant][-most:]

    def saw(self, known: KnownNetwork) -> None:
        self.kept[known.login, known.network] = known

    def forget(self, before: Any) -> int:
        old = [key for key, each in self.kept.items() if each.seen < before]
        for key in old:
            del self.kept[key]
        return len(old)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def rows() -> Any:
    return Rows()


def networks(clock: HandClock, entries: int = 100) -> KnownNetworks:
    return KnownNetworks(clock, timedelta(days=30), entries)


async def test_what_was_settled_is_known_to_the_next_process(clock: HandClock, rows: Any) -> None:
    before = networks(clock)
    before.saw(ANN, HOME)
    clock.seconds += 60
    await before.settle(rows)
    assert rows.kept == {(ANN, "192.0.2.1/32"): KnownNetwork(ANN, "192.0.2.1/32", BEGINNING)}
    clock.seconds += 3 * DAY
    after = networks(clock)
    await after.load(rows)
    assert after.has(ANN, HOME)
    assert not after.has("bob@example.org", HOME)
    assert not after.has(ANN, ipaddress.ip_network("192.0.2.2/32"))
    clock.seconds += 27 * DAY
    assert not after.has(ANN, HOME)


async def test_the_owner_gets_in_after_a_restart_while_strangers_guess(
    clock: HandClock, rows: Any
) -> None:
    """reliability.md A5: the owner's known addresses are never locked out."""
    settings = ThrottleSettings()
    home = ipaddress.ip_address("192.0.2.1")
    empty = KnownNetworks(clock, settings.known_for, settings.entries)
    first = Throttle(clock, settings, empty)
    first.succeeded(first.enter(home, ANN), home, ANN)
    await empty.settle(rows)
    known = KnownNetworks(clock, settings.known_for, settings.entries)
    await known.load(rows)
    second = Throttle(clock, settings, known)
    for n in range(200):
        second.enter(ipaddress.ip_address(f"10.{n}.0.1"), ANN)
    assert second.enter(ipaddress.ip_address("198.51.100.1"), ANN).gate is Gate.TOKENS_ONLY
    assert second.enter(home, ANN).gate is Gate.OPEN


async def test_the_store_is_told_once_a_day_and_not_of_nothing(clock: HandClock, rows: Any) -> None:
    known = networks(clock)
    await known.settle(rows)
    assert rows.writes == 0
    for _ in range(48 * 60):
        known.saw(ANN, HOME)
        await known.settle(rows)
        clock.seconds += 60
    # At first, after a day, and once more to forget what is old.
    assert rows.writes <= 3
    assert rows.kept[ANN, "192.0.2.1/32"].seen == BEGINNING + timedelta(days=1)


async def test_a_write_that_fails_is_made_up_for(clock: HandClock, rows: Any) -> None:
    known = networks(clock)
    known.saw(ANN, HOME)
    rows.is_broken = True
    with pytest.raises(StoreUnavailable):
        await known.settle(rows)
    rows.is_broken = False
    await known.settle(rows)
    assert len(rows.kept) == 1


async def test_what_is_too_old_is_forgotten_in_the_store(clock: HandClock, rows: Any) -> None:
    known = networks(clock)
    known.saw(ANN, HOME)
    await known.settle(rows)
    clock.seconds += 31 * DAY
    await known.settle(rows)
    assert rows.kept == {}


async def test_rows_that_cannot_be_read_are_left_out(clock: HandClock, rows: Any) -> None:
    rows.saw(KnownNetwork(ANN, "not a network", BEGINNING))
    rows.saw(KnownNetwork(ANN, "2001:db8::/64", BEGINNING + timedelta(days=400)))
    known = networks(clock)
    await known.load(rows)
    assert len(known) == 1
    assert known.has(ANN, ipaddress.ip_network("2001:db8::/64"))


async def test_the_longest_unused_go_first(clock: HandClock, rows: Any) -> None:
    known = networks(clock, entries=3)
    for n in range(5):
        clock.seconds += 1
        known.saw(ANN, ipaddress.ip_network(f"10.0.0.{n}/32"))
        if n == 2:
            known.saw(ANN, ipaddress.ip_network("10.0.0.0/32"))
    await known.settle(rows)
    kept = ["10.0.0.0/32", "10.0.0.3/32", "10.0.0.4/32"]
    assert sorted(network for _, network in rows.kept) == kept
    again = networks(clock, entries=2)
    await again.load(rows)
    assert [again.has(ANN, ipaddress.ip_network(each)) for each in kept] == [False, True, True]
