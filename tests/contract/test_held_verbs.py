"""What an operator does with mail that is to leave later: one message, some, or all of a filter."""

import pytest

from mailbox_server.model.address import Address
from mailbox_server.model.envelope import Recipient
from mailbox_server.model.errors import AccountMissing, BadInput, MessageMissing
from mailbox_server.model.ids import MessageId, row_number
from mailbox_server.ops import held_verbs
from mailbox_server.ops.held_verbs import cancel_held, list_held
from mailbox_server.ops.queue_requests import HeldCancel, HeldList, HeldRow, WantedHeld
from tests.contract.test_cold_contents import spoil
from tests.dialogues.submission.house import SubmissionHouse
from tests.unit.delivery.submitting.test_releases import HOUR, hold
from tests.unit.delivery.submitting.test_submitter import BOB, CARL, house

__all__ = ["house"]
DAN = Recipient(Address.parse("dan@far.example"))


async def rows(house: SubmissionHouse, most: int = 500, **wanted: str) -> list[HeldRow]:
    """All pages."""
    found: list[HeldRow] = []
    after = None
    while page := await list_held(house.store, HeldList(WantedHeld(**wanted), after, most)):
        found += page
        after = page[-1].place
    return found


async def cancel(house: SubmissionHouse, *ids: str, **wanted: str) -> int:
    asked = HeldCancel(list(ids), WantedHeld(**wanted) if wanted or not ids else None)
    return (await cancel_held(house.store, house.clock, asked)).count


async def test_they_are_listed_page_by_page(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for recipient in (CARL, BOB, CARL, DAN):
        await hold(house, recipient)
    until = (house.clock.now() + HOUR).strftime("%Y-%m-%dT%H:%M")
    listed = await rows(house, 3)
    assert [each.recipients for each in listed] == [
        ["carl@far.example"], ["bob@example.org"], ["carl@far.example"], ["dan@far.example"]
    ]  # fmt: skip
    assert {(each.account, each.sender, each.count) for each in listed} == {
        ("ann@example.org", "ann@example.org", 1)
    }
    assert all(each.leaves.startswith(until) for each in listed)
    monkeypatch.setattr(held_verbs, "PAGE", 2)
    assert len(await rows(house, 1, recipient="carl@far.example")) == 2
    assert len(await rows(house, 2, account="ann@example.org")) == 4
    assert await rows(house, 2, account="bob@example.org") == []
    assert await rows(house, 2, sender="bob@example.org") == []


async def test_the_list_goes_on_behind_what_has_left(house: SubmissionHouse) -> None:
    for recipient in (CARL, BOB, DAN):
        await hold(house, recipient)
    first, second = await list_held(house.store, HeldList(most=2))
    assert await cancel(house, first.id) == 1
    house.clock.seconds += 3_600
    await hold(house, BOB)
    assert await house.releases.release_due() == 2
    (last,) = await list_held(house.store, HeldList(after=second.place))
    assert last.recipients == ["bob@example.org"]


async def test_one_is_cancelled_and_its_passport_says_by_whom(house: SubmissionHouse) -> None:
    await hold(house, CARL)
    await hold(house, DAN)
    first, second = await rows(house)
    assert await cancel(house, first.id, first.id) == 1
    with pytest.raises(MessageMissing):
        await cancel(house, second.id, first.id)
    assert [each.id for each in await rows(house)] == [second.id]
    number = MessageId(row_number("m", first.id) or 0)
    passport = await house.store.read(lambda tx: tx.passports.of(number))
    assert (passport[-1].stage, passport[-1].facts) == ("submit.cancelled", (("by", "operator"),))
    house.clock.seconds += 3_600
    assert await house.releases.release_due() == 1
    assert [str(each.address) for _, each in await house.queued()] == ["dan@far.example"]
    account = await house.account("ann")
    box = await house.store.read(lambda tx: tx.mailboxes.find(account.id, "Outbox"))
    assert box is not None
    status = await house.store.read(lambda tx: tx.mailboxes.status(box.id))
    assert status.messages == 1


async def test_all_that_a_filter_finds_are_cancelled(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_verbs, "PAGE", 2)
    for recipient in (CARL, BOB, CARL, DAN, CARL):
        await hold(house, recipient)
    assert await cancel(house, recipient="carl@far.example") == 3
    assert len(await rows(house, 2)) == 2
    assert await cancel(house) == 2
    assert await cancel(house) == 0
    house.clock.seconds += 3_600
    assert await house.releases.release_due() == 0


@pytest.mark.parametrize(
    "garbage",
    [
        "'{'",
        "CAST(x'ff' AS TEXT)",
        "replace(envelope, 'bob@example.org', '@')",
        "replace(envelope, 'ann@example.org', 'nobody')",
    ],
)
async def test_one_that_cannot_be_read_stands_alone(house: SubmissionHouse, garbage: str) -> None:
    for recipient in (CARL, BOB, DAN):
        await hold(house, recipient)
    await spoil(house.store, f"UPDATE held_message SET envelope = {garbage} WHERE uid = 2")
    listed = await rows(house, 1)
    assert [each.recipients for each in listed] == [
        ["carl@far.example"], [held_verbs.UNREADABLE], ["dan@far.example"]
    ]  # fmt: skip
    assert len(await rows(house, account="ann@example.org")) == 3
    assert len(await rows(house, sender="ann@example.org")) == 2
    house.clock.seconds += 3_600
    assert await house.releases.release_due() == 2
    assert await house.releases.release_due() == 0
    told = [fields for name, fields in house.events.told if name == "submission.not_released"]
    assert [each["reason"] for each in told] == ["its envelope in the store cannot be read"]
    (row,) = await rows(house)
    assert row.id == listed[1].id and row.leaves > listed[1].leaves
    assert await cancel(house, row.id) == 1
    assert await rows(house) == []


async def test_what_was_taken_out_is_no_more_to_be_cancelled(house: SubmissionHouse) -> None:
    await hold(house, CARL)
    (row,) = await rows(house)
    account = await house.account("ann")
    box = await house.store.read(lambda tx: tx.mailboxes.find(account.id, "Outbox"))
    assert box is not None
    await house.store.write(lambda tx: tx.messages.remove(box.id, [1]))
    assert await rows(house) == []
    assert await cancel(house) == 0
    with pytest.raises(MessageMissing):
        await cancel(house, row.id)


@pytest.mark.parametrize("text", ["", "m", "q1", "M1", "m!", "m" + "z" * 30, "m\0", "m\r\n"])
async def test_what_is_no_id(house: SubmissionHouse, text: str) -> None:
    with pytest.raises(BadInput):
        await cancel(house, text)


async def test_what_nobody_can_mean(house: SubmissionHouse) -> None:
    with pytest.raises(AccountMissing):
        await rows(house, account="nobody@example.org")
    for asked in (HeldCancel(), HeldCancel(["m1"], WantedHeld()), HeldCancel(["m1"] * 501)):
        with pytest.raises(BadInput):
            await cancel_held(house.store, house.clock, asked)
    for most in (0, 501, -1):
        with pytest.raises(BadInput):
            await list_held(house.store, HeldList(most=most))
