"""What is known of other servers' TLS in the store: policies, levels seen, sessions counted."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from mailbox_server.model.address import Domain
from mailbox_server.model.sts_policy import KeptPolicy
from mailbox_server.model.tls_count import TlsCount
from mailbox_server.model.tls_demand import TlsLevel


class StsPolicyReader(Protocol):
    """MTA-STS policies that were fetched (RFC 8461)."""

    def find(self, domain: Domain) -> KeptPolicy | None:
        """The policy of a domain, expired or not."""

    def fetched_before(self, instant: datetime, most: int) -> list[KeptPolicy]:
        """Those fetched before that, the oldest fetch first, at most so many."""


class StsPolicyWriter(StsPolicyReader, Protocol):
    """MTA-STS policies, to keep and to forget."""

    def keep(self, kept: KeptPolicy) -> None:
        """Put in the place of what was kept of that domain."""

    def used(self, domain: Domain, at: datetime) -> None:
        """Remember when mail last went there; silent where there is no policy."""

    def forget(self, expired: datetime, unused: datetime) -> int:
        """Forget those that had expired by then or were last used before; how many."""


class PeerLevelReader(Protocol):
    """How well sessions with each domain's hosts were protected last."""

    def level(self, domain: str) -> tuple[TlsLevel, datetime, datetime | None] | None:
        """The level, when it was seen, and when its fall was last told."""


class PeerLevelWriter(PeerLevelReader, Protocol):
    """The same, to change."""

    def note(self, domain: str, level: TlsLevel, seen: datetime, told: datetime | None) -> None:
        """Put in the place of what was known of that domain."""

    def forget(self, before: datetime) -> int:
        """Forget those last seen before that; how many."""


class TlsCountReader(Protocol):
    """Sessions counted for the reports of RFC 8460."""

    def days(self) -> list[date]:
        """Days with any counts, the oldest first."""

    def domains(self, day: date, after: str, most: int) -> list[str]:
        """Domains with counts of that day, by name, behind after."""

    def of(self, day: date, domain: str, most: int) -> list[TlsCount]:
        """Counts of a domain and day: successes first, then the most frequent failures."""


class TlsCountWriter(TlsCountReader, Protocol):
    """Sessions, to count and to forget."""

    def add(self, counts: Sequence[TlsCount]) -> None:
        """Count them to what was counted before."""

    def forget(self, day: date, domain: str) -> None:
        """Forget a domain's counts of one day."""

    def forget_before(self, day: date) -> int:
        """Forget all counts of days before that; how many rows."""
