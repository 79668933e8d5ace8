"""A whole SASL exchange, as POP3, IMAP and submission drive it."""

import base64
import hashlib
import hmac
from collections.abc import Iterator

import pytest
import scramp

from mailbox_server.auth.exchange import Cancelled, Exchange, MechanismUnknown, TlsNeeded
from mailbox_server.auth.link import Link
from mailbox_server.auth.outcomes import (
    Denied,
    Granted,
    TemporaryTrouble,
    Throttled,
    Unentitled,
)
from mailbox_server.auth.sasl_steps import Challenge, Malformed
from mailbox_server.model.account import AccountState
from mailbox_server.model.errors import StoreUnavailable
from tests.unit.auth.house import House, visitor

ANN = "ann@example.org"


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    made.store.add_account(ANN, made.passwords.credentials("secret"))
    yield made
    made.crunch.close()


def exchange(house: House, *, confidential: bool = True, ip: str = "192.0.2.7") -> Exchange:
    return Exchange(house.authenticator, visitor(ip), Link(confidential))


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


async def test_plain_with_an_initial_response(house: House) -> None:
    answer = await exchange(house).start("plain", b64(f"\0{ANN}\0secret"))
    assert isinstance(answer, Granted)


async def test_plain_after_an_empty_challenge(house: House) -> None:
    begun = exchange(house)
    assert await begun.start("PLAIN") == Challenge(b"")
    assert isinstance(await begun.respond(b64(f"{ANN}\0{ANN}\0secret")), Granted)


async def test_login_with_and_without_an_initial_response(house: House) -> None:
    begun = exchange(house)
    prompt = await begun.start("LOGIN")
    assert isinstance(prompt, Challenge)
    assert prompt.encoded == b"VXNlcm5hbWU6"
    again = await begun.respond(b64(ANN))
    assert isinstance(again, Challenge)
    assert again.encoded == b"UGFzc3dvcmQ6"
    assert isinstance(await begun.respond(b64("secret")), Granted)
    outlook = exchange(house)
    assert await outlook.start("LOGIN", b64(ANN)) == Challenge(b"Password:")
    assert await outlook.respond(b64("wrong")) == Denied()


async def scram(
    house: House, login: str, password: str, *, initial: bool = True, ip: str = "192.0.2.7"
) -> object:
    client = scramp.ScramClient(["SCRAM-SHA-256"], login, password)
    begun = exchange(house, confidential=False, ip=ip)
    first = b64(client.get_client_first())
    if initial:
        answer = await begun.start("SCRAM-SHA-256", first)
    else:
        assert await begun.start("SCRAM-SHA-256") == Challenge(b"")
        answer = await begun.respond(first)
    if not isinstance(answer, Challenge):
        return answer
    client.set_server_first(answer.octets.decode())
    answer = await begun.respond(b64(client.get_client_final()))
    if not isinstance(answer, Challenge):
        return answer
    client.set_server_final(answer.octets.decode())
    return await begun.respond(b"")


@pytest.mark.parametrize("initial", [True, False])
async def test_scram_needs_no_tls(house: House, initial: bool) -> None:
    assert isinstance(await scram(house, ANN, "secret", initial=initial), Granted)
    assert isinstance(await scram(house, "ANN@EXAMPLE.ORG", "secret"), Granted)


@pytest.mark.parametrize(
    ("authzid", "password", "outcome"),
    [
        (ANN, "secret", Granted),
        ("ANN@Example.ORG", "secret", Granted),
        ("bob@example.org", "secret", Unentitled),
        ("nobody", "secret", Unentitled),
        ("bob@example.org", "wrong", Denied),
    ],
)
async def test_scram_for_another(house: House, authzid: str, password: str, outcome: type) -> None:
    house.store.add_account("bob@example.org", house.passwords.credentials("secret"))
    assert type(await scram_for(house, authzid, password)) is outcome


