"""Mail on its way out in the store: departures, one Outbound a recipient, its Attempts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from mailbox_server.model.address import Address, Domain
from mailbox_server.model.ids import AccountId, DepartureId, OutboundId
from mailbox_server.model.outbound import (
    Attempt,
    Departure,
    NewOutbound,
    Outbound,
    OutboundState,
)
from mailbox_server.model.passport import Evidence

DEPARTURES: Final = AccountId(-1)
"""Whose bell rings after a write that gave the queue something to do."""
RETRIES: Final = AccountId(-2)
"""Whose bell rings after a write by which an operator wants mail to be tried now."""


@dataclass(frozen=True, slots=True)
class Due:
    """An outbound that may be taken.

    lane: the domain of its address as A-labels.  sender: whose mail it is.
    """

    outbound: OutboundId
    departure: DepartureId
    lane: str
    sender: AccountId | None


@dataclass(frozen=True, slots=True)
class Rooms:
    """How many messages of a lane may be taken at once: as lanes say, or else any.

    All recipients that one has in a lane count as one message, 100 of them at most.
    """

    any: int
    lanes: Mapping[str, int]

    def of(self, lane: str) -> int:
        """How many messages of that lane."""
        return self.lanes.get(lane, self.any)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What is to be recorded of one recipient: an attempt, and what follows from it."""

    outbound: OutboundId
    attempt: Attempt
    state: OutboundState
    due: datetime
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an outbound when an attempt was recorded.

    state: as it stands now; that of a command given meanwhile outlasts a deferral.
    was_open: whether it had not ended before.
    """

    state: OutboundState
    was_open: bool


class OutboundReader(Protocol):
    """The queue, as the relay sees it."""

    def due(self, now: datetime, most: int, rooms: Rooms) -> list[Due]:
        """What may be taken now, in the order to take it.

        Higher priorities come first (RFC 6710 §4), then what was due first.  No lane gets
        more than its room; and one sender gets more than half of it only where nobody
        else's mail is due.  most: recipients.
        """

    def next_turn(self, after: datetime) -> datetime | None:
        """When something that may not be taken at that moment comes due."""

    def leased(self, most: int) -> list[OutboundId]:
        """Some that were taken; it goes through all that is open, which takes a while."""

    def find(self, outbound: OutboundId) -> Outbound | None:
        """One recipient's job; None where there is none or it cannot be read."""

    def departure(self, departure: DepartureId) -> Departure | None:
        """What the recipients share; None once it was forgotten, or where it cannot be read.

        Its content is 0 once all of them have ended: it may be gone.
        """

    def departures(self, departures: Sequence[DepartureId]) -> Mapping[DepartureId, Departure]:
        """The same of many; those that were forgotten are left out.

        Raises where one cannot be read: who takes mail sees to it by itself.
        """

    def attempts(self, outbound: OutboundId) -> list[Attempt]:
        """Those that can be read, oldest first."""

    def evidence(self, departure: DepartureId) -> list[Evidence]:
        """The passport of a departure, oldest first."""


