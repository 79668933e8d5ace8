"""That nothing came back from an address is known without a look, as long as it is so."""

import random

import pytest

from mailbox_server.delivery.submitting import known_bounces
from mailbox_server.delivery.submitting.known_bounces import KnownBounces
from mailbox_server.model.address import Address
from mailbox_server.model.bounce import Cause
from mailbox_server.model.ids import AccountId
from tests.dialogues.submission.house import SubmissionHouse
from tests.unit.delivery.submitting.test_submitter import CARL, bounced, house, recipient

__all__ = ["house"]
DAN = Address.parse("dan@far.example")


def count_glances(house: SubmissionHouse) -> list[object]:
    """One more for each look that is taken from now on."""
    taken: list[object] = []
    original = house.store.glance

    def glance(work: object) -> object:
        taken.append(work)
        return original(work)  # type: ignore[arg-type]

    house.store.glance = glance  # type: ignore[method-assign, assignment]
    return taken


async def test_a_second_recipient_elsewhere_costs_no_look(house: SubmissionHouse) -> None:
    assert (await recipient(house, CARL.address)).is_positive
    looks = count_glances(house)
    for address in (CARL.address, DAN, CARL.address):
        assert (await recipient(house, address)).is_positive
    assert not looks


async def test_what_comes_back_is_heard_of_at_the_next_recipient(house: SubmissionHouse) -> None:
    assert (await recipient(house, CARL.address)).is_positive
    await bounced(house)
    said = await recipient(house, CARL.address)
    assert (said.code, said.enhanced) == (550, "5.1.1")
    assert (await recipient(house, CARL.address, "bob")).is_positive
    assert (await recipient(house, DAN)).is_positive


async def test_one_dead_address_does_not_make_the_others_cost_looks(
    house: SubmissionHouse,
) -> None:
    await bounced(house)
    assert not (await recipient(house, CARL.address)).is_positive
    looks = count_glances(house)
    assert (await recipient(house, DAN)).is_positive
    assert not looks


async def test_what_is_cleared_is_no_more_refused_from_memory(house: SubmissionHouse) -> None:
    await bounced(house)
    assert not (await recipient(house, CARL.address)).is_positive
    await house.store.write(lambda tx: tx.bounces.clear(None, None))
    assert (await recipient(house, CARL.address)).is_positive


async def test_of_whom_much_comes_back_the_store_is_asked(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_bounces, "ADDRESSES", 0)
    await bounced(house)
    assert (await recipient(house, DAN)).is_positive
    looks = count_glances(house)
    assert (await recipient(house, DAN)).is_positive
    assert not (await recipient(house, CARL.address)).is_positive
    assert len(looks) == 2


async def test_only_so_many_accounts_are_kept_in_memory(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_bounces, "ACCOUNTS", 2)
    known, numbers = KnownBounces(house.store), [AccountId(number) for number in (1, 2, 3)]
    for number in numbers:
        house.store.glance(lambda tx, number=number: known.learn(tx, number))
    assert [known.is_clear(number, DAN) for number in numbers] == [False, True, True]


@pytest.mark.parametrize("seed", range(5))
async def test_memory_never_denies_what_the_store_holds(house: SubmissionHouse, seed: int) -> None:
    chance = random.Random(seed)
    known = KnownBounces(house.store)
    accounts = [(await house.account(name)).id for name in ("ann", "bob")]
    addresses = [Address.parse(f"r{number}@far.example") for number in range(4)]
    for _ in range(60):
        account, address = chance.choice(accounts), chance.choice(addresses)
        match chance.randrange(4):
            case 0:
                now = house.clock.now()
                await house.store.write(
                    lambda tx, a=account, b=address, n=now: tx.bounces.remember(
                        a, b, Cause.NO_SUCH_MAILBOX, "", n
                    )
                )
            case 1:
                await house.store.write(lambda tx, a=account, b=address: tx.bounces.clear(a, b))
            case _:
                house.store.glance(lambda tx, a=account: known.learn(tx, a))
        for each in accounts:
            for one in addresses:
                stored = house.store.glance(lambda tx, a=each, b=one: tx.bounces.find(a, b))
                assert stored is None or not known.is_clear(each, one)
