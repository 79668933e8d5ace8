"""Held mail waits in the Outbox, leaves once when its time has come, or does not when taken out."""

from datetime import timedelta

import pytest

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Opening, Wishes
from mailbox_server.delivery.submitting import holding, submitter
from mailbox_server.delivery.submitting.holding import Waiting
from mailbox_server.delivery.submitting.pace import PaceLimits
from mailbox_server.delivery.submitting.rules import SubmissionRules
from mailbox_server.model.account import Account
from mailbox_server.model.address import ReversePath
from mailbox_server.model.envelope import Notify, OriginalRecipient, Peer, Recipient, Return
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ids import MessageId
from mailbox_server.model.outbound import ByMode, DeliverBy
from mailbox_server.model.passport import Evidence
from tests.dialogues.submission.house import SubmissionHouse
from tests.unit.delivery.submitting.test_submitter import ANN, BOB, CARL, house, submit

__all__ = ["house"]
HOUR = timedelta(hours=1)


async def hold(house: SubmissionHouse, *recipients: Recipient, **given: object) -> None:
    wishes = Wishes(priority=2, held_until=house.clock.now() + HOUR)
    answer = await submit(house, *recipients, wishes=wishes, **given)  # type: ignore[arg-type]
    assert answer.lines[0].startswith("Ok, it waits in your Outbox")


async def test_it_leaves_when_its_time_has_come(house: SubmissionHouse) -> None:
    wish = Recipient(CARL.address, Notify.DELAY, OriginalRecipient("rfc822", "c@far.example"))
    by = DeliverBy(house.clock.now() + HOUR, ByMode.RETURN, trace=False)
    wishes = Wishes(2, by, house.clock.now() + HOUR)
    await submit(house, wish, BOB, wishes=wishes, ret=Return.HEADERS, envelope_id="e1")
    [waiting] = await house.mail("ann", "Outbox")
    assert await house.queued() == [] and await house.mail("bob") == []
    assert await house.releases.release_due() == 0
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 1
    [(departure, outbound)] = await house.queued()
    assert (outbound.address, outbound.notify) == (wish.address, wish.notify)
    assert outbound.original == wish.original
    assert (departure.priority, departure.deliver_by) == (2, by)
    assert (departure.ret, departure.envelope_id) == (Return.HEADERS, "e1")
    assert await house.content(departure) == waiting
    assert b"by mx.example.org (mailbox-server) with ESMTPSA" in departure.trace
    [here] = await house.mail("bob")
    assert here.endswith(waiting)
    assert await house.releases.release_due() == 0
    account = await house.account("ann")
    box = await house.store.read(lambda tx: tx.mailboxes.find(account.id, "Outbox"))
    assert box is not None
    status = await house.store.read(lambda tx: tx.mailboxes.status(box.id))
    assert status.messages == 0


async def test_its_passport_says_how_long_it_waited(house: SubmissionHouse) -> None:
    began = house.clock.now()
    await hold(house, CARL)
    handed_in = ["submit.connect", "submit.envelope", "submit.held"]
    [*_, held] = await passport(house)
    assert [each.stage for each in await passport(house)] == handed_in
    assert held.facts == (("until", (began + HOUR).isoformat(timespec="seconds")),)
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 1
    assert [each.stage for each in await passport(house)] == [*handed_in, "submit.released"]
    [(_, outbound)] = await house.queued()
    left = await house.store.read(lambda tx: tx.outbound.evidence(outbound.departure))
    assert [(each.stage, each.at) for each in left] == [
        ("submit.held", began),
        ("submit.released", began + HOUR),
        ("submit.envelope", began + HOUR),
    ]
    assert dict(left[0].facts) == {"account": str(ANN)}


async def test_the_passport_of_what_did_not_leave_says_why(house: SubmissionHouse) -> None:
    await hold(house, CARL)
    await take_out(house)
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 0
    [*_, last] = await passport(house)
    assert last.stage == "submit.kept-back"
    assert last.facts == (("reason", "it was taken out of the Outbox"),)


async def passport(house: SubmissionHouse) -> list[Evidence]:
    """Of the first message."""
    return await house.store.read(lambda tx: tx.passports.of(MessageId(1)))


async def take_out(house: SubmissionHouse) -> None:
    """Expunge the first message of ann's Outbox."""
    account = await house.account("ann")
    box = await house.store.read(lambda tx: tx.mailboxes.find(account.id, "Outbox"))
    assert box is not None
    await house.store.write(lambda tx: tx.messages.remove(box.id, [1]))


