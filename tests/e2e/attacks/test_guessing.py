"""Whoever guesses passwords is slowed down, and the owner is not locked out by it."""

import contextlib
import time

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.attacks.log import Watch
from tests.e2e.attacks.raw import Raw, raw

STRANGERS_BUDGET = 20


def log_in(one: Raw, password: str, name: str = "bob") -> bytes:
    one.send(f'a LOGIN {address(name)} "{password}"\r\n'.encode())
    return one.until(b"a ")


def test_the_owner_is_known_after_a_restart(appliance: Appliance) -> None:
    """A5: strangers who guess lock strangers out, and never the networks of the owner."""
    with raw(appliance, "imaps", source="127.0.0.7") as owner:
        assert b"a OK" in log_in(owner, PASSWORDS["bob"])
    assert appliance.stop() == 0
    appliance.start()
    watch = Watch(appliance)
    with contextlib.ExitStack() as held:
        for number in range(STRANGERS_BUDGET):
            one = held.enter_context(raw(appliance, "imaps", source=f"127.2.{number}.1"))
            one.send(f'a LOGIN {address("bob")} "guess {number}"\r\n'.encode())
        # Denials are told late, so that guessing is slow; the log has them at once.
        until = time.monotonic() + 30
        while watch.names_so_far().count("auth.denied") < STRANGERS_BUDGET:
            assert time.monotonic() < until
            time.sleep(0.02)
        stranger = held.enter_context(raw(appliance, "imaps", source="127.3.0.1"))
        assert b"a NO [UNAVAILABLE] Too many attempts" in log_in(stranger, PASSWORDS["bob"])
        owner = held.enter_context(raw(appliance, "imaps", source="127.0.0.7"))
        assert b"a OK" in log_in(owner, PASSWORDS["bob"])
    # Stopping in order would wait for the denials that are still to be told.
    appliance.kill()
    appliance.start()
