"""A domain's MTA-STS policy (RFC 8461 §3.2): which hosts take its mail, and how strictly."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mailbox_server.model.address import Domain

STS_VERSION: Final = "STSv1"
SHORTEST_AGE_SECONDS: Final = 300


class StsMode(enum.Enum):
    """What a failure means (RFC 8461 §5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """What the policy host said.

    mx: patterns, A-labels in lower case, `mail.example.com` or `*.example.net`; none only in
        mode none.  max_age: seconds that it counts from its fetch, at most a year.
    """

    mode: StsMode
    mx: tuple[str, ...]
    max_age: int

    @property
    def is_active(self) -> bool:
        """Whether it asks for anything."""
        return self.mode is not StsMode.NONE

    def names(self, host: str) -> bool:
        """Whether host is one of the mail hosts (RFC 8461 §4.1): `*` is one whole label."""
        parent = host.partition(".")[2]
        return host in self.mx or (bool(parent) and f"*.{parent}" in self.mx)

    def lines(self) -> tuple[str, ...]:
        """The policy as text, a field a line."""
        return (
            f"version: {STS_VERSION}",
            f"mode: {self.mode.value}",
            *(f"mx: {pattern}" for pattern in self.mx),
            f"max_age: {self.max_age}",
        )


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """A policy as it lies in the store.

    identity: of the TXT record that it was fetched for.  used: when mail last went to the
        domain, as far as that was noted.
    """

    domain: Domain
    identity: str
    policy: StsPolicy
    fetched: datetime
    used: datetime

    @property
    def expires(self) -> datetime:
        """When it no longer counts; not at once, lest every message fetch it (RFC 8461 §3.3)."""
        seconds = max(self.policy.max_age, SHORTEST_AGE_SECONDS)
        return self.fetched + timedelta(seconds=seconds)
