"""PLAIN and LOGIN, the table of mechanisms, and base 64 without mercy."""

import base64

import pytest

from mailbox_server.auth.link import Link
from mailbox_server.auth.sasl import (
    MECHANISMS,
    RESPONSE_LINE_OCTETS,
    Login,
    Plain,
    decode_initial,
    decode_response,
    find_mechanism,
    offered_names,
)
from mailbox_server.auth.sasl_steps import (
    Challenge,
    CheckCertificate,
    CheckPassword,
    Malformed,
)
from mailbox_server.auth.scram import derive_keys
from mailbox_server.model.switches import Deed
from mailbox_server.net.tls_ends import TlsEnds
from tests.unit.auth.memory_store import CountedEntropy


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        # RFC 4616 §4.
        (b"\x00tim\x00tanstaaftanstaaf", CheckPassword("tim", "tanstaaftanstaaf", "")),
        (b"Ursel\x00Kurt\x00xipj3plmq", CheckPassword("Kurt", "xipj3plmq", "Ursel")),
        ("\x00ann\x00pä\u200b".encode(), CheckPassword("ann", "pä\u200b", "")),
    ],
)
def test_plain(response: bytes, expected: CheckPassword) -> None:
    assert Plain().receive(response) == expected


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"ann",
        b"\x00",
        b"ann\x00pw",
        b"\x00\x00",
        b"\x00ann\x00",
        b"\x00\x00pw",
        b"\x00ann\x00pw\x00",
        b"\x00" * 100,
        b"\x00ann\x00\xff",
        b"\xff\x00ann\x00pw",
    ],
)
def test_malformed_plain(response: bytes) -> None:
    assert isinstance(Plain().receive(response), Malformed)


def test_login() -> None:
    mechanism = Login()
    assert mechanism.receive(b"ann@example.org") == Challenge(b"Password:")
    assert mechanism.receive(b"secret") == CheckPassword("ann@example.org", "secret", "")


@pytest.mark.parametrize("response", [b"", b"\xff", b"a\x00b"])
def test_malformed_login(response: bytes) -> None:
    assert isinstance(Login().receive(response), Malformed)
    begun = Login()
    begun.receive(b"ann")
    assert isinstance(begun.receive(response), Malformed)


def test_mechanisms_without_keys_refuse_them() -> None:
    keys = derive_keys("x", b"salt")
    assert isinstance(Plain().supply(keys), Malformed)
    assert isinstance(Login().supply(keys), Malformed)


def test_a_password_never_shows_in_a_repr() -> None:
    assert "tanstaaf" not in repr(Plain().receive(b"\x00tim\x00tanstaaf"))


def test_what_is_offered() -> None:
    assert offered_names(Link(is_confidential=True), {}) == (
        "SCRAM-SHA-256",
        "PLAIN",
        "LOGIN",
        "OAUTHBEARER",
        "XOAUTH2",
    )
    assert offered_names(Link(is_confidential=False), {}) == ("SCRAM-SHA-256",)
    bound = Link(is_confidential=True, ends=TlsEnds(b"digest"))
    shown = {"AUTH=SCRAM-SHA-256-PLUS": Deed.SHOW, "AUTH=LOGIN": Deed.HIDE}
    assert offered_names(bound, {})[0] == "SCRAM-SHA-256"
    assert offered_names(bound, shown)[:3] == ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN")
    assert "LOGIN" not in offered_names(bound, shown)
    unbound = Link(is_confidential=True, ends=TlsEnds(None))
    assert "SCRAM-SHA-256-PLUS" not in offered_names(unbound, shown)


def test_every_row_is_found_in_any_case_and_makes_its_mechanism() -> None:
    for row in MECHANISMS:
        assert find_mechanism(row.name.lower()) is row
        made = row.make(CountedEntropy(), Link(is_confidential=True))
        step = made.receive(b"")
        # Only EXTERNAL has something to say with nothing.
        assert step == CheckCertificate("") if row.name == "EXTERNAL" else type(step) is Malformed
        assert row.rfc
    assert find_mechanism("CRAM-MD5") is None
    assert find_mechanism("") is None


@pytest.mark.parametrize("octets", [b"", b"a", b"ab", b"abc", bytes(range(256))])
def test_base_64_comes_back(octets: bytes) -> None:
    assert decode_response(base64.b64encode(octets)) == octets


@pytest.mark.parametrize(
    "line",
    [
        b"=",
        b"=AAA",
        b"AAA=BBB",
        b"AAAA=",
        b"A",
        b"AA",
        b"AAA",
        b"AA=",
        b"AA==AA==",
        b"AA AA",
        b"AAAA\r",
        b"AA\nAA",
        b"*",
        b"A-_A",
        b"\xff\xff\xff\xff",
        b"AA=A",
        b"A" * (RESPONSE_LINE_OCTETS + 4),
    ],
)
def test_what_is_not_base_64(line: bytes) -> None:
    assert decode_response(line) is None


def test_the_longest_line() -> None:
    assert decode_response(b"A" * RESPONSE_LINE_OCTETS) is not None


def test_an_initial_response() -> None:
    assert decode_initial(b"=") == b""
    assert decode_initial(b"") is None
    assert decode_initial(b"AAAA") == b"\0\0\0"
    assert decode_initial(b"==") is None
