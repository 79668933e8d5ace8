"""OAUTHBEARER and XOAUTH2: a token of ours with its login, and nothing else (RFC 7628)."""

import base64
from collections.abc import Iterator

import pytest

from mailbox_server.auth.bearer import REFUSAL
from mailbox_server.auth.exchange import Exchange, TlsNeeded
from mailbox_server.auth.link import Link
from mailbox_server.auth.outcomes import Denied, Granted, Throttled
from mailbox_server.auth.sasl_steps import Challenge, Malformed
from mailbox_server.auth.token_secrets import new_secret, secret_digest
from mailbox_server.model.account import Scope
from tests.unit.auth.house import House, visitor

ANN = "ann@example.org"
FORMS = {
    "OAUTHBEARER": "n,a={},\1host=mail.example.org\1port=993\1auth=Bearer {}\1\1",
    "XOAUTH2": "user={}\1auth=Bearer {}\1\1",
}
SECRET = "correct horse"


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    made.store.add_account(ANN, made.passwords.credentials(SECRET.replace(" ", "-")))
    yield made
    made.crunch.close()


def token_of(house: House) -> str:
    typed = new_secret(house.authenticator.entropy)
    (account,) = house.store.accounts.values()
    house.store.add_token(account, secret_digest(typed) or b"", Scope.ALL)
    return typed


def exchange(house: House, *, confidential: bool = True) -> Exchange:
    return Exchange(house.authenticator, visitor(), Link(confidential))


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("is_initial", [True, False])
async def test_a_token_logs_in(house: House, name: str, is_initial: bool) -> None:
    response = b64(FORMS[name].format(ANN, token_of(house)))
    talk = exchange(house)
    if is_initial:
        answer = await talk.start(name, response)
    else:
        assert await talk.start(name) == Challenge(b"")
        answer = await talk.respond(response)
    assert isinstance(answer, Granted)
    assert answer.token is not None


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("reply", [b"AQ==", b"", b"*"])
@pytest.mark.parametrize("login", [ANN, "nobody@example.org"])
async def test_a_refusal_is_told_and_then_final(
    house: House, name: str, reply: bytes, login: str
) -> None:
    talk = exchange(house)
    answer = await talk.start(name, b64(FORMS[name].format(login, "A" * 24)))
    assert answer == Challenge(REFUSAL)
    assert isinstance(await talk.respond(reply), Denied)
    assert isinstance(await talk.respond(reply), Malformed)


@pytest.mark.parametrize("name", FORMS)
async def test_the_password_is_no_token(house: House, name: str) -> None:
    response = b64(FORMS[name].format(ANN, SECRET.replace(" ", "-")))
    assert await exchange(house).start(name, response) == Challenge(REFUSAL)


@pytest.mark.parametrize("header", ["n,,", "y,,"])
async def test_a_token_without_its_login_is_refused(house: House, header: str) -> None:
    response = b64(f"{header}\1auth=Bearer {token_of(house)}\1\1")
    assert await exchange(house).start("OAUTHBEARER", response) == Challenge(REFUSAL)


async def test_a_client_that_could_bind_is_let_in(house: House) -> None:
    response = b64(f"y,a={ANN},\1auth=Bearer {token_of(house)}\1\1")
    assert isinstance(await exchange(house).start("OAUTHBEARER", response), Granted)


async def test_guesses_are_counted(house: House) -> None:
    for _ in range(100):
        answer = await exchange(house).start("XOAUTH2", b64(FORMS["XOAUTH2"].format(ANN, "A" * 24)))
        if isinstance(answer, Throttled):
            return
    pytest.fail("nobody was throttled")


@pytest.mark.parametrize("name", FORMS)
async def test_only_where_nobody_listens(house: House, name: str) -> None:
    assert isinstance(await exchange(house, confidential=False).start(name, b""), TlsNeeded)


@pytest.mark.parametrize(
    ("name", "response"),
    [
        ("OAUTHBEARER", ""),
        ("OAUTHBEARER", "n,a=ann,\1auth=Basic abc\1\1"),
        ("OAUTHBEARER", "n,a=ann,\1auth=Bearer a b\1\1"),
        ("OAUTHBEARER", "n,a=ann,\1auth=Bearer abc\1"),
        ("OAUTHBEARER", "n,a=ann,\1xauth=Bearer abc\1\1"),
        ("OAUTHBEARER", "n,a=a\0nn,\1auth=Bearer abc\1\1"),
        ("OAUTHBEARER", "p=x,a=ann,\1auth=Bearer abc\1\1"),
        ("XOAUTH2", "user=\1auth=Bearer abc\1\1"),
        ("XOAUTH2", "user=ann\1\1"),
        ("XOAUTH2", "auth=Bearer abc\1user=ann\1\1"),
        ("XOAUTH2", "user=ann\1auth=Bearer abc\1\1more"),
    ],
)
async def test_malformed(house: House, name: str, response: str) -> None:
    assert isinstance(await exchange(house).start(name, b64(response) or b"="), Malformed)
