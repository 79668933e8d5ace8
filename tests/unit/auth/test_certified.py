"""Certificates log in to whom they stand for, and every failure looks the same."""

from datetime import timedelta

import pytest

from mailbox_server.auth.exchange import Answer, Exchange, MechanismUnknown
from mailbox_server.auth.link import Link
from mailbox_server.auth.outcomes import Denied, Granted, TemporaryTrouble, Throttled
from mailbox_server.auth.sasl import decode_initial
from mailbox_server.auth.sasl_steps import Challenge, Malformed
from mailbox_server.auth.token_secrets import secret_digest
from mailbox_server.model.account import Account, AccountState, Scope
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.net.client_certificates import ClientCertificate
from mailbox_server.net.tls_ends import TlsEnds
from tests.unit.auth.house import House, visitor
from tests.unit.auth.memory_store import BEGINNING

ANN, BOB = "ann@example.org", "bob@example.org"
PRINT = b"f" * 32
APP_PASSWORD = "aaaaa-bbbbb-ccccc-ddddd-eeeeee"


@pytest.fixture
def ann(house: House) -> Account:
    return house.store.add_account(ANN, house.passwords.credentials("secret"))


async def external(
    house: House,
    certificate: ClientCertificate | None,
    initial: bytes | None = b"=",
    ip: str = "192.0.2.7",
    scope: Scope = Scope.READ,
) -> Answer:
    link = Link(is_confidential=True, ends=TlsEnds(None, certificate))
    begun = Exchange(house.authenticator, visitor(ip, scope), link)
    answer = await begun.start("EXTERNAL", initial)
    return await begun.respond(b"") if isinstance(answer, Challenge) else answer


def whose(answer: Answer) -> str:
    assert isinstance(answer, Granted), answer
    return str(answer.account.address)


@pytest.mark.parametrize("initial", [b"=", None, b"YW5uQGV4YW1wbGUub3Jn", b"QU5OQEVYQU1QTEUub3Jn"])
async def test_a_registered_one(house: House, ann: Account, initial: bytes | None) -> None:
    token = house.store.add_certificate(ann, PRINT, Scope.ALL)
    granted = await external(house, ClientCertificate(PRINT), initial)
    assert whose(granted) == ANN
    assert isinstance(granted, Granted)
    assert granted.token == token.id
    assert house.store.tokens[token.id][0].last_used == BEGINNING
    assert house.authenticator.stands(granted)
    del house.store.tokens[token.id]
    assert not house.authenticator.stands(granted)


async def test_nothing_is_there_without_a_certificate(house: House, ann: Account) -> None:
    assert await external(house, None) == MechanismUnknown()
    plain = Exchange(house.authenticator, visitor(), Link(is_confidential=True))
    assert await plain.start("EXTERNAL", b"=") == MechanismUnknown()
    assert house.events.seen == []


async def test_one_that_an_authority_names_the_account_in(house: House, ann: Account) -> None:
    house.store.add_account(BOB, None)
    assert whose(await external(house, ClientCertificate(PRINT, ("Ann@EXAMPLE.org",)))) == ANN
    both = ClientCertificate(PRINT, (ANN, "nobody@example.org", "no address", BOB))
    assert await external(house, both) == Denied()
    assert whose(await external(house, both, b"Ym9iQGV4YW1wbGUub3Jn")) == BOB


async def test_one_registered_with_two_accounts(house: House, ann: Account) -> None:
    bob = house.store.add_account(BOB, None)
    for account in (ann, bob):
        house.store.add_certificate(account, PRINT, Scope.ALL)
    assert await external(house, ClientCertificate(PRINT)) == Denied()
    assert whose(
        await external(house, ClientCertificate(PRINT), b"Ym9i" + b"QGV4YW1wbGUub3Jn")
    ) == (BOB)


async def test_a_registration_goes_before_an_address(house: House, ann: Account) -> None:
    bob = house.store.add_account(BOB, None)
    house.store.add_certificate(bob, PRINT, Scope.ALL)
    assert whose(await external(house, ClientCertificate(PRINT, (ANN,)))) == BOB
    # And what it is registered for goes before the whole account that its address means.
    house.store.add_certificate(ann, b"g" * 32, Scope.SEND)
    assert await external(house, ClientCertificate(b"g" * 32, (ANN,))) == Denied()


