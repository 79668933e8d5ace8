"""End recipients in the queue as failed, with the report that their sender is owed."""

from collections.abc import Callable, Collection, Sequence

from mailbox_server.delivery.bounces.happening import happened
from mailbox_server.delivery.bounces.original import of_departure
from mailbox_server.delivery.bounces.reporting import PreparedReports, Reporter
from mailbox_server.delivery.replies import ENDED_BY_OPERATOR
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.ids import DepartureId, OutboundId
from mailbox_server.model.outbound import (
    Attempt,
    Departure,
    Finding,
    Outbound,
    OutboundState,
    Phase,
)
from mailbox_server.model.ports import Clock
from mailbox_server.store.ports import ReadTx, Store, WriteTx


class _EndedMeanwhile(Exception):
    """A recipient ended between the read and the write."""


async def return_mail(
    store: Store,
    reporter: Reporter,
    clock: Clock,
    departure: DepartureId,
    recipients: Collection[OutboundId],
) -> int:
    """End those of the recipients of one departure that are open; how many.

    All are told in one report, written with their end.  Raises DiskLow, StoreUnavailable.
    """
    wanted = frozenset(recipients)
    while True:
        shared, jobs = await store.read(lambda tx: _open(tx, departure, wanted))
        if shared is None or not jobs:
            return 0
        attempt = Attempt(
            clock.now(), Finding.REFUSED, Phase.LOOKUP, ENDED_BY_OPERATOR, is_theirs=False
        )
        prepared = await reporter.prepare(
            of_departure(shared, store), [happened(job, Action.FAILED, attempt) for job in jobs]
        )

        try:
            await store.write(_end(jobs, attempt, prepared), prepared.contents)
        except _EndedMeanwhile:
            continue
        return len(jobs)


def _end(
    jobs: Sequence[Outbound], attempt: Attempt, prepared: PreparedReports
) -> Callable[[WriteTx], None]:
    def work(tx: WriteTx) -> None:
        for job in jobs:
            ended = tx.outbound.record(
                job.id, attempt, OutboundState.FAILED, attempt.at, job.expires
            )
            if not ended.was_open:
                raise _EndedMeanwhile
        prepared.write(tx)

    return work


def _open(
    tx: ReadTx, departure: DepartureId, wanted: frozenset[OutboundId]
) -> tuple[Departure | None, Sequence[Outbound]]:
    found = [each.job for each in tx.queue.recipients(departure) if each.id in wanted]
    jobs = [job for job in found if job is not None and not job.state.is_end]
    return tx.queue.shared([departure]).get(departure), jobs
