"""A message whose 250 was lost goes once, however often its client sends it again."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Wishes
from mailbox_server.delivery.sent_copies import SentCopies
from mailbox_server.delivery.submitting.once import LIFETIME
from mailbox_server.model.envelope import Recipient
from mailbox_server.model.errors import CommitUnknown, StoreUnavailable
from mailbox_server.model.ids import MessageId
from mailbox_server.store.ports import QueueFilter, WriteTx
from tests.dialogues.submission.house import SubmissionHouse
from tests.unit.delivery.submitting.test_submitter import BOB, CARL, house, submit, transact

__all__ = ["house"]
MAIL = (
    b"Date: Fri, 2 Jan 2026 03:04:05 +0000\r\nFrom: ann@example.org\r\n"
    b"Message-ID: <1@laptop>\r\n\r\nwords\r\n"
)


async def started_again(house: SubmissionHouse) -> None:
    """As a new process finds it after a crash."""
    house.submitter.means.once.__init__(house.store, house.clock, house.events)  # type: ignore[misc]
    await house.submitter.prepare()


async def passports(house: SubmissionHouse) -> list[str]:
    """The stages of every passport: of mail in the queue, and of message 1 if there is one."""

    def look(tx: WriteTx) -> list[str]:
        jobs = tx.queue.listed(QueueFilter(), None, 10)
        evidence = [each for job in jobs for each in tx.outbound.evidence(job.departure)]
        if tx.messages.about(MessageId(1)) is not None:
            evidence += tx.passports.of(MessageId(1))
        return [each.stage for each in evidence]

    return await house.store.read(look)  # type: ignore[arg-type]


@pytest.mark.parametrize("recipients", [(CARL,), (BOB,), (CARL, BOB)])
@pytest.mark.parametrize("crash", [False, True])
async def test_a_repeat_goes_once_and_the_passport_says_so(
    house: SubmissionHouse, recipients: tuple[Recipient, ...], crash: bool
) -> None:
    first = await submit(house, *recipients, content=MAIL)
    assert first.lines[0].startswith("Ok, on its way as")
    if crash:
        await started_again(house)
    assert await submit(house, *recipients, content=MAIL) == replies.QUEUED_BEFORE
    assert len(await house.queued()) == recipients.count(CARL)
    assert len(await house.mail("bob")) == recipients.count(BOB)
    assert "submit.repeat" in await passports(house)


async def test_a_repeat_goes_once_where_its_row_cannot_be_read(house: SubmissionHouse) -> None:
    await submit(house, CARL, content=MAIL)

    def spoil(tx: Any) -> None:
        tx.sql.cursor().execute("UPDATE outbound SET address = CAST(x'ff40' AS TEXT)", ())

    await house.store.write(spoil)
    assert await submit(house, CARL, content=MAIL) == replies.QUEUED_BEFORE
    assert "submit.repeat" in await passports(house)


@pytest.mark.parametrize("crash", [False, True])
async def test_who_has_seen_the_reply_and_sends_again_means_it(
    house: SubmissionHouse, crash: bool
) -> None:
    for count in (1, 2, 3):
        acceptance = await transact(house, CARL, content=MAIL)
        assert acceptance.replies[0].lines[0].startswith("Ok, on its way as")
        assert len(await house.queued()) == count
        house.submitter.confirm(acceptance)
        if crash:
            await house.submitter.tidy()
            await started_again(house)


async def test_a_repeat_that_was_answered_is_over(house: SubmissionHouse) -> None:
    await submit(house, CARL, content=MAIL)
    repeated = await transact(house, CARL, content=MAIL)
    assert repeated.replies[0] == replies.QUEUED_BEFORE
    house.submitter.confirm(repeated)
    assert await submit(house, CARL, content=MAIL) != replies.QUEUED_BEFORE
    assert len(await house.queued()) == 2


async def test_what_differs_is_no_repeat(house: SubmissionHouse) -> None:
    await submit(house, CARL, content=MAIL)
    later = Wishes(held_until=house.clock.now() + timedelta(hours=1))
    assert await submit(house, CARL, BOB, content=MAIL) != replies.QUEUED_BEFORE
    assert await submit(house, CARL, content=MAIL + b"more\r\n") != replies.QUEUED_BEFORE
    assert await submit(house, CARL, content=MAIL, sender=None) == replies.NOTICE_ONLY
    assert await submit(house, CARL, content=MAIL, wishes=later) == replies.HELD
    assert len(await house.queued()) == 3


async def test_what_is_held_waits_once(house: SubmissionHouse) -> None:
    wishes = Wishes(held_until=house.clock.now() + timedelta(hours=1))
    for _ in range(2):
        assert await submit(house, CARL, content=MAIL, wishes=wishes) == replies.HELD
    assert len(await house.mail("ann", "Outbox")) == 1
    assert "submit.repeat" in await passports(house)
    house.clock.seconds += 3_600
    assert await house.releases.release_due() == 1
    assert len(await house.queued()) == 1


async def test_after_an_hour_it_is_another_message(house: SubmissionHouse) -> None:
    await submit(house, CARL, content=MAIL)
    house.clock.seconds += LIFETIME.total_seconds() + 1
    await house.submitter.tidy()
    left = await house.store.read(
        lambda tx: tx.sent_receipts.since(house.clock.now() - LIFETIME * 9)
    )
    assert left == []
    assert await submit(house, CARL, content=MAIL) != replies.QUEUED_BEFORE


async def test_what_a_crash_left_goes_with_the_first_tidying(house: SubmissionHouse) -> None:
    """Nothing in memory speaks of it after the start, for it is too old to count."""
    await house.given("copies for everyone")
    await submit(house, CARL, content=MAIL)
    house.clock.seconds += 2 * LIFETIME.total_seconds()
    await started_again(house)
    house.sent_copies.__init__(house.store, house.clock)  # type: ignore[misc]
    await house.sent_copies.load()
    await submit(house, BOB, content=MAIL)
    await house.submitter.tidy()
    begun = datetime.fromtimestamp(0, UTC)
    left = await house.store.read(lambda tx: tx.sent_receipts.since(begun))
    assert len(left) == 1 and left[0].at == house.clock.now().replace(microsecond=0)
    assert len(await house.store.read(lambda tx: tx.sent_copies.since(begun, 9))) == 1


async def test_tidying_writes_only_where_there_is_something(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.submitter.tidy()
    monkeypatch.setattr(house.store, "write", None)
    await house.submitter.tidy()


async def test_times_that_make_no_sense_stop_no_start(house: SubmissionHouse) -> None:
    await house.given("copies for everyone")
    await submit(house, CARL, content=MAIL)

    def spoil(tx: Any) -> None:
        for column in ("sent_receipt SET at", "sent_copy SET until"):
            tx.sql.cursor().execute(f"UPDATE {column} = 1 << 60", ())

    await house.store.write(spoil)
    await started_again(house)
    assert (await submit(house, CARL, content=MAIL)).lines[0].startswith("Ok, on its way as")


async def test_side_by_side_one_goes(house: SubmissionHouse) -> None:
    answers = await asyncio.gather(*(submit(house, CARL, content=MAIL) for _ in range(5)))
    assert answers.count(replies.QUEUED_BEFORE) == 4
    assert len(await house.queued()) == 1


async def test_what_may_have_been_written_is_looked_up(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = house.store.write

    async def unknown(work: Callable[[WriteTx], object], *given: object) -> object:
        await write(work, *given)  # type: ignore[arg-type]
        raise CommitUnknown("the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setattr(house.store, "write", unknown)
        assert await submit(house, CARL, content=MAIL) == replies.UNFORESEEN
    assert await submit(house, CARL, content=MAIL) == replies.QUEUED_BEFORE
    assert len(await house.queued()) == 1


async def test_a_write_that_fails_closes_nothing_that_was_opened_meanwhile(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had word that the first reply was seen; the second one was not."""
    write, begun, fails = house.store.write, asyncio.Event(), asyncio.Event()

    async def full(*given: object) -> None:
        begun.set()
        await fails.wait()
        raise StoreUnavailable("no room")

    house.submitter.confirm(await transact(house, CARL, content=MAIL))
    monkeypatch.setattr(house.store, "write", full)
    other = asyncio.create_task(submit(house, CARL, BOB, content=MAIL))
    await begun.wait()
    monkeypatch.setattr(house.store, "write", write)
    await submit(house, CARL, content=MAIL)
    fails.set()
    assert await other == replies.UNFORESEEN
    await house.submitter.tidy()
    await started_again(house)
    assert await submit(house, CARL, content=MAIL) == replies.QUEUED_BEFORE


async def test_an_orderly_stop_leaves_word_of_what_is_open(house: SubmissionHouse) -> None:
    known = await transact(house, CARL, content=MAIL)
    await submit(house, BOB, content=MAIL)
    house.submitter.confirm(known)
    await house.submitter.settle()
    await started_again(house)
    assert await submit(house, BOB, content=MAIL) == replies.QUEUED_BEFORE
    assert await submit(house, CARL, content=MAIL) != replies.QUEUED_BEFORE


async def test_copies_yield_after_a_restart_too(house: SubmissionHouse) -> None:
    await house.given("copies for everyone")
    await submit(house, CARL, content=MAIL)
    account = await house.account("ann")
    anew = SentCopies(house.store, house.clock)
    await anew.load()
    found = anew.find(account.id, "1@laptop")
    assert found is not None and found == house.sent_copies.find(account.id, "1@laptop")
    house.clock.seconds += LIFETIME.total_seconds()
    await anew.tidy()
    await house.sent_copies.load()
    assert anew.find(account.id, "1@laptop") is None
    assert (
        await house.store.read(lambda tx: tx.sent_copies.since(house.clock.now() - LIFETIME, 9))
        == []
    )
