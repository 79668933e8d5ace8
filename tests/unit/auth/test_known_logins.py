"""Who has got in is known the next time, as long as nothing about accounts has changed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mailbox_server.auth import known_logins
from mailbox_server.auth.known_logins import KnownLogins
from mailbox_server.auth.lookup import Found
from mailbox_server.auth.outcomes import Denied, Granted
from mailbox_server.auth.token_secrets import new_secret, secret_digest
from mailbox_server.model.account import Account, Scope
from tests.unit.auth.house import House, visitor
from tests.unit.auth.memory_store import CountedEntropy

ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
def ann(house: House) -> Account:
    return house.store.add_account(ANN, house.passwords.credentials("secret"))


def count_looks(house: House, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One more for each look into the store from now on."""
    looks: list[object] = []
    glance = house.store.glance

    def counted(work: Callable[[Any], Any]) -> Any:
        looks.append(work)
        return glance(work)

    monkeypatch.setattr(house.store, "glance", counted)
    return looks


async def enters(house: House, login: str = ANN, password: str = "secret") -> bool:
    outcome = await house.authenticator.authenticate(visitor(), login, password)
    assert isinstance(outcome, Granted | Denied)
    return isinstance(outcome, Granted)


async def test_a_client_that_logs_in_again_costs_no_look(
    house: House, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = count_looks(house, monkeypatch)
    for _ in range(3):
        assert await enters(house)
    assert len(looks) == 1
    assert await enters(house, "ann")
    assert len(looks) == 2


async def test_it_is_asked_anew_after_any_change(
    house: House, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await enters(house)
    looks = count_looks(house, monkeypatch)
    house.store.add_account(BOB, None)
    assert await enters(house)
    assert len(looks) == 1
    house.store.accounts[ann.id] = fuller = replace(ann, quota_octets=7)
    granted = await house.authenticator.authenticate(visitor(), ANN, "secret")
    assert isinstance(granted, Granted)
    assert granted.account == fuller


async def test_a_wrong_password_costs_a_look_whoever_is_named(
    house: House, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was known of one login only would tell by its speed that there is such an account.
    assert await enters(house)
    looks = count_looks(house, monkeypatch)
    for number, login in enumerate((ANN, ANN, BOB, BOB, "nobody@example.org"), 1):
        assert not await enters(house, login, "wrong")
        assert len(looks) == number


async def test_an_app_password_is_looked_up_each_time(
    house: House, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = new_secret(house.entropy)
    digest = secret_digest(typed)
    assert digest is not None
    token = house.store.add_token(ann, digest, Scope.ALL)
    looks = count_looks(house, monkeypatch)
    assert await enters(house, ANN, typed) and await enters(house, ANN, typed)
    assert len(looks) == 2
    del house.store.tokens[token.id]
    assert not await enters(house, ANN, typed)


def test_the_longest_unused_is_forgotten(ann: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_logins, "MOST", 2)
    logins, found = KnownLogins(CountedEntropy()), Found(ANN, ann, None, None)
    for login in ("a", "b"):
        logins.remember(login, "secret", found, 1)
    assert logins.find("a", "secret", 1) is found
    logins.remember("c", "secret", found, 1)
    known = [logins.find(login, "secret", 1) for login in ("a", "b", "c")]
    assert known == [found, None, found]
    assert logins.find("a", "secret", 2) is None
    assert logins.find("a", "other", 1) is None
