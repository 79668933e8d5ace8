"""What the outside gives us, as protocols: time, chance, and where events and counts go."""

import secrets
import time
from datetime import UTC, datetime
from typing import Protocol

EventField = str | int | float | bool | None


class Clock(Protocol):
    """Time, so that tests can turn it by hand."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""


class Entropy(Protocol):
    """Chance fit for secrets."""

    def octets(self, count: int) -> bytes:
        """Return count random octets."""

    def below(self, limit: int) -> int:
        """Return a random whole number from 0 to limit - 1."""


class Events(Protocol):
    """The sink of structured events, one line an event.

    event is a dotted lower-case name (`smtp.accepted`).  Fields never hold a password, a
    token or message text; `connection` and `message` join the lines of one conversation.
    """

    def info(self, event: str, /, **fields: EventField) -> None:
        """Something an operator may want to follow."""

    def warning(self, event: str, /, **fields: EventField) -> None:
        """Something an operator should look at."""

    def fault(self, event: str, error: BaseException, /, **fields: EventField) -> None:
        """A bug or trouble of ours, with its traceback."""


class Counters(Protocol):
    """The sink of counts."""

    def add(self, name: str, amount: int = 1) -> None:
        """Count amount more of name."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        return datetime.now(UTC)

    monotonic = staticmethod(time.monotonic)


class SystemEntropy:
    """The operating system's random source."""

    def octets(self, count: int) -> bytes:
        """Return count random octets."""
        return secrets.token_bytes(count)

    def below(self, limit: int) -> int:
        """Return a random whole number from 0 to limit - 1."""
        return secrets.randbelow(limit)


class Silence:
    """Events and counters that go nowhere, for tests and one-shot verbs."""

    def info(self, event: str, /, **fields: EventField) -> None:
        """Drop it."""

    def warning(self, event: str, /, **fields: EventField) -> None:
        """Drop it."""

    def fault(self, event: str, error: BaseException, /, **fields: EventField) -> None:
        """Drop it."""

    def add(self, name: str, amount: int = 1) -> None:
        """Drop it."""
