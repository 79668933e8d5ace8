"""Places for connections follow from the descriptors there are, and scarcity is told seldom."""

import errno
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from mailbox_server.net import descriptors
from mailbox_server.net.descriptors import (
    RAISED_MOST,
    DescriptorNeeds,
    Scarcity,
    highest_limit,
    leaving,
    present_limit,
)
from tests.unit.delivery.house import HandClock, KeptEvents

ROOT = Path(__file__).parents[3]


def test_the_places_that_fit_fit_and_one_more_does_not() -> None:
    needs = DescriptorNeeds(listening=8, readers=2)
    for limit in [*range(needs.limit_for(1), 400), 1_024, 4_096, 20_000, 65_536]:
        places = needs.places(limit)
        assert needs.limit_for(places) <= limit < needs.limit_for(places + 1)
    assert needs.places(needs.limit_for(1) - 1) <= 0
    assert needs.places(0) <= 0


def test_even_few_descriptors_leave_some_places() -> None:
    needs = DescriptorNeeds(listening=11, readers=2)
    assert needs.places(74) >= 3
    assert needs.places(96) >= 8
    assert needs.places(256) >= 80
    assert needs.places(4_096) >= 1_900
    assert needs.places(65_536) >= 32_000


@pytest.mark.parametrize(
    ("limit", "sending"),
    [(40, 2), (80, 2), (256, 6), (1_024, 25), (4_300, 100), (4_180, 100), (65_536, 100)],
)
def test_sending_gets_what_is_left_and_a_little_in_any_case(limit: int, sending: int) -> None:
    needs = DescriptorNeeds(listening=11, readers=2)
    assert needs.sending_at_most(limit, 100, 2_000).sending == sending
    assert needs.sending_at_most(limit, 1, 2_000).sending == 1


@pytest.mark.parametrize(("places", "most"), [(0, 2), (9, 2), (100, 6), (2_000, 64), (10**6, 64)])
def test_few_may_take_their_time_to_leave(places: int, most: int) -> None:
    assert leaving(places) == most


def test_the_limit_is_never_beyond_a_sane_one() -> None:
    assert 0 < present_limit() <= highest_limit()
    assert highest_limit() <= max(RAISED_MOST, present_limit())


@pytest.mark.parametrize(("soft", "hard", "raised"), [(64, 128, 128), (64, 64, 64)])
def test_the_soft_limit_is_raised_to_the_hard_one(soft: int, hard: int, raised: int) -> None:
    script = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from mailbox_server.net.descriptors import highest_limit, raise_limit\n"
        "print(highest_limit(), raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == [str(each) for each in (raised, raised, raised, hard)]


def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_which: int, _limits: tuple[int, int]) -> None:
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (64, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert descriptors.highest_limit() == RAISED_MOST
    assert descriptors.raise_limit() == 64


def test_scarcity_is_told_once_a_minute_with_its_count() -> None:
    clock, events = HandClock(), KeptEvents()
    scarcity = Scarcity(events, clock)
    for _ in range(150):
        scarcity.met(OSError(errno.EMFILE, "Too many open files"))
        clock.seconds += 1.0
    assert events.told == [
        ("net.accept_waits", {"reason": "Too many open files", "times": times})
        for times in (1, 60, 60)
    ]
    assert events.faults == []
