"""A receiver over a store in memory, its clock turned by hand, its events kept."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from mailbox_server.delivery.receiving import PeerNames, Receiver, ReceivingRules
from mailbox_server.delivery.return_path_keys import ReturnPathKeys
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.delivery.srs import Rewriter
from mailbox_server.model.address import Domain, IpAddress
from mailbox_server.model.ports import EventField
from mailbox_server.net.tasks import TaskKeeper
from tests.unit.delivery.memory_store import MemoryStore

BEGINNING = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOSTNAME = Domain.parse("mx.example.org")
PEER: IpAddress = ip_address("192.0.2.7")
REWRITER = Rewriter(ReturnPathKeys(b"secret", "srs"))
OWN: IpAddress = ip_address("192.0.2.1")


class HandClock:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class CountingEntropy:
    """Chance that is the same each time, and never twice."""

    def __init__(self) -> None:
        self.count = 0

    def octets(self, count: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(count, "big")

    def below(self, limit: int) -> int:
        self.count += 1
        return self.count % limit


class KeptEvents:
    """Events as (name, fields); faults hold the errors."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, EventField]]] = []
        self.faults: list[tuple[str, BaseException]] = []

    def info(self, event: str, /, **fields: EventField) -> None:
        self.told.append((event, fields))

    def warning(self, event: str, /, **fields: EventField) -> None:
        self.told.append((event, fields))

    def fault(self, event: str, error: BaseException, /, **fields: EventField) -> None:
        self.told.append((event, fields))
        self.faults.append((event, error))

    def names(self) -> list[str]:
        return [name for name, _ in self.told]


class House:
    """example.org with ann; add what a test needs before asking for the receiver."""

    def __init__(
        self, *, names: PeerNames | None = None, rules: RoutingRules | None = None
    ) -> None:
        self.clock = HandClock()
        self.entropy = CountingEntropy()
        self.events = KeptEvents()
        self.task_faults: list[tuple[str, BaseException]] = []
        self.tasks = TaskKeeper(lambda name, error: self.task_faults.append((name, error)))
        self.store = MemoryStore(BEGINNING)
        self.store.add_domain("example.org")
        self.receiver = Receiver(
            store=self.store,  # type: ignore[arg-type]
            rules=ReceivingRules(rules or RoutingRules(HOSTNAME)),
            names=names,
            clock=self.clock,
            events=self.events,
            tasks=self.tasks,
            rewriter=REWRITER,
        )
