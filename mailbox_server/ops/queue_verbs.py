"""What an operator may do with the queue of outgoing mail, one recipient or a hundred thousand.

A filter is gone through in pages, each change a write of its own, so that nobody waits long
for the store; who is stopped in the middle has done the pages before.  The passport of each
message that was changed says so.  Whoever carries the mail hears of it by the bells that the
store rings (store.ports.DEPARTURES, RETRIES).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from mailbox_server.delivery.bounces.reporting import Reporter
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import AccountMissing, BadInput, OutboundMissing
from mailbox_server.model.ids import (
    DepartureId,
    OutboundId,
    departure_object_id,
    outbound_object_id,
    row_number,
)
from mailbox_server.model.outbound import Departure, Outbound, OutboundState
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Clock
from mailbox_server.ops.moments import read_past
from mailbox_server.ops.queue_requests import (
    ChangedRow,
    QueueAction,
    QueueChange,
    QueueList,
    QueueRow,
    Wanted,
)
from mailbox_server.ops.request_roots import instant
from mailbox_server.ops.returning import return_mail
from mailbox_server.relay.routes import chosen_by_hand
from mailbox_server.store.ports import Queued, QueueFilter, ReadTx, Store, WriteTx

PAGE: Final = 500
_SAID: Final = 200
"""Characters of the last answer that a list shows."""
UNREADABLE: Final = "(it cannot be read; `queue drop` takes it out)"
"""Said in the place of the last answer.  Nothing else of such a row is needed to change it."""
NAMED_MOST: Final = 10_000
"""Ids in one request; for more there are filters."""

_Change = Callable[[WriteTx, Sequence[OutboundId], datetime, str | None], int]


MakeReporter = Callable[[], Awaitable[Reporter]]

# What one write does; bounce needs more than one.
_CHANGES: Final = MappingProxyType[QueueAction, _Change](
    {
        "hold": lambda tx, ids, now, hop: tx.queue.hold(ids),
        "release": lambda tx, ids, now, hop: tx.queue.release(ids, now),
        "retry": lambda tx, ids, now, hop: tx.queue.retry(ids, now),
        "drop": lambda tx, ids, now, hop: tx.queue.drop(ids),
        "route": lambda tx, ids, now, hop: tx.queue.route(ids, hop),
    }
)


async def list_queue(store: Store, clock: Clock, asked: QueueList) -> list[QueueRow]:
    """One page of open recipients.

    Raises BadInput, AddressMalformed, DomainMalformed, AccountMissing, OutboundMissing.
    """
    if not 1 <= asked.most <= PAGE:
        raise BadInput(f"a page has 1 to {PAGE} rows")

    def rows(tx: ReadTx) -> list[QueueRow]:
        after = None if asked.after is None else _named(tx, asked.after)[-1]
        jobs = tx.queue.listed(_filter(tx, asked.wanted, clock.now()), after, asked.most)
        departures = tx.queue.shared(list({job.departure for job in jobs}))
        owners = {each.account for each in departures.values() if each.account}
        accounts = {number: tx.accounts.get(number) for number in owners}
        addresses = {each.id: str(each.address) for each in accounts.values() if each}
        found = []
        for job in jobs:
            departure = departures.get(job.departure)
            owner = None if departure is None else departure.account
            found.append(_row(job, departure, None if owner is None else addresses.get(owner)))
        return found

    return await store.read(rows)


async def change_queue(
    store: Store, clock: Clock, make_reporter: MakeReporter, asked: QueueChange
) -> ChangedRow:
    """Do it to those that are named, or to all that are wanted.

    Raises BadInput, AddressMalformed, DomainMalformed, AccountMissing, OutboundMissing.
    """
    hop, now = asked.hop, clock.now()
    if asked.action != "route" and hop is not None:
        raise BadInput("only a route has a host")
    if hop is not None and chosen_by_hand(hop, ()) is None:
        raise BadInput(f"{hop!r:.80} is no host such as mx.example.org or 192.0.2.1:25")
    if bool(asked.ids) is (asked.wanted is not None):
        raise BadInput("either ids or a filter is expected")
    if len(asked.ids) > NAMED_MOST:
        raise BadInput(f"at most {NAMED_MOST:,} ids; a filter takes any number")
    wanted = asked.wanted or Wanted()
    chosen = await store.read(lambda tx: _filter(tx, wanted, now))
    named = await store.read(lambda tx: [job for text in asked.ids for job in _named(tx, text)])
    pages = _pages(store, chosen) if asked.wanted is not None else _cut(named)
    if asked.action == "bounce":
        if named and all(each.job is None for each in named):
            raise BadInput("what cannot be read cannot be returned; `queue drop` takes it out")
        return ChangedRow(await _bounce(store, clock, make_reporter, pages, named, chosen))
    count = 0
    async for jobs in pages:
        count += await store.write(_changing(asked.action, jobs, clock.now(), hop))
    return ChangedRow(count)


def _changing(
    action: QueueAction, jobs: Sequence[Queued], now: datetime, hop: str | None
) -> Callable[[WriteTx], int]:
    together: dict[DepartureId, list[Queued]] = {}
    for job in jobs:
        together.setdefault(job.departure, []).append(job)

    def work(tx: WriteTx) -> int:
        count = 0
        for departure, meant in together.items():
            changed = _CHANGES[action](tx, [job.id for job in meant], now, hop)
            if changed:
                tx.outbound.stamp(departure, (_stamp(action, meant, changed, now, hop),))
            count += changed
        return count

    return work


def _stamp(
    action: QueueAction, meant: Sequence[Queued], changed: int, now: datetime, hop: str | None
) -> Evidence:
    whose = ("recipients", str(changed)) if len(meant) > 1 else ("recipient", meant[0].address)
    way = (("host", hop),) if hop is not None else ()
    return Evidence(now, f"operator.{action}", (whose, *way))


async def _bounce(
    store: Store,
    clock: Clock,
    make_reporter: MakeReporter,
    pages: AsyncIterator[list[Queued]],
    named: Sequence[Queued],
    chosen: QueueFilter,
) -> int:
    """All that are meant of one departure are told in one report, whatever pages they are on."""
    reporter, count = await make_reporter(), 0
    together: dict[DepartureId, list[OutboundId]] = {}
    for job in named:
        together.setdefault(job.departure, []).append(job.id)
    async for jobs in pages:
        for departure in dict.fromkeys(job.departure for job in jobs):
            if named:
                ids = together.pop(departure, [])
            else:
                ids = await store.read(_alike(departure, chosen))
            count += await return_mail(store, reporter, clock, departure, ids)
    return count


def _alike(departure: DepartureId, chosen: QueueFilter) -> Callable[[ReadTx], list[OutboundId]]:
    def work(tx: ReadTx) -> list[OutboundId]:
        shared = tx.queue.shared([departure]).get(departure)
        if shared is None:
            return []
        jobs = [each.job for each in tx.queue.recipients(departure) if each.job is not None]
        return [job.id for job in jobs if _fits(job, shared, chosen)]

    return work


def _fits(job: Outbound, departure: Departure, chosen: QueueFilter) -> bool:
    """Whether one recipient is among those that Queue.listed finds by that filter."""
    sender = departure.reverse_path.address
    return (
        not job.state.is_end
        and chosen.state in (None, job.state)
        and (chosen.lane is None or chosen.lane.ascii == job.address.domain.ascii)
        and (chosen.address is None or chosen.address.key == job.address.key)
        and (chosen.sender is None or (sender is not None and chosen.sender.key == sender.key))
        and chosen.account in (None, departure.account)
        and (chosen.arrived_before is None or departure.arrived < chosen.arrived_before)
    )


async def _pages(store: Store, chosen: QueueFilter) -> AsyncIterator[list[Queued]]:
    """All that are wanted, by domain; the next page is read when the one before is done."""
    page = await store.read(lambda tx: tx.queue.listed(chosen, None, PAGE))
    while page:
        yield page
        page = await store.read(_following(chosen, page[-1]))


def _following(chosen: QueueFilter, last: Queued) -> Callable[[ReadTx], list[Queued]]:
    return lambda tx: tx.queue.listed(chosen, last, PAGE)


async def _cut(jobs: Sequence[Queued]) -> AsyncIterator[list[Queued]]:
    for start in range(0, len(jobs), PAGE):
        yield list(jobs[start : start + PAGE])


def _named(tx: ReadTx, text: str) -> list[Queued]:
    """Raises BadInput, OutboundMissing."""
    recipient, departure = row_number("q", text), row_number("s", text)
    if recipient is None and departure is None:
        raise BadInput(f"{text!r:.40} is no id such as q1 or s1; `queue list` shows them")
    if departure is not None:
        found = tx.queue.recipients(DepartureId(departure))
    else:
        job = tx.queue.queued(OutboundId(recipient or 0))
        found = [] if job is None else [job]
    if not found:
        raise OutboundMissing(f"no {text} in the queue")
    return found


def _filter(tx: ReadTx, wanted: Wanted, now: datetime) -> QueueFilter:
    """Raises BadInput, AddressMalformed, DomainMalformed, AccountMissing."""
    account = None
    if wanted.account is not None:
        account = tx.accounts.find(Address.parse(wanted.account))
        if account is None:
            raise AccountMissing(f"no account {wanted.account}")
    return QueueFilter(
        state=None if wanted.state is None else OutboundState(wanted.state),
        lane=None if wanted.domain is None else Domain.parse(wanted.domain),
        address=None if wanted.recipient is None else Address.parse(wanted.recipient),
        sender=None if wanted.sender is None else Address.parse(wanted.sender),
        account=None if account is None else account.id,
        arrived_before=None if wanted.older is None else read_past(wanted.older, now),
    )


def _row(queued: Queued, departure: Departure | None, account: str | None) -> QueueRow:
    job = queued.job
    last = None if job is None else job.last
    said = None if last is None else f"{last.reply.code} {' '.join(last.reply.lines)}"[:_SAID]
    return QueueRow(
        id=outbound_object_id(queued.id),
        departure=departure_object_id(queued.departure),
        state=queued.state,
        recipient=queued.address if job is None else str(job.address),
        sender="" if departure is None else str(departure.reverse_path),
        account=account,
        arrived="" if departure is None else instant(departure.arrived) or "",
        due=instant(queued.due) or "",
        expires=None if job is None else instant(job.expires),
        attempts=0 if job is None else job.attempts,
        size=0 if departure is None else departure.size,
        route=None if job is None else job.route,
        said=UNREADABLE if job is None or departure is None else said,
    )
