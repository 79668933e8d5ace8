"""What a write of an account found spares the next one a look; any change makes it look again."""

import asyncio
from typing import Any

import pytest

from mailbox_server.delivery import replies
from mailbox_server.delivery.submitting import known_senders
from mailbox_server.delivery.submitting.known_senders import KnownSenders
from mailbox_server.model.account import AccountState
from mailbox_server.model.ids import AccountId
from mailbox_server.store.accounts import Accounts
from mailbox_server.store.correspondents import Correspondents
from tests.dialogues.submission.house import SubmissionHouse
from tests.unit.delivery.submitting.test_recent_sendings import far
from tests.unit.delivery.submitting.test_submitter import CARL, house, submit

__all__ = ["house"]
ANN = AccountId(1)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One word for each account and each set of strangers that is looked up from now on."""
    seen: list[str] = []
    get, strangers = Accounts.get, Correspondents.strangers

    def counted_get(self: Accounts, account: AccountId) -> Any:
        seen.append("account")
        return get(self, account)

    def counted_strangers(self: Correspondents, account: AccountId, addresses: Any) -> set[str]:
        seen.append("strangers")
        return strangers(self, account, addresses)

    monkeypatch.setattr(Accounts, "get", counted_get)
    monkeypatch.setattr(Correspondents, "strangers", counted_strangers)
    return seen


async def test_who_writes_to_the_same_people_again_costs_no_look(
    house: SubmissionHouse, looks: list[str]
) -> None:
    assert (await submit(house, CARL)).is_positive
    assert looks == ["account", "strangers"]
    assert (await submit(house, CARL)).is_positive
    assert looks == ["account", "strangers"]
    assert (await submit(house, far(1), CARL)).is_positive
    assert looks == ["account", "strangers", "strangers"]
    assert (await submit(house, far(1))).is_positive
    assert len(looks) == 3


async def test_people_are_strangers_once(house: SubmissionHouse) -> None:
    account = await house.account("ann")
    for _ in range(3):
        assert (await submit(house, CARL, far(1))).is_positive
    (span,) = await house.store.read(
        lambda tx: tx.correspondents.sendings(account.id, house.clock.now().replace(year=2000))
    )
    assert (span.messages, span.strangers) == (3, 2)


async def test_who_is_disabled_sends_nothing_more(house: SubmissionHouse) -> None:
    assert (await submit(house, CARL)).is_positive
    await house.given("ann is disabled")
    assert await submit(house, CARL) == replies.ACCOUNT_DISABLED
    await house.given("ann is enabled")
    assert (await submit(house, CARL)).is_positive


async def test_who_is_disabled_by_the_write_before_sends_nothing_more(
    house: SubmissionHouse,
) -> None:
    account, original = await house.account("ann"), house.store.write
    assert (await submit(house, CARL)).is_positive

    async def write(work: object, contents: object = (), after: object = None) -> object:
        # Both wait for the writer at once, and share its commit.
        house.store.write = original  # type: ignore[method-assign]
        disabling = house.store.write(
            lambda tx: tx.accounts.set_state(account.id, AccountState.DISABLED)
        )
        _, kept = await asyncio.gather(
            disabling,
            original(work, contents, after),
        )
        return kept

    house.store.write = write  # type: ignore[method-assign, assignment]
    assert await submit(house, CARL) == replies.ACCOUNT_DISABLED
    assert len(await house.queued()) == 1


async def test_a_write_that_fails_teaches_nothing(house: SubmissionHouse, looks: list[str]) -> None:
    original = house.store.write

    async def write(work: object, contents: object = (), after: object = None) -> object:
        def spoiled(tx: object) -> None:
            work(tx)  # type: ignore[operator]
            raise OSError("the disk is on fire")

        return await original(spoiled, contents, after)  # type: ignore[arg-type]

    house.store.write = write  # type: ignore[method-assign, assignment]
    assert not (await submit(house, CARL)).is_positive
    house.store.write = original  # type: ignore[method-assign]
    assert (await submit(house, CARL)).is_positive
    assert looks == ["account", "strangers"] * 2


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_senders, "ACCOUNTS", 2)
    monkeypatch.setattr(known_senders, "CORRESPONDENTS", 3)
    senders = KnownSenders()
    for number in (1, 2, 1, 3):
        senders.put(AccountId(number), 7, (f"r{number}",))
    assert senders.find(AccountId(2)) is None
    for number in range(8):
        senders.put(ANN, 7, (f"s{number}",))
        known = senders.find(ANN)
        assert known is not None and len(known.correspondents) <= 3
        assert f"s{number}" in known.correspondents


def test_after_a_change_of_owners_all_are_asked_for_again() -> None:
    senders = KnownSenders()
    senders.put(ANN, 7, ("carl",))
    senders.put(ANN, 8, ("dan",))
    known = senders.find(ANN)
    assert known is not None
    assert (known.generation, known.correspondents) == (8, {"dan"})
