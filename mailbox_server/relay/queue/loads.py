"""Loads: recipients of one message that go the same way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mailbox_server.model.address import AddressLiteral, Domain, ReversePath
from mailbox_server.model.envelope import Recipient
from mailbox_server.model.ids import DepartureId, OutboundId
from mailbox_server.model.outbound import Departure, Outbound
from mailbox_server.relay.next_hops import Wishes
from mailbox_server.relay.queue.promise import is_required


@dataclass(slots=True)
class Load:
    """Recipients of one departure in one lane, with one reverse-path and the same wishes.

    jobs: those that have no outcome yet; they become fewer.  taken: those that there were.
    parts: loads of other lanes that joined it; their jobs are among its own then.
    """

    departure: Departure
    domain: Domain | AddressLiteral
    return_path: ReversePath
    wishes: Wishes
    jobs: list[Outbound] = field(default_factory=list)
    taken: list[OutboundId] = field(default_factory=list)
    parts: "list[Load]" = field(default_factory=list)

    @property
    def lane(self) -> str:
        """What the store calls the domain."""
        return self.domain.ascii

    def joins(self, other: "Load") -> bool:
        """Take over the recipients of another load, if they are of the same message."""
        if (
            not other.jobs
            or not self.jobs
            or other.jobs[0].departure != self.jobs[0].departure
            or other.return_path != self.return_path
        ):
            return False
        self.jobs += other.jobs
        self.parts.append(other)
        return True

    def recipients(self) -> list[Recipient]:
        """The jobs as the client tells of them, in their order."""
        return [Recipient(job.address, job.notify, job.original) for job in self.jobs]


def loads_of(jobs: Sequence[Outbound], departures: Mapping[DepartureId, Departure]) -> list[Load]:
    """Put together what goes together, in the order of the first of each."""
    loads: dict[object, Load] = {}
    for job in jobs:
        departure = departures[job.departure]
        path = departure.reverse_path if job.return_path is None else job.return_path
        domain = job.address.domain
        wishes = Wishes(
            account=departure.account,
            require_tls=is_required(job, departure, path),
            tls_optional=departure.tls_optional,
            attempts=job.attempts,
            route=job.route,
        )
        key = (job.departure, domain, path, wishes)
        load = loads.get(key)
        if load is None:
            load = loads[key] = Load(departure, domain, path, wishes)
        load.jobs.append(job)
        load.taken.append(job.id)
    return list(loads.values())