async def test_more_than_may_wait_is_refused_at_mail_and_at_the_end(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 4865 §6: 552 5.7.16; side by side only the last word counts."""
    monkeypatch.setattr(holding, "HELD_MOST", 1)
    await hold(house, CARL)
    wishes, account = Wishes(held_until=house.clock.now() + HOUR), await house.account("ann")
    opening = Opening(Peer(None, 0, "c1"), None, ReversePath(ANN), None, account, wishes)
    assert await house.submitter.begin(opening) == replies.TOO_MUCH_HELD
    assert (await submit(house, CARL)).is_positive
    monkeypatch.setattr(submitter, "is_full", lambda tx, account: False)
    assert await submit(house, CARL, wishes=wishes) == replies.TOO_MUCH_HELD


async def test_what_is_expunged_from_the_outbox_is_not_sent(house: SubmissionHouse) -> None:
    account = await house.account("ann")
    await hold(house, CARL)
    await take_out(house)
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 0
    assert await house.queued() == []
    assert await house.store.read(lambda tx: tx.held_messages.count(account.id)) == 0
    told = [fields for name, fields in house.events.told if name == "submission.not_released"]
    assert [fields["reason"] for fields in told] == ["it was taken out of the Outbox"]


async def test_what_may_no_longer_be_sent_stays_there(house: SubmissionHouse) -> None:
    await hold(house, CARL)
    await house.given("ann is disabled")
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 0
    assert await house.queued() == []
    assert len(await house.mail("ann", "Outbox")) == 1


async def test_trouble_is_tried_again_and_it_leaves_once(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hold(house, CARL)
    house.clock.seconds += 3600

    async def fail(*_: object) -> None:
        raise StoreUnavailable("the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setattr(house.store, "write", fail)
        assert await house.releases.release_due() == 0
    assert await house.queued() == []
    assert await house.releases.release_due() == 1
    assert len(await house.queued()) == 1


async def test_it_counts_when_it_is_held_and_not_again(house: SubmissionHouse) -> None:
    house.keep(SubmissionRules(house.rules.routing, pace=PaceLimits(messages_hour=1)))
    await hold(house, CARL)
    wishes = Wishes(held_until=house.clock.now() + HOUR)
    account = await house.account("ann")
    sendings = await house.store.read(
        lambda tx: tx.correspondents.sendings(account.id, house.clock.now() - HOUR)
    )
    assert sum(each.messages for each in sendings) == 1
    with pytest.raises(AssertionError):
        await submit(house, CARL, wishes=wishes)
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 1


async def test_what_was_to_be_held_until_the_past_leaves_at_once(house: SubmissionHouse) -> None:
    wishes = Wishes(held_until=house.clock.now() - HOUR)
    await submit(house, CARL, wishes=wishes)
    assert len(await house.queued()) == 1
    assert await house.mail("ann", "Outbox") == []


async def test_they_go_with_the_account(house: SubmissionHouse) -> None:
    await hold(house, CARL)
    account = await house.account("ann")
    assert account.address == ANN
    await house.store.write(lambda tx: tx.accounts.remove(account.id))
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 0
    assert await house.queued() == []


async def test_who_is_refused_by_now_is_told_of_and_the_others_get_it(
    house: SubmissionHouse,
) -> None:
    await hold(house, BOB, CARL)
    bob = await house.account("bob")
    await house.store.write(lambda tx: tx.accounts.remove(bob.id))
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 1
    [(_, outbound)] = await house.queued()
    assert outbound.address == CARL.address
    [report] = await house.mail("ann")
    assert b"Final-Recipient: rfc822; bob@example.org" in report and b"carl" not in report
    assert b"Action: failed" in report and b"Status: 5.1.1" in report


async def test_where_nobody_is_left_it_stays_and_the_sender_is_told(
    house: SubmissionHouse,
) -> None:
    await hold(house, BOB)
    bob, ann = await house.account("bob"), await house.account("ann")
    await house.store.write(lambda tx: tx.accounts.set_quota(bob.id, 1))
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 0
    assert await house.releases.release_due() == 0
    assert await house.store.read(lambda tx: tx.held_messages.count(ann.id)) == 0
    [report] = await house.mail("ann")
    assert b"Final-Recipient: rfc822; bob@example.org" in report
    assert len(await house.mail("ann", "Outbox")) == 1 and await house.mail("bob") == []


async def test_without_a_sender_nobody_is_told(house: SubmissionHouse) -> None:
    notice = (
        b"From: ann@example.org\r\n"
        b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n"
        b"\r\n--b--\r\n"
    )
    await hold(house, CARL, sender=None, content=notice)
    await house.given("ann is disabled")
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 0
    assert await house.mail("ann") == []


async def test_a_bug_about_one_message_holds_up_no_other(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hold(house, BOB)
    house.clock.seconds += 1
    await hold(house, CARL)
    house.clock.seconds += 3600
    resume = house.submitter.resume

    async def with_a_bug(opening: Opening, account: Account, waiting: Waiting) -> object:
        if waiting.uid == 1:
            raise RuntimeError("a bomb")
        return await resume(opening, account, waiting)

    with monkeypatch.context() as patch:
        patch.setattr(house.submitter, "resume", with_a_bug)
        assert await house.releases.release_due() == 1
    assert await house.releases.release_due() == 0
    house.clock.seconds += 600
    assert await house.releases.release_due() == 1
    assert len(await house.mail("bob")) == 1
