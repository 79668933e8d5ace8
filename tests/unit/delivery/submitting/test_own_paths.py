"""A submission that asks for it gives each recipient a return path of its own (VERP)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Opening, Wishes
from mailbox_server.delivery.own_paths import OwnPaths
from mailbox_server.delivery.submitting.submission import Submission
from mailbox_server.delivery.verp import Kind, PathSigner
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.bounce import BounceScore, Cause, ScoreState
from mailbox_server.model.envelope import Peer, Recipient, Verp
from mailbox_server.model.errors import ReturnPathTooLong
from mailbox_server.model.ids import ContentId
from mailbox_server.model.outbound import Origin
from tests.dialogues.submission.house import SubmissionHouse
from tests.unit.delivery.house import BEGINNING, OWN, PEER
from tests.unit.delivery.submitting.test_submitter import ANN, BOB, CARL, submit

READ = Wishes(verp=Verp("+="))
COUNTED = Wishes(verp=Verp(""))
DORA = Recipient(Address.parse("Dora@far.example"))


@pytest_asyncio.fixture
async def house() -> AsyncIterator[SubmissionHouse]:
    house = await SubmissionHouse.open()
    yield house
    await house.close()


async def asked(house: SubmissionHouse, wishes: Wishes, sender: Address = ANN) -> Submission:
    account, peer = await house.account("ann"), Peer(PEER, 40_000, "c1")
    opening = Opening(peer, OWN, ReversePath(sender), None, account, wishes)
    begun = await house.submitter.begin(opening)
    assert isinstance(begun, Submission), begun
    return begun


def path(text: str) -> ReversePath:
    return ReversePath(Address.parse(text))


async def test_each_has_a_path_that_the_sender_can_read(house: SubmissionHouse) -> None:
    assert (await submit(house, CARL, BOB, DORA, wishes=READ)).is_positive
    jobs = await house.queued()
    assert {str(job.address): job.return_path for _, job in jobs} == {
        "carl@far.example": path("ann+carl=far.example@example.org"),
        "Dora@far.example": path("ann+Dora=far.example@example.org"),
    }
    assert {departure.origin for departure, _ in jobs} == {Origin.SUBMISSION}
    assert {departure.reverse_path for departure, _ in jobs} == {ReversePath(ANN)}
    [mail] = await house.mail("bob")
    assert mail.startswith(b"Return-Path: <ann+bob=example.org@example.org>\r\nReceived: ")
    # What comes back is the sender's own to read; we would take it for counting else.
    known = await house.store.read(lambda tx: tx.bounces.known_member(ANN.key, CARL.address))
    assert known is None


async def test_other_delimiters_stand_where_they_were_asked_for(house: SubmissionHouse) -> None:
    await submit(house, CARL, wishes=Wishes(verp=Verp("+-")))
    [(_, job)] = await house.queued()
    assert job.return_path == path("ann+carl-far.example@example.org")


async def test_each_has_a_signed_path_whose_bounces_count(house: SubmissionHouse) -> None:
    assert (await submit(house, CARL, BOB, DORA, wishes=COUNTED)).is_positive
    jobs = await house.queued()
    for departure, job in jobs:
        assert departure.origin is Origin.LIST
        assert departure.reverse_path == ReversePath(ANN)
        assert job.return_path is not None and job.return_path.address is not None
        token = house.paths.read(job.return_path.address, house.clock.now())
        assert token is not None
        assert (token.owner, token.kind, token.post) == (ANN, Kind.BULK, departure.content)
        number = token.member
        member = await house.store.read(lambda tx, number=number: tx.bounces.member(number))
        assert member is not None
        assert (member.scope, member.address) == (ANN.key, job.address)
    assert len({job.return_path for _, job in jobs}) == 2
    [mail] = await house.mail("bob")
    assert mail.startswith(b"Return-Path: <ann+b")


async def test_who_is_reached_twice_has_the_first_path(house: SubmissionHouse) -> None:
    again = Recipient(Address.parse("bob+again@example.org"))
    await submit(house, again, BOB, wishes=READ)
    [mail] = await house.mail("bob")
    assert mail.startswith(b"Return-Path: <ann+bob+again=example.org@example.org>\r\n")


async def test_behind_an_alias_it_is_the_path_of_the_alias(house: SubmissionHouse) -> None:
    both = Recipient(Address.parse("both@example.org"))
    targets = [BOB.address, CARL.address]
    await house.store.write(lambda tx: tx.aliases.add(both.address, targets, BEGINNING))
    await submit(house, both, wishes=READ)
    [(departure, job)] = await house.queued()
    expected = path("ann+both=example.org@example.org")
    assert (job.address, job.return_path) == (CARL.address, None)
    assert departure.reverse_path == expected
    [mail] = await house.mail("bob")
    assert mail.startswith(f"Return-Path: <{expected}>".encode())


@pytest.mark.parametrize("wishes", [READ, COUNTED])
async def test_what_was_held_has_them_when_it_leaves(
    house: SubmissionHouse, wishes: Wishes
) -> None:
    until = house.clock.now() + timedelta(hours=1)
    await submit(house, CARL, wishes=replace(wishes, held_until=until))
    house.clock.seconds += 3600
    assert await house.releases.release_due() == 1
    [(_, job)] = await house.queued()
    assert job.return_path is not None
    assert str(job.return_path).startswith("ann+")


async def test_who_was_disabled_is_refused_until_that_is_cleared(house: SubmissionHouse) -> None:
    def score(state: ScoreState) -> BounceScore:
        return BounceScore(
            ANN.key, CARL.address, 10, state, BEGINNING, Cause.DISABLED, "550 gone", BEGINNING, 5
        )

    await house.store.write(lambda tx: tx.bounces.set_score(score(ScoreState.DISABLED)))
    begun = await asked(house, COUNTED)
    answer = await begun.recipient(CARL.address)
    assert answer == replies.keeps_bouncing("550 gone")
    assert (await begun.recipient(DORA.address)).is_positive
    # It is the list that is not sent there; other mail and other senders are no list.
    for begun in (
        await asked(house, Wishes()),
        await asked(house, COUNTED, Address.parse("ann+other@example.org")),
    ):
        assert (await begun.recipient(CARL.address)).is_positive
    await house.store.write(lambda tx: tx.bounces.set_score(score(ScoreState.PROBED)))
    assert (await (await asked(house, COUNTED)).recipient(CARL.address)).is_positive


async def test_numbers_that_have_grown_too_long_are_told(house: SubmissionHouse) -> None:
    class Grown(PathSigner):
        def path(self, *_: object) -> None:
            return None

    house.submitter.means.paths = Grown(house.paths.keys)
    assert await submit(house, CARL, wishes=COUNTED) == replies.PATHS_TOO_LONG
    assert await house.queued() == []


async def test_no_path_longer_than_a_local_part_is_made(house: SubmissionHouse) -> None:
    sender = Address.parse(f"{'a' * 38}@example.org")
    paths = OwnPaths(Verp(""), sender, house.paths, house.clock.now())
    few, many = ContentId(2**30), ContentId(2**62)
    made = await house.store.write(lambda tx: paths.path(tx, few, CARL.address))
    assert made.address is not None
    with pytest.raises(ReturnPathTooLong):
        await house.store.write(lambda tx: paths.path(tx, many, CARL.address))