@pytest.mark.parametrize(
    ("fingerprint", "initial"),
    [
        pytest.param(b"x" * 32, b"=", id="not registered"),
        pytest.param(b"o" * 32, b"=", id="expired"),
        pytest.param(PRINT, b"YW5uQGV4YW1wbGUub3Jn", id="of another scope"),
        pytest.param(PRINT, b"Z29uZUBleGFtcGxlLm9yZw==", id="of a disabled account"),
        pytest.param(PRINT, b"bm9ib2R5QGV4YW1wbGUub3Jn", id="of nobody"),
        pytest.param(PRINT, b"IA==", id="of no address"),
        pytest.param(secret_digest(APP_PASSWORD), b"=", id="of an app password"),
    ],
)
async def test_all_failures_are_one(
    house: House, ann: Account, fingerprint: bytes, initial: bytes
) -> None:
    gone = house.store.add_account("gone@example.org", None)
    for account in (ann, gone):
        house.store.add_certificate(account, PRINT, Scope.SEND)
    house.store.add_certificate(ann, b"o" * 32, Scope.ALL, BEGINNING)
    house.store.set_state(gone, AccountState.DISABLED)
    house.store.add_token(ann, secret_digest(APP_PASSWORD) or b"", Scope.ALL)
    assert await external(house, ClientCertificate(fingerprint), initial) == Denied()
    assert house.delays == [0.25]


@pytest.mark.parametrize("initial", [b"AA==", b"YQBi", b"/w==", b"!", b"YQ"])
async def test_malformed_responses_count_for_nothing(house: House, initial: bytes) -> None:
    decoded = decode_initial(initial)
    for _ in range(40):
        assert isinstance(await external(house, ClientCertificate(PRINT), initial), Malformed)
    assert decoded is None or b"\x00" in decoded or decoded == b"\xff"
    assert house.events.seen == []


async def test_one_that_has_expired_since_its_handshake(house: House, ann: Account) -> None:
    """Registered or issued: TLS does not look again where a session is resumed."""
    house.store.add_certificate(ann, PRINT, Scope.ALL)
    ends = house.clock.now()
    for print_, names in ((PRINT, ()), (b"x" * 32, (ANN,))):
        assert whose(await external(house, ClientCertificate(print_, names, ends))) == ANN
        past = ends - timedelta(seconds=1)
        assert await external(house, ClientCertificate(print_, names, past)) == Denied()


async def test_a_certificate_does_not_log_in_as_a_password(house: House, ann: Account) -> None:
    house.store.add_certificate(ann, secret_digest(APP_PASSWORD) or b"", Scope.ALL)
    assert await house.authenticator.authenticate(visitor(), ANN, APP_PASSWORD) == Denied()


async def test_a_network_that_tried_too_often(house: House, ann: Account) -> None:
    house.store.add_certificate(ann, PRINT, Scope.ALL)
    outcomes = [type(await external(house, ClientCertificate(b"x" * 32))) for _ in range(12)]
    assert outcomes == [Denied] * 10 + [Throttled] * 2
    assert isinstance(await external(house, ClientCertificate(PRINT)), Throttled)
    assert whose(await external(house, ClientCertificate(PRINT), ip="198.51.100.1")) == ANN


async def test_guesses_at_the_password_do_not_lock_a_certificate_out(
    house: House, ann: Account
) -> None:
    house.store.add_certificate(ann, PRINT, Scope.ALL)
    for n in range(40):
        await house.authenticator.authenticate(visitor(f"10.{n}.0.1"), ANN, f"wrong {n}")
    outcome = await house.authenticator.authenticate(visitor("10.99.0.1"), ANN, "secret")
    assert isinstance(outcome, Throttled)
    assert whose(await external(house, ClientCertificate(PRINT), ip="10.98.0.1")) == ANN


async def test_trouble_of_ours_is_no_denial(house: House, ann: Account) -> None:
    house.store.add_certificate(ann, PRINT, Scope.ALL)
    house.store.broken_writes = StoreUnavailable("full")
    assert whose(await external(house, ClientCertificate(PRINT))) == ANN
    house.store.broken = StoreUnavailable("gone")
    assert await external(house, ClientCertificate(PRINT)) == TemporaryTrouble()
    house.store.broken = KeyError("a bug")
    assert await external(house, ClientCertificate(PRINT)) == TemporaryTrouble()


async def test_a_session_by_a_named_certificate_ends_with_the_password(
    house: House, ann: Account
) -> None:
    granted = await external(house, ClientCertificate(PRINT, (ANN,)))
    assert isinstance(granted, Granted)
    assert granted.token is None
    house.clock.seconds += timedelta(days=1).total_seconds()
    assert house.authenticator.stands(granted)
    house.store.credentials[ann.id] = house.passwords.credentials("another")
    assert not house.authenticator.stands(granted)
