"""Our side of a login, against our own server's side and against servers that lie."""

import base64

import pytest

from mailbox_server.auth.link import Link
from mailbox_server.auth.sasl_steps import Challenge, NeedKeys, Proven
from mailbox_server.auth.scram import ScramSha256 as ServerSide
from mailbox_server.auth.scram import derive_keys
from mailbox_server.model.next_hop import Login
from mailbox_server.model.ports import SystemEntropy
from mailbox_server.relay.client.engine import State
from mailbox_server.relay.client.login import (
    MOST_ITERATIONS,
    LoginMechanism,
    Plain,
    ScramSha256,
    choose_exchange,
)
from tests.unit.relay.client.spoken import greeted

LOGIN = Login("us=er,1", "secrét")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ({"PLAIN", "LOGIN", "SCRAM-SHA-256"}, ScramSha256),
        ({"PLAIN", "LOGIN", "CRAM-MD5"}, Plain),
        ({"LOGIN", "XOAUTH2"}, LoginMechanism),
        ({"CRAM-MD5", "NTLM", "SCRAM-SHA-1"}, type(None)),
        (set(), type(None)),
    ],
)
def test_the_strongest_is_chosen(offered: set[str], chosen: type) -> None:
    assert isinstance(choose_exchange(LOGIN, frozenset(offered), SystemEntropy()), chosen)


def test_plain() -> None:
    engine = greeted("AUTH PLAIN")
    engine.login(Plain(LOGIN))
    initial = base64.b64encode("\0us=er,1\0secrét".encode())
    assert engine.output() == b"AUTH PLAIN " + initial + b"\r\n"
    engine.receive(b"235 2.7.0 welcome\r\n")
    assert engine.state is State.READY and engine.refusal is None


def test_login() -> None:
    engine = greeted("AUTH LOGIN")
    engine.login(LoginMechanism(LOGIN))
    assert engine.output() == b"AUTH LOGIN\r\n"
    engine.receive(b"334 VXNlcm5hbWU6\r\n")
    assert engine.output() == base64.b64encode(b"us=er,1") + b"\r\n"
    engine.receive(b"334\r\n")
    assert engine.output() == base64.b64encode("secrét".encode()) + b"\r\n"
    engine.receive(b"334 UGFzc3dvcmQ6\r\n")
    assert engine.output() == b"*\r\n"
    engine.receive(b"501 cancelled\r\n")
    assert engine.refusal is not None and engine.state is State.READY


def said(challenge: bytes, code: int = 334) -> bytes:
    return b"%d %b\r\n" % (code, base64.b64encode(challenge))


@pytest.mark.parametrize("last_code", [334, 235])
def test_scram_with_our_own_server(last_code: int) -> None:
    """The server's proof comes as a challenge (RFC 4954 §4), or from some in the last reply."""
    server = ServerSide(SystemEntropy(), Link(is_confidential=True))
    engine = greeted("AUTH SCRAM-SHA-256")
    engine.login(ScramSha256(LOGIN, b"nonce"))
    first = base64.b64decode(engine.output().split()[2])
    step = server.receive(first)
    assert isinstance(step, NeedKeys)
    step = server.supply(derive_keys(LOGIN.password, b"salt" * 4))
    assert isinstance(step, Challenge)
    engine.receive(said(step.octets))
    step = server.receive(base64.b64decode(engine.output()))
    assert isinstance(step, Challenge)
    engine.receive(said(step.octets, last_code))
    if last_code == 334:
        assert engine.output() == b"\r\n"
        assert isinstance(server.receive(b""), Proven)
        engine.receive(b"235 ok\r\n")
    assert engine.state is State.READY and engine.refusal is None


@pytest.mark.parametrize(
    "challenge",
    [
        b"r=other,s=c2FsdA==,i=4096",
        b"r=nonce1,s=c2FsdA==,i=0",
        b"r=nonce1,s=c2FsdA==,i=-1",
        b"r=nonce1,s=c2FsdA==,i=%d" % (MOST_ITERATIONS + 1),
        b"r=nonce1,s=c2FsdA==,i=9999999999",
        b"r=nonce1,s=x=y,i=4096",
        b"m=ext,r=nonce1,s=c2FsdA==,i=4096",
        b"",
        b"\xff\x00",
    ],
)
def test_scram_with_a_server_that_asks_too_much(challenge: bytes) -> None:
    exchange = ScramSha256(LOGIN, b"nonce")
    exchange.initial()
    assert exchange.respond(challenge) is None
    assert not exchange.is_proved


def test_a_server_that_proves_nothing_is_not_believed() -> None:
    engine = greeted("AUTH SCRAM-SHA-256")
    engine.login(ScramSha256(LOGIN, b"nonce"))
    engine.receive(b"235 welcome, whoever you are\r\n")
    assert engine.refusal is not None
    assert engine.refusal.enhanced == "4.7.0"


def test_challenges_do_not_go_on_for_ever() -> None:
    engine = greeted("AUTH LOGIN")
    engine.login(LoginMechanism(LOGIN))
    for _ in range(20):
        engine.receive(b"334 AAAA\r\n")
    assert engine.state is State.CLOSED


@pytest.mark.parametrize("text", [b"not base64!", b"\xff", b"=", b""])
def test_challenges_that_are_not_base_64(text: bytes) -> None:
    engine = greeted("AUTH PLAIN")
    engine.login(Plain(LOGIN))
    engine.output()
    engine.receive(b"334 " + text + b"\r\n")
    assert engine.output().endswith(b"\r\n")