async def scram_for(house: House, authzid: str, password: str) -> object:
    """SCRAM with an authzid, which scramp does not know (RFC 5802 §5)."""
    begun = exchange(house)
    bare = f"n={ANN},r=abc"
    answer = await begun.start("SCRAM-SHA-256", b64(f"n,a={authzid},{bare}"))
    assert isinstance(answer, Challenge)
    first = answer.octets.decode()
    nonce, salt, iterations = (part[2:] for part in first.split(","))
    unproved = f"c={b64(f'n,a={authzid},').decode()},r={nonce}"
    salted = hashlib.pbkdf2_hmac(
        "sha256", password.encode(), base64.b64decode(salt), int(iterations)
    )
    key = hmac.digest(salted, b"Client Key", "sha256")
    message = ",".join((bare, first, unproved)).encode()
    signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
    proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
    answer = await begun.respond(b64(f"{unproved},p={base64.b64encode(proof).decode()}"))
    return await begun.respond(b"") if isinstance(answer, Challenge) else answer


async def test_scram_denies(house: House) -> None:
    house.store.set_state(
        house.store.add_account("gone@example.org", house.passwords.credentials("secret")),
        AccountState.DISABLED,
    )
    cases = [(ANN, "wrong"), ("nobody@example.org", "secret"), ("gone@example.org", "secret")]
    for n, (login, password) in enumerate(cases):
        assert await scram(house, login, password, ip=f"10.{n}.0.1") == Denied()
    assert house.delays == [0.25] * 3


async def test_scram_guesses_are_counted_and_successes_are_not(house: House) -> None:
    for _ in range(20):
        assert isinstance(await scram(house, ANN, "secret"), Granted)
    outcomes = [type(await scram(house, "x@example.org", "wrong")) for _ in range(12)]
    assert outcomes == [Denied] * 10 + [Throttled] * 2


@pytest.mark.parametrize("ending", [b"*", b"!!!", b64("nonsense")])
async def test_breaking_scram_off_is_no_guess(house: House, ending: bytes) -> None:
    for _ in range(30):
        begun = exchange(house)
        answer = await begun.start("SCRAM-SHA-256", b64(f"n,,n={ANN},r=abc"))
        assert isinstance(answer, Challenge)
        assert isinstance(await begun.respond(ending), Cancelled | Malformed)


async def test_a_mechanism_that_shows_the_password_needs_tls(house: House) -> None:
    for name in ("PLAIN", "LOGIN"):
        begun = exchange(house, confidential=False)
        assert await begun.start(name, b64(f"\0{ANN}\0secret")) == TlsNeeded()
    assert house.events.seen == []


async def test_unknown_mechanisms(house: House) -> None:
    for name in ("CRAM-MD5", "", "SCRAM-SHA-256-PLUS", "PLAIN\x00"):
        assert await exchange(house).start(name) == MechanismUnknown()


async def test_cancelling(house: House) -> None:
    begun = exchange(house)
    await begun.start("PLAIN")
    assert await begun.respond(b"*") == Cancelled()
    assert isinstance(await begun.respond(b64(f"\0{ANN}\0secret")), Malformed)


@pytest.mark.parametrize("line", [b"=", b"AAA", b"A A=", b"AAAA\r", b"\x00", b"A" * 20_000, b""])
async def test_lines_that_are_no_response(house: House, line: bytes) -> None:
    begun = exchange(house)
    await begun.start("PLAIN")
    assert isinstance(await begun.respond(line), Malformed)
    assert isinstance(await begun.respond(b64(f"\0{ANN}\0secret")), Malformed)


@pytest.mark.parametrize("initial", [b"", b"==", b"AAA", b"*"])
async def test_initial_responses_that_are_none(house: House, initial: bytes) -> None:
    assert isinstance(await exchange(house).start("PLAIN", initial), Malformed)


async def test_a_store_that_is_down(house: House) -> None:
    house.store.broken = StoreUnavailable("down")
    trouble = TemporaryTrouble()
    assert await exchange(house).start("PLAIN", b64(f"\0{ANN}\0secret")) == trouble
    assert await exchange(house).start("SCRAM-SHA-256", b64(f"n,,n={ANN},r=abc")) == trouble


async def test_an_ended_exchange_answers_nothing(house: House) -> None:
    assert isinstance(await exchange(house).respond(b"AAAA"), Malformed)
