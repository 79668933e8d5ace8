"""An authenticator over a store in memory, with cheap hashes and delays that are only noted."""

import ipaddress
from datetime import timedelta

from mailbox_server.auth.authenticator import Authenticator, AuthenticatorSettings
from mailbox_server.auth.crunch import Crunch, CrunchLimits
from mailbox_server.auth.outcomes import Service, Visitor
from mailbox_server.auth.passwords import HashCost, Passwords
from mailbox_server.auth.throttle import Throttle, ThrottleSettings
from mailbox_server.model.account import Scope
from tests.unit.auth.memory_store import CountedEntropy, HandClock, MemoryStore, RecordedEvents

CHEAP = HashCost(memory_kib=8, passes=1, lanes=1)
SECRET = b"the same after every restart"


def visitor(ip: str = "192.0.2.7", scope: Scope = Scope.READ) -> Visitor:
    return Visitor(ipaddress.ip_address(ip), Service.POP3, scope, "c1")


class House:
    """All that an authenticator needs; delays holds how late each denial would have come."""

    def __init__(
        self, throttle: ThrottleSettings | None = None, crunch: CrunchLimits | None = None
    ) -> None:
        self.clock = HandClock()
        self.entropy = CountedEntropy()
        self.events = RecordedEvents()
        self.store = MemoryStore()
        self.delays: list[float] = []
        self.passwords = Passwords(CHEAP, self.entropy)
        self.crunch = Crunch(crunch or CrunchLimits())
        self.throttle = Throttle(self.clock, throttle or ThrottleSettings())
        self.authenticator = Authenticator(
            self.store,  # type: ignore[arg-type]
            self.passwords,
            self.crunch,
            self.throttle,
            self.clock,
            self.entropy,
            self.events,
            AuthenticatorSettings(SECRET, cache_for=timedelta(minutes=10)),
            self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
