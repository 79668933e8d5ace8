"""What an owner of a forward was not told of is told once the day is over, failure or not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mailbox_server.delivery.bounces import overdue_forwards
from mailbox_server.delivery.bounces.happening import Happening
from mailbox_server.delivery.bounces.original import of_departure
from mailbox_server.delivery.bounces.overdue_forwards import OverdueForwards
from mailbox_server.delivery.bounces.reporting import Reporter
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ids import AccountId
from mailbox_server.model.outbound import Origin
from mailbox_server.model.ports import Silence
from mailbox_server.ops.housekeeping import JOBS
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.integrity import violations
from tests.contract.outgoing import attempt, to
from tests.contract.queued import put
from tests.contract.test_queue_verbs import Office
from tests.contract.test_store_purging import open_accounts
from tests.contract.workbench import ANN, BEN

DAY = timedelta(days=1)


class Forwards:
    """Accounts whose mail is passed on, and the one who tells them."""

    def __init__(self, store: SqliteStore, clock: Any) -> None:
        self.store = store
        self.clock = clock
        self.office = Office(store, clock)
        self.faults: list[BaseException] = []

    async def fail(self, owner: AccountId, *addresses: str, **changed: Any) -> None:
        """A message of a stranger that came for the owner reaches none of the addresses."""
        same = {"account": owner, "origin": Origin.FORWARD, **changed}
        (number, *_) = await put(self.store, to(*addresses), **same)
        job = await self.store.read(lambda tx: tx.outbound.find(number))
        assert job is not None
        departure = await self.store.read(lambda tx: tx.outbound.departure(job.departure))
        assert departure is not None
        made = attempt(self.clock.now(), 550)
        told = [Happening(Address.parse(each), Action.FAILED, attempt=made) for each in addresses]
        reporter = await self.office.give_reporter()
        prepared = await reporter.prepare(of_departure(departure, self.store), told)
        await self.store.write(prepared.write, prepared.contents)
        await self.store.write(lambda tx: tx.queue.drop([number]) and None)

    async def tell(self) -> int:
        events = Silence()
        events.fault = lambda event, error, **_: self.faults.append(error)  # type: ignore[method-assign]
        reporter = await self.office.give_reporter()
        return await OverdueForwards(self.store, reporter, self.clock, events).tell_due()

    async def mail(self, owner: AccountId) -> list[str]:
        """What lies in INBOX, the oldest first."""

        def look(tx: Any) -> list[str]:
            inbox = tx.mailboxes.find(owner, "INBOX")
            rows = tx.sql.cursor().execute(
                "SELECT content FROM message JOIN placement ON message = message.id"
                " WHERE mailbox = ? ORDER BY uid",
                (inbox.id,),
            )
            return [tx.contents.read(one, 0, 65_536).decode() for (one,) in rows.fetchall()]

        return await self.store.read(look)


@pytest.fixture
async def forwards(store: SqliteStore, clock: Any) -> Any:
    made = Forwards(store, clock)
    yield made
    assert await violations(store) == []


async def test_the_rest_of_a_day_is_told_when_it_is_over(forwards: Forwards) -> None:
    ann, ben = await open_accounts(forwards.store, ANN, BEN)
    for _ in range(4):
        await forwards.fail(ann, "bob@example.net")
        await forwards.fail(ben, "eve@example.net")
    await forwards.fail(ann, "carl@example.net", "bob@example.net")
    await forwards.fail(ann, "carl@example.net")
    assert len(await forwards.mail(ann)) == 2
    assert await forwards.tell() == 0
    forwards.clock.turn(seconds=DAY.total_seconds() - 1)
    assert await forwards.tell() == 0
    forwards.clock.turn(seconds=1)
    assert await forwards.tell() == 2
    *_, notice = await forwards.mail(ann)
    assert "Subject: More mail could not be passed on\r\n" in notice
    assert "To: ann@example.org\r\n" in notice and "Auto-Submitted: auto-generated\r\n" in notice
    assert "    bob@example.net: 4 messages since 2 January 2026" in notice
    assert "    carl@example.net: one message since 2 January 2026" in notice
    assert "eve" not in notice
    assert "eve@example.net: 3 messages" in (await forwards.mail(ben))[-1]
    # It is said once, and counts as being told: of each address once a day at most.
    assert await forwards.tell() == 0
    await forwards.fail(ann, "bob@example.net")
    assert len(await forwards.mail(ann)) == 3
    forwards.clock.turn(days=1)
    assert await forwards.tell() == 1
    assert "bob@example.net: one message" in (await forwards.mail(ann))[-1]
    forwards.clock.turn(days=400)
    assert await forwards.tell() == 0


async def test_a_notice_that_is_passed_on_itself_is_no_failure_to_tell(
    forwards: Forwards,
) -> None:
    """Or each notice would bring about the next, for ever."""
    (ann,) = await open_accounts(forwards.store, ANN)
    await forwards.fail(ann, "bob@example.net")
    await forwards.fail(ann, "bob@example.net", reverse_path=ReversePath(None))
    forwards.clock.turn(days=1)
    assert await forwards.tell() == 0


async def test_a_report_that_told_it_leaves_nothing_to_tell(forwards: Forwards) -> None:
    (ann,) = await open_accounts(forwards.store, ANN)
    for _ in range(2):
        await forwards.fail(ann, "bob@example.net")
    forwards.clock.turn(days=1)
    await forwards.fail(ann, "bob@example.net")
    forwards.clock.turn(days=1)
    assert await forwards.tell() == 0
    assert len(await forwards.mail(ann)) == 2


async def test_what_changes_meanwhile_is_told_the_next_time(
    forwards: Forwards, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ann,) = await open_accounts(forwards.store, ANN)
    bob, notice = Address.parse("bob@example.net"), Reporter.notice
    for _ in range(2):
        await forwards.fail(ann, "bob@example.net")
    forwards.clock.turn(days=1)

    async def meanwhile(self: Reporter, *given: Any) -> Any:
        await forwards.store.write(lambda tx: tx.bounces.count_failed_forward(ann, bob))
        return await notice(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "notice", meanwhile)
        assert await forwards.tell() == 0
    assert len(await forwards.mail(ann)) == 1
    assert await forwards.tell() == 1
    assert "bob@example.net: 2 messages" in (await forwards.mail(ann))[-1]


async def test_who_is_gone_and_a_bug_keep_it_from_nobody(
    forwards: Forwards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue_forwards, "AT_ONCE", 1)
    ann, ben = await open_accounts(forwards.store, ANN, BEN)
    for owner in (ann, ben):
        for _ in range(2):
            await forwards.fail(owner, "bob@example.net")
    forwards.clock.turn(days=1)
    notice = Reporter.notice

    def failing(error: Exception) -> Callable[..., Any]:
        async def told(self: Reporter, owner: Any, *given: Any) -> Any:
            if owner.id == ann:
                raise error
            return await notice(self, owner, *given)

        return told

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "notice", failing(StoreUnavailable("no room")))
        with pytest.raises(StoreUnavailable):
            await forwards.tell()
        patch.setattr(Reporter, "notice", failing(ZeroDivisionError()))
        assert await forwards.tell() == 1
    assert [type(error) for error in forwards.faults] == [ZeroDivisionError]
    assert len(await forwards.mail(ben)) == 2
    assert await forwards.tell() == 1


def test_it_is_a_job_of_housekeeping() -> None:
    assert "tell of failed forwards" in [job.name for job in JOBS]
