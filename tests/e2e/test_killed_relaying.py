"""kill -9 again and again while the queue drains: nothing is lost, and little comes twice.

Mail may come twice only where the other server had it and our record of that was not made yet
(RFC 1047).  Kills fall on each step of a transaction, and on moments by chance.
"""

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.appliance import READY_SECONDS, address
from tests.e2e.pair import submit, submitting, told, wait_until
from tests.e2e.peers.scripted_sink import ScriptedSink
from tests.e2e.verbs_here import verb_here
from tests.faults.forked import ForkedAppliance

MAILS: Final = 200
STEPS: Final = ("EHLO", "MAIL", "RCPT", "DATA", "DOT", "TAKEN", "")
"""The replies that are held back while we are killed; "" is a moment by chance."""
ROUNDS_FULL: Final = 8
CONNECTIONS: Final = 4
SETTINGS: Final = (
    "[login]\nhash_memory_kib = 8\nhash_passes = 1\n"
    "[submission]\nmessages_per_hour = 100000\nmessages_per_day = 100000\n"
    "strangers_per_hour = 100000\nstrangers_per_day = 100000\n"
    "[relay]\nconnections_per_destination = {connections}\n"
    '[[relay.routes]]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
)


class Killing:
    """Holds the sink back until all is submitted, and at the step where we are to be killed."""

    def __init__(self, sink: ScriptedSink) -> None:
        self._sink = sink
        self._open = threading.Event()
        self._step: str | None = None
        self._left = 0
        self._reached = threading.Event()
        self._killed = threading.Event()
        self._lock = threading.Lock()
        sink.step = self._on_step

    def let_go(self) -> None:
        """From now on the sink answers."""
        self._open.set()

    def arm(self, step: str, after: int) -> None:
        """Kill at the reply to step (any, if "") when so many of them have been given."""
        with self._lock:
            self._reached.clear()
            self._killed.clear()
            self._step, self._left = step, after

    def kill(self, appliance: ForkedAppliance) -> None:
        """Wait for that reply, kill, and return when the sink has seen all that was sent."""
        assert self._reached.wait(READY_SECONDS)
        appliance.kill()
        self._killed.set()
        wait_until(lambda: not self._sink.conversing, "connections of the dead did not end")

    def _on_step(self, command: str) -> None:
        self._open.wait(READY_SECONDS)
        with self._lock:
            if self._step is None or (self._step and command != self._step):
                return
            self._left -= 1
            if self._left >= 0:
                return
            step, self._step = self._step, None
            self._reached.set()
        if step:
            self._killed.wait(READY_SECONDS)


@pytest.fixture
def sink() -> Iterator[ScriptedSink]:
    made = ScriptedSink()
    yield made
    made.close()


def recipients(sink: ScriptedSink) -> Counter[str]:
    return Counter(each for names, _ in sink.got for each in names)


def delivered(house: ForkedAppliance) -> Counter[str]:
    return Counter(line["recipient"] for line in told(house, "relay.delivered"))


@pytest.mark.timeout(900)
def test_nothing_is_lost_and_little_comes_twice(
    tmp_path: Path,
    sink: ScriptedSink,
    full: bool,
    record_property: Callable[[str, object], None],
) -> None:
    seed = int(os.environ.get("MAILBOX_SEED", random.SystemRandom().getrandbits(32)))
    record_property("MAILBOX_SEED", seed)
    chance = random.Random(seed)
    house = ForkedAppliance(tmp_path, SETTINGS.format(port=sink.port, connections=CONNECTIONS))
    house.open_accounts(["ann"])
    steps = list(STEPS) * (ROUNDS_FULL if full else 1)
    chance.shuffle(steps)
    mails = MAILS * (ROUNDS_FULL // 2 if full else 1)
    killing = Killing(sink)
    wanted = {f"r{number}@far.example" for number in range(mails)}
    # Of each life, so that none of them finds the queue empty.
    share = mails // (2 * len(steps))

    def arm(step: str) -> None:
        killing.arm(step, 0 if step == "EHLO" else chance.randrange(share))

    try:
        arm(steps[0])
        house.start()
        with submitting(house) as client:
            client.ehlo()
            for each in sorted(wanted):
                message = f"From: {address('ann')}\r\nTo: {each}\r\n\r\nto {each}\r\n".encode()
                submit(client, address("ann"), [(each, "")], message)
        in_doubt: set[str] = set()
        before = 0
        killing.let_go()
        for number in range(len(steps)):
            killing.kill(house)
            had = {each for names, _ in sink.got[before:] for each in names}
            doubts = had - delivered(house).keys()
            assert len(doubts) <= CONNECTIONS, "more was in doubt than was under way"
            in_doubt |= doubts
            before = len(sink.got)
            if number + 1 < len(steps):
                arm(steps[number + 1])
            house.start()
        wait_until(lambda: recipients(sink).keys() == wanted, "mail was lost")
        wait_until(lambda: verb_here(house, "queue", "list") == "none\n", "mail is left")
        twice = {each for each, count in recipients(sink).items() if count > 1}
        assert twice <= in_doubt
        assert sum(recipients(sink).values()) - mails <= len(steps) * CONNECTIONS
        assert max(delivered(house).values()) == 1
        for names, content in sink.got:
            assert content.endswith(f"\r\n\r\nto {names[0]}\r\n".encode())
        assert house.stop() == 0
        assert "sound" in verb_here(house, "store", "check")
        record_property("mails", mails)
        record_property("kills", len(steps))
        record_property("in doubt", len(in_doubt))
        record_property("twice", len(twice))
    finally:
        house.close()