class OutboundWriter(OutboundReader, Protocol):
    """The queue, as who fills it and the relay change it."""

    def add(
        self,
        departure: Departure,
        recipients: Sequence[NewOutbound],
        evidence: Sequence[Evidence] = (),
    ) -> list[OutboundId]:
        """Put a message into the queue, for at least one recipient; ids in their order.

        Its content is one that this write keeps, or that somebody still holds; it is held
        until the last recipient has ended.  Due at once, or when held_until comes.
        Raises ContentMissing.
        """

    def stamp(self, departure: DepartureId, evidence: Sequence[Evidence]) -> None:
        """Append to a departure's passport; silent when it was forgotten."""

    def lease(self, outbounds: Sequence[OutboundId]) -> list[Outbound]:
        """Take these; those that may not be taken any more are left out.

        Nobody else gets them until they are recorded or put back, or the server starts.
        Raises where one cannot be read.
        """

    def release_leases(self, outbounds: Sequence[OutboundId]) -> int:
        """Put back what an earlier run had taken, which costs a repeated attempt; how many."""

    def put_back(self, outbounds: Sequence[OutboundId], due: datetime) -> None:
        """Give up leases without an attempt."""

    def put_off(self, outbounds: Sequence[OutboundId], due: datetime) -> None:
        """Have those that may be taken wait until then."""

    def record(
        self,
        outbound: OutboundId,
        attempt: Attempt,
        state: OutboundState,
        due: datetime,
        expires: datetime | None,
    ) -> Recorded:
        """Write an attempt down with what follows from it, and give up the lease.

        What ended meanwhile stays so, but is delivered where the attempt says so; what is
        held stays held.  Raises OutboundMissing.
        """

    def record_all(self, conclusions: Sequence[Conclusion]) -> list[Recorded]:
        """The same of many, which costs little more than of one."""

    def told_delay(self, outbounds: Sequence[OutboundId], at: datetime) -> None:
        """Remember that the sender was told of the delay."""

    def revive(self, lane: str, now: datetime) -> int:
        """Make due what was tried before and waits in a lane, at most 1,000; how many."""

    def recall(self, now: datetime, latest: datetime) -> int:
        """Make due what waits until after latest, at most 1,000; how many.

        A clock that was set back leaves mail due in times that will not come soon.  What is
        held until a moment of its sender's choice is left alone.
        """

    def forget(self, before: datetime) -> int:
        """Remove departures that ended before then, at most 500; how many."""


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which open outbounds are meant; what is None does not matter.

    address: of the recipient.  sender: the reverse-path.  arrived_before: how old at least.
    """

    state: OutboundState | None = None
    lane: Domain | None = None
    address: Address | None = None
    sender: Address | None = None
    account: AccountId | None = None
    arrived_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """One recipient as operators see it, even where its row makes no sense.

    lane: the domain it stands under in the queue.  address, state: as they lie there.
    due: of what lies there, the nearest moment that there is.
    job: None where the row cannot be read.
    """

    id: OutboundId
    departure: DepartureId
    lane: str
    address: str
    state: str
    due: datetime
    job: Outbound | None


class QueueReader(Protocol):
    """The queue and its history, as operators and owners see it."""

    def listed(self, wanted: QueueFilter, after: Queued | None, most: int) -> list[Queued]:
        """Open outbounds by the domain of their address, then by id; from after it on."""

    def queued(self, outbound: OutboundId) -> Queued | None:
        """One recipient, open or not."""

    def recipients(self, departure: DepartureId) -> list[Queued]:
        """All of a departure, open or not, by id."""

    def shared(self, departures: Sequence[DepartureId]) -> Mapping[DepartureId, Departure]:
        """Those of the departures that can be read."""

    def named(self, message_id: str, before: DepartureId | None, most: int) -> list[DepartureId]:
        """Departures of that Message-ID (with its brackets), newest first, below before."""

    def with_address(
        self, address: Address, before: DepartureId | None, most: int
    ) -> list[DepartureId]:
        """Departures to or from that address, newest first, below before."""

    def passed_on(
        self, address: Address, before: DepartureId | None, most: int
    ) -> list[DepartureId]:
        """Departures of mail that came from or for that address and was passed on.

        Newest first, below before.  Reads the stamps of all departures.
        """

    def of_account(
        self, account: AccountId, before: DepartureId | None, most: int
    ) -> list[DepartureId]:
        """Departures of that account, newest first, below before."""

    def counts(self) -> Mapping[OutboundState, int]:
        """How many open outbounds there are of each state; of no state that does not exist."""


class QueueWriter(QueueReader, Protocol):
    """The queue, as operators and owners change it; each method answers how many it changed.

    What is being tried at that moment is changed too: its attempt goes on to its end and
    is recorded, and what the command says comes after it.
    """

    def hold(self, outbounds: Sequence[OutboundId]) -> int:
        """Try those that wait no more until they are released."""

    def release(self, outbounds: Sequence[OutboundId], now: datetime) -> int:
        """Try those that are held again, now."""

    def retry(self, outbounds: Sequence[OutboundId], now: datetime) -> int:
        """Make due those that wait for their time."""

    def drop(self, outbounds: Sequence[OutboundId]) -> int:
        """End those that are open; nobody is told."""

    def route(self, outbounds: Sequence[OutboundId], hop: str | None) -> int:
        """Send open ones to that next hop (`host:port`), or None: to where they belong."""
