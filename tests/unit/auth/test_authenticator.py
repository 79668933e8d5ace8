"""Who gets in, who does not, and that the answer and its cost tell nothing else."""

import asyncio
import threading
from datetime import timedelta

import pytest
from passlib.hash import sha512_crypt

from mailbox_server.auth.authenticator import ScramAttempt
from mailbox_server.auth.crunch import CrunchLimits
from mailbox_server.auth.outcomes import (
    Denied,
    Expired,
    Granted,
    TemporaryTrouble,
    Throttled,
    Unentitled,
)
from mailbox_server.auth.scram import fake_keys
from mailbox_server.auth.token_secrets import new_secret, secret_digest
from mailbox_server.model.account import AccountState, Credentials, Scope
from mailbox_server.model.errors import StoreUnavailable
from tests.unit.auth.house import SECRET, House, visitor
from tests.unit.auth.memory_store import BEGINNING, MemoryStore

ANN = "ann@example.org"


class CountedChecks:
    """How often a slow hash was checked, and against what."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stored: list[str] = []
        verify = house.passwords.verify

        def counted(password: str, stored: str) -> object:
            self.stored.append(stored)
            return verify(password, stored)

        monkeypatch.setattr(house.passwords, "verify", counted)


@pytest.mark.parametrize("login", [ANN, "Ann@Example.ORG", "ann", "\uff41nn@example.org", "ANN"])
async def test_the_right_password_gets_in(house: House, login: str) -> None:
    account = house.store.add_account(ANN, house.passwords.credentials("secret"))
    outcome = await house.authenticator.authenticate(visitor(), login, "secret")
    assert isinstance(outcome, Granted)
    assert outcome.account == account
    assert outcome.token is None
    assert house.delays == []


@pytest.mark.parametrize(
    ("login", "password"),
    [
        (ANN, "Secret"),
        (ANN, "secret "),
        (ANN, ""),
        (ANN, "\x00"),
        (ANN, "x" * 100_000),
        ("bob@example.org", "secret"),
        ("ann@other.example", "secret"),
        ("alias@example.org", "secret"),
        (" " + ANN, "secret"),
        (ANN + " ", "secret"),
        (ANN + ".", "secret"),
        ("ann@example.org\r\n", "secret"),
        ("ann\x00@example.org", "secret"),
        ("'; drop table account; --", "secret"),
        ("../ann@example.org", "secret"),
        ("x" * 1_000_000, "secret"),
        ("\ud800", "secret"),
        ("", "secret"),
        ("@", "secret"),
    ],
)
async def test_everything_else_does_not(house: House, login: str, password: str) -> None:
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    assert await house.authenticator.authenticate(visitor(), login, password) == Denied()
    assert house.delays == [0.25]


async def test_a_bare_local_part_needs_one_domain(house: House) -> None:
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    house.store.add_account("bob@second.example", None)
    assert await house.authenticator.authenticate(visitor(), "ann", "secret") == Denied()


async def test_unknown_disabled_and_passwordless_cost_one_hash_and_say_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    gone = house.store.add_account("gone@example.org", house.passwords.credentials("secret"))
    house.store.set_state(gone, AccountState.DISABLED)
    house.store.add_account("none@example.org", None)
    checks = CountedChecks(house, monkeypatch)
    cases = [(ANN, "wrong"), ("gone@example.org", "secret"), ("none@example.org", "secret")]
    cases += [("unknown@example.org", "secret"), ("not an address", "secret")]
    for n, (login, password) in enumerate(cases):
        outcome = await house.authenticator.authenticate(visitor(f"10.{n}.0.1"), login, password)
        assert outcome == Denied()
    assert len(checks.stored) == len(cases)
    assert checks.stored[2:] == [house.passwords.dummy] * 3
    assert house.delays == [0.25] * len(cases)


async def test_a_client_that_reconnects_costs_no_second_hash(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    checks = CountedChecks(house, monkeypatch)
    for _ in range(3):
        assert isinstance(await house.authenticator.authenticate(visitor(), ANN, "secret"), Granted)
    assert len(checks.stored) == 1
    house.clock.seconds += 600
    await house.authenticator.authenticate(visitor(), ANN, "secret")
    assert len(checks.stored) == 2


async def test_a_changed_password_or_state_is_obeyed_at_once(house: House) -> None:
    account = house.store.add_account(ANN, house.passwords.credentials("old"))
    granted = await house.authenticator.authenticate(visitor(), ANN, "old")
    assert isinstance(granted, Granted)
    assert house.authenticator.stands(granted)
    house.store.credentials[account.id] = house.passwords.credentials("new")
    assert not house.authenticator.stands(granted)
    assert await house.authenticator.authenticate(visitor(), ANN, "old") == Denied()
    renewed = await house.authenticator.authenticate(visitor(), ANN, "new")
    assert isinstance(renewed, Granted)
    house.store.set_state(account, AccountState.DISABLED)
    assert not house.authenticator.stands(renewed)
    assert await house.authenticator.authenticate(visitor(), ANN, "new") == Denied()
    del house.store.accounts[account.id]
    assert not house.authenticator.stands(renewed)


async def test_a_grant_stands_while_the_store_cannot_say(house: House) -> None:
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    granted = await house.authenticator.authenticate(visitor(), ANN, "secret")
    assert isinstance(granted, Granted)
    for trouble in (StoreUnavailable("down"), KeyError("bug")):
        house.store.broken = trouble
        assert house.authenticator.stands(granted)
    assert isinstance(house.events.faults[0], KeyError)


async def test_an_imported_hash_is_replaced_at_login(house: House) -> None:
    old = Credentials(sha512_crypt.using(rounds=1000).hash("secret"), None)
    account = house.store.add_account(ANN, old)
    assert await house.authenticator.authenticate(visitor(), ANN, "wrong") == Denied()
    assert house.store.credentials[account.id] == old
    granted = await house.authenticator.authenticate(visitor(), ANN, "secret")
    assert isinstance(granted, Granted)
    new = house.store.credentials[account.id]
    assert new.password_hash.startswith("$argon2id$")
    assert new.scram is not None
    assert house.authenticator.stands(granted)
    writes = house.store.writes
    await house.authenticator.authenticate(visitor(), ANN, "secret")
    assert house.store.writes == writes


async def test_missing_scram_keys_are_made_at_login(house: House) -> None:
    account = house.store.add_account(ANN, Credentials(house.passwords.hash("secret"), None))
    await house.authenticator.authenticate(visitor(), ANN, "secret")
    assert house.store.credentials[account.id].scram is not None


async def test_an_upgrade_that_cannot_be_written_does_not_keep_anyone_out(house: House) -> None:
    house.store.add_account(ANN, Credentials(sha512_crypt.using(rounds=1000).hash("pw"), None))
    house.store.broken_writes = StoreUnavailable("full")
    assert isinstance(await house.authenticator.authenticate(visitor(), ANN, "pw"), Granted)


async def test_an_upgrade_never_overwrites_a_newer_password(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Credentials(sha512_crypt.using(rounds=1000).hash("pw"), None)
    account = house.store.add_account(ANN, old)
    changed = house.passwords.credentials("changed")
    write = MemoryStore.write

    async def after_a_change(store: MemoryStore, work: object) -> object:
        store.credentials[account.id] = changed
        return await write(store, work)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryStore, "write", after_a_change)
    await house.authenticator.authenticate(visitor(), ANN, "pw")
    assert house.store.credentials[account.id] == changed


async def test_a_stored_hash_that_nobody_understands_denies_and_is_reported(house: House) -> None:
    house.store.add_account(ANN, Credentials("{WHAT}ever", None))
    assert await house.authenticator.authenticate(visitor(), ANN, "secret") == Denied()
    assert [event for event, _ in house.events.seen] == ["auth.hash_unknown", "auth.denied"]


# App passwords


async def test_an_app_password_gets_in_without_a_slow_hash(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = house.store.add_account(ANN, house.passwords.credentials("secret"))
    typed = new_secret(house.entropy)
    token = house.store.add_token(account, secret_digest(typed) or b"", Scope.ALL)
    checks = CountedChecks(house, monkeypatch)
    granted = await house.authenticator.authenticate(visitor(), ANN, typed.upper())
    assert isinstance(granted, Granted)
    assert granted.token == token.id
    assert checks.stored == []
    assert house.store.tokens[token.id][0].last_used == BEGINNING
    assert house.authenticator.stands(granted)
    del house.store.tokens[token.id]
    assert not house.authenticator.stands(granted)


async def test_the_last_use_is_written_once_an_hour(house: House) -> None:
    account = house.store.add_account(ANN, None)
    typed = new_secret(house.entropy)
    house.store.add_token(account, secret_digest(typed) or b"", Scope.READ)
    for minutes, writes in ((0, 1), (30, 1), (59, 1), (60, 2)):
        house.clock.seconds = minutes * 60
        await house.authenticator.authenticate(visitor(), ANN, typed)
        assert house.store.writes == writes
    house.clock.seconds = 7_200 * 3
    house.store.broken_writes = StoreUnavailable("full")
    assert isinstance(await house.authenticator.authenticate(visitor(), ANN, typed), Granted)


@pytest.mark.parametrize(
    ("scope", "wanted", "gets_in"),
    [
        (Scope.READ, Scope.READ, True),
        (Scope.SEND, Scope.READ, False),
        (Scope.READ, Scope.SEND, False),
        (Scope.SEND, Scope.SEND, True),
        (Scope.ALL, Scope.SEND, True),
    ],
)
async def test_scope(house: House, scope: Scope, wanted: Scope, gets_in: bool) -> None:
    account = house.store.add_account(ANN, None)
    typed = new_secret(house.entropy)
    house.store.add_token(account, secret_digest(typed) or b"", scope)
    outcome = await house.authenticator.authenticate(visitor(scope=wanted), ANN, typed)
    assert isinstance(outcome, Granted) is gets_in


async def test_an_expired_app_password(house: House) -> None:
    account = house.store.add_account(ANN, None)
    typed = new_secret(house.entropy)
    digest = secret_digest(typed) or b""
    house.store.add_token(account, digest, Scope.ALL, BEGINNING + timedelta(hours=1))
    granted = await house.authenticator.authenticate(visitor(), ANN, typed)
    assert isinstance(granted, Granted)
    house.clock.seconds = 3_600
    assert not house.authenticator.stands(granted)
    for tokens_only in (False, True):
        outcome = await house.authenticator.authenticate(
            visitor(), ANN, typed, tokens_only=tokens_only
        )
        assert outcome == Expired()
    # Only who has it, for what it was good for, is told that it was good once.
    sending = visitor("198.51.100.1", scope=Scope.SEND)
    house.store.add_token(account, b"r" * 32, Scope.READ, BEGINNING)
    assert await house.authenticator.authenticate(sending, ANN, typed) == Expired()
    house.store.set_state(account, AccountState.DISABLED)
    assert await house.authenticator.authenticate(sending, ANN, typed) == Denied()


async def test_an_expired_app_password_of_another_scope(house: House) -> None:
    account = house.store.add_account(ANN, None)
    typed = new_secret(house.entropy)
    house.store.add_token(account, secret_digest(typed) or b"", Scope.SEND, BEGINNING)
    assert await house.authenticator.authenticate(visitor(), ANN, typed) == Denied()


async def test_a_password_that_looks_like_an_expired_app_password(house: House) -> None:
    typed = new_secret(house.entropy)
    account = house.store.add_account(ANN, house.passwords.credentials(typed))
    house.store.add_token(account, secret_digest(typed) or b"", Scope.ALL, BEGINNING)
    assert isinstance(await house.authenticator.authenticate(visitor(), ANN, typed), Granted)


async def test_another_accounts_app_password(house: House) -> None:
    house.store.add_account(ANN, None)
    bob = house.store.add_account("bob@example.org", None)
    typed = new_secret(house.entropy)
    house.store.add_token(bob, secret_digest(typed) or b"", Scope.ALL)
    assert await house.authenticator.authenticate(visitor(), ANN, typed) == Denied()


async def test_a_disabled_account_has_no_app_passwords(house: House) -> None:
    account = house.store.add_account(ANN, None)
    typed = new_secret(house.entropy)
    house.store.add_token(account, secret_digest(typed) or b"", Scope.ALL)
    house.store.set_state(account, AccountState.DISABLED)
    assert await house.authenticator.authenticate(visitor(), ANN, typed) == Denied()


# Acting for somebody


@pytest.mark.parametrize("authzid", ["", ANN, "ANN@example.org", "ann"])
async def test_acting_for_oneself(house: House, authzid: str) -> None:
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    outcome = await house.authenticator.authenticate(visitor(), ANN, "secret", authzid)
    assert isinstance(outcome, Granted)


@pytest.mark.parametrize("authzid", ["bob@example.org", "root", "\x00", ANN + "x"])
async def test_acting_for_somebody_else(house: House, authzid: str) -> None:
    account = house.store.add_account(ANN, house.passwords.credentials("secret"))
    typed = new_secret(house.entropy)
    house.store.add_token(account, secret_digest(typed) or b"", Scope.ALL)
    for password in ("secret", typed):
        outcome = await house.authenticator.authenticate(visitor(), ANN, password, authzid)
        assert outcome == Unentitled()
    assert await house.authenticator.authenticate(visitor(), ANN, "wrong", authzid) == Denied()
    house.store.set_state(account, AccountState.DISABLED)
    for password in ("secret", typed):
        outcome = await house.authenticator.authenticate(visitor(), ANN, password, authzid)
        assert outcome == Denied()
    assert all(delay >= 0.25 for delay in house.delays)
    assert len(house.delays) == 5


# Throttling


async def test_guessing_is_throttled_and_the_owner_is_not(house: House) -> None:
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    assert isinstance(await house.authenticator.authenticate(visitor(), ANN, "secret"), Granted)
    for n in range(20):
        outcome = await house.authenticator.authenticate(visitor(f"10.{n}.0.1"), ANN, f"guess {n}")
        assert outcome == Denied()
    late = await house.authenticator.authenticate(visitor("10.99.0.1"), ANN, "secret")
    assert isinstance(late, Throttled)
    assert late.retry_after_seconds > 0
    assert isinstance(await house.authenticator.authenticate(visitor(), ANN, "secret"), Granted)


async def test_unknown_logins_are_throttled_in_the_same_way(house: House) -> None:
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    for login in (ANN, "nobody@example.org"):
        outcomes = [
            await house.authenticator.authenticate(visitor(f"10.{n}.0.1"), login, f"guess {n}")
            for n in range(25)
        ]
        assert [type(o) for o in outcomes] == [Denied] * 20 + [Throttled] * 5
        house.clock.seconds += 86_400


async def test_app_passwords_work_for_strangers_during_an_attack(house: House) -> None:
    account = house.store.add_account(ANN, house.passwords.credentials("secret"))
    typed = new_secret(house.entropy)
    house.store.add_token(account, secret_digest(typed) or b"", Scope.ALL)
    for n in range(25):
        await house.authenticator.authenticate(visitor(f"10.{n}.0.1"), ANN, f"guess {n}")
    traveler = visitor("203.0.113.9")
    assert isinstance(await house.authenticator.authenticate(traveler, ANN, typed), Granted)


async def test_the_same_wrong_password_again_is_no_new_guess(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.store.add_account(ANN, house.passwords.credentials("new"))
    checks = CountedChecks(house, monkeypatch)
    for _ in range(50):
        assert await house.authenticator.authenticate(visitor(), ANN, "old") == Denied()
    assert len(checks.stored) == 1
    assert isinstance(await house.authenticator.authenticate(visitor(), ANN, "new"), Granted)


async def test_only_so_many_denials_are_held_back_at_once() -> None:
    house = House()
    held, asleep = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        assert not asleep.is_set()
        asleep.set()
        await held.wait()

    house.authenticator._sleep = sleep  # type: ignore[method-assign]
    house.authenticator._delayed = 499
    one = asyncio.ensure_future(house.authenticator.authenticate(visitor(), "a@x.example", "pw"))
    async with asyncio.timeout(10):
        await asleep.wait()
    assert await house.authenticator.authenticate(visitor(), "b@x.example", "pw") == Denied()
    held.set()
    assert await one == Denied()
    house.crunch.close()


# Trouble


async def test_a_store_that_is_down_is_temporary(house: House) -> None:
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    house.store.broken = StoreUnavailable("down")
    trouble = TemporaryTrouble()
    assert await house.authenticator.authenticate(visitor(), ANN, "secret") == trouble
    assert await house.authenticator.scram_keys(visitor(), ANN) == trouble


async def test_a_bug_is_temporary_and_reported(house: House) -> None:
    house.store.broken = KeyError("bomb")
    assert await house.authenticator.authenticate(visitor(), ANN, "secret") == TemporaryTrouble()
    assert isinstance(house.events.faults[0], KeyError)


async def test_a_full_line_is_temporary_and_costs_no_guess() -> None:
    house = House(crunch=CrunchLimits(threads=1, waiting=0))
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    gate = threading.Event()
    blocking = asyncio.ensure_future(house.crunch.run(gate.wait))
    await asyncio.sleep(0)
    for _ in range(30):
        outcome = await house.authenticator.authenticate(visitor(), ANN, "secret")
        assert outcome == TemporaryTrouble()
    gate.set()
    await blocking
    assert isinstance(await house.authenticator.authenticate(visitor(), ANN, "secret"), Granted)
    house.crunch.close()


# Silence


async def test_no_secret_and_no_strangers_login_reaches_an_event(house: House) -> None:
    house.store.add_account(ANN, house.passwords.credentials("hunter2-right"))
    for login, password in ((ANN, "hunter2-right"), (ANN, "hunter2-wrong"), ("hunter2-login", "x")):
        await house.authenticator.authenticate(visitor(), login, password)
    assert len(house.events.seen) == 3
    assert "hunter2" not in repr(house.events.seen)


# SCRAM keys


async def test_scram_keys_look_the_same_for_everybody(house: House) -> None:
    account = house.store.add_account(ANN, house.passwords.credentials("secret"))
    house.store.add_account("none@example.org", None)
    real = await house.authenticator.scram_keys(visitor(), ANN)
    assert isinstance(real, ScramAttempt)
    assert real.is_real
    assert real.keys == house.store.credentials[account.id].scram
    for n, login in enumerate(("none@example.org", "nobody@example.org", "\x00", "x" * 9_999)):
        fake = await house.authenticator.scram_keys(visitor(f"10.{n}.0.1"), login)
        assert isinstance(fake, ScramAttempt)
        assert not fake.is_real
        assert (len(fake.keys.salt), fake.keys.iterations) == (
            len(real.keys.salt),
            real.keys.iterations,
        )
    upper = await house.authenticator.scram_keys(visitor("10.9.0.1"), "NOBODY@example.org")
    assert isinstance(upper, ScramAttempt)
    assert upper.keys == fake_keys("nobody@example.org", SECRET)


async def test_scram_is_throttled_before_it_begins(house: House) -> None:
    house.store.add_account(ANN, house.passwords.credentials("secret"))
    answers = [await house.authenticator.scram_keys(visitor(), ANN) for _ in range(12)]
    assert [type(a) for a in answers] == [ScramAttempt] * 10 + [Throttled] * 2


async def test_a_password_changed_during_scram_denies(house: House) -> None:
    account = house.store.add_account(ANN, house.passwords.credentials("old"))
    attempt = await house.authenticator.scram_keys(visitor(), ANN)
    assert isinstance(attempt, ScramAttempt)
    house.store.credentials[account.id] = house.passwords.credentials("new")
    settled = await house.authenticator.settle_scram(visitor(), attempt, "", matches=True)
    assert settled == Denied()
