"""What accounts sent of late is known in memory as it is in the store, and bounded."""

import asyncio
from dataclasses import replace

import pytest

from mailbox_server.delivery.arrival import Opening
from mailbox_server.delivery.submitting import recent_sendings
from mailbox_server.delivery.submitting.pace import LOOKED_BACK, PaceLimits
from mailbox_server.delivery.submitting.recent_sendings import RecentSendings
from mailbox_server.delivery.submitting.submission import Submission
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import Peer, Recipient
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ids import AccountId
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import SPAN
from tests.dialogues.submission.house import SubmissionHouse
from tests.unit.delivery.submitting.test_submitter import ANN, CARL, OWN, PEER, house, submit

__all__ = ["house"]


def far(number: int) -> Recipient:
    return Recipient(Address.parse(f"r{number}@far.example"))


async def opening_of(house: SubmissionHouse) -> Opening:
    account = await house.account("ann")
    return Opening(Peer(PEER, 1, "c1"), OWN, ReversePath(ANN), None, account)


def keep_together(house: SubmissionHouse, count: int) -> None:
    """No write begins before so many wait, so that all were begun and the writes alone decide."""
    original, gate = house.store.write, asyncio.Barrier(count)

    async def write(work: object, contents: object = (), after: object = None) -> object:
        await gate.wait()
        return await original(work, contents, after)  # type: ignore[arg-type]

    house.store.write = write  # type: ignore[method-assign, assignment]


def test_who_has_sent_nothing_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_sendings, "MOST", 2)
    recent = RecentSendings()
    for number in (1, 2, 1, 3):
        recent.put(AccountId(number), [])
    assert [recent.find(AccountId(number)) for number in (1, 2, 3)] == [[], None, []]


async def test_memory_says_what_the_store_says(house: SubmissionHouse) -> None:
    account, recent = await house.account("ann"), house.submitter.means.recent
    for number, minutes in enumerate((0, 3, 10, 25, 24 * 60, 15, -30, 1)):
        house.clock.seconds += minutes * 60
        assert (await submit(house, CARL, far(number))).is_positive
        since = house.clock.now() - LOOKED_BACK
        stored = await house.store.read(
            lambda tx, since=since: tx.correspondents.sendings(account.id, since)
        )
        assert recent.find(account.id) == stored


async def test_who_has_sent_begins_again_without_a_look(house: SubmissionHouse) -> None:
    opening = await opening_of(house)
    assert (await submit(house, CARL)).is_positive

    def glance(_: object) -> object:
        raise AssertionError("a look into the store")

    house.store.glance = glance  # type: ignore[method-assign, assignment]
    assert isinstance(await house.submitter.begin(opening), Submission)


async def test_only_the_store_says_no(house: SubmissionHouse) -> None:
    opening = await opening_of(house)
    house.keep(replace(house.rules, pace=PaceLimits(messages_hour=1)))
    assert (await submit(house, CARL)).is_positive
    assert isinstance(await house.submitter.begin(opening), Reply)
    later = house.clock.now() + SPAN
    await house.store.write(lambda tx: tx.correspondents.forget_sendings(later))
    assert isinstance(await house.submitter.begin(opening), Submission)


async def test_a_write_that_fails_counts_nothing(house: SubmissionHouse) -> None:
    account, recent = await house.account("ann"), house.submitter.means.recent
    assert (await submit(house, CARL)).is_positive
    before, original = recent.find(account.id), house.store.write

    async def write(work: object, contents: object = (), after: object = None) -> object:
        def spoiled(tx: object) -> None:
            work(tx)  # type: ignore[operator]
            raise StoreUnavailable("the disk is on fire")

        return await original(spoiled, contents, after)  # type: ignore[arg-type]

    house.store.write = write  # type: ignore[method-assign, assignment]
    assert not (await submit(house, CARL)).is_positive
    assert recent.find(account.id) == before


async def test_many_at_once_send_as_many_as_may_be_sent(house: SubmissionHouse) -> None:
    house.keep(replace(house.rules, pace=PaceLimits(messages_hour=7)))
    keep_together(house, 12)
    answers = await asyncio.gather(*(submit(house, CARL) for _ in range(12)))
    assert sorted(each.code for each in answers) == [250] * 7 + [450] * 5
    assert len(await house.queued()) == 7
    assert isinstance(await house.submitter.begin(await opening_of(house)), Reply)


async def test_many_at_once_meet_as_many_as_may_be_met(house: SubmissionHouse) -> None:
    house.keep(replace(house.rules, pace=PaceLimits(strangers_hour=5)))
    keep_together(house, 9)
    answers = await asyncio.gather(*(submit(house, far(number)) for number in range(9)))
    assert sorted(each.code for each in answers) == [250] * 5 + [450] * 4
    assert len(await house.queued()) == 5


async def test_strangers_of_one_message_count_to_the_edge(house: SubmissionHouse) -> None:
    house.keep(replace(house.rules, pace=PaceLimits(strangers_hour=4)))
    assert (await submit(house, far(0), far(1))).is_positive
    begun = await house.submitter.begin(await opening_of(house))
    assert isinstance(begun, Submission)
    codes = [(await begun.recipient(far(n).address)).code for n in (0, 2, 1, 3, 2, 4, 0, 3, 5)]
    assert codes == [250, 250, 250, 250, 250, 450, 250, 250, 450]
    begun.abandon()
