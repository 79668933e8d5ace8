"""SCRAM-SHA-256: the RFC's own exchange, another implementation, and everything malformed."""

import base64
from dataclasses import replace

import pytest
import scramp

from mailbox_server.auth.link import Link
from mailbox_server.auth.sasl_steps import Challenge, Malformed, NeedKeys, Proven
from mailbox_server.auth.scram import ITERATIONS, ScramSha256, derive_keys, fake_keys
from mailbox_server.net.tls_ends import TlsEnds
from tests.unit.auth.memory_store import CountedEntropy

OPEN = Link(is_confidential=False)
END_POINT = b"the digest of a certificate"
BOUND = Link(is_confidential=True, ends=TlsEnds(END_POINT), shows_binding=True)
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SERVER_PART = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"


def begin(entropy: object | None = None) -> tuple[ScramSha256, bytes]:
    scram = ScramSha256(entropy or CountedEntropy(), OPEN)  # type: ignore[arg-type]
    assert scram.receive(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == NeedKeys("user", "")
    challenge = scram.supply(derive_keys("pencil", SALT))
    assert isinstance(challenge, Challenge)
    return scram, challenge.octets


def test_the_keys_of_rfc_7677() -> None:
    # RFC 7677 §3: the proof and the server's signature follow from these keys.
    keys = derive_keys("pencil", SALT, 4_096)
    client_first = b"n=user,r=rOprNGfwEbeRWgbNEkqO"
    nonce = b"rOprNGfwEbeRWgbNEkqO" + SERVER_PART.encode()
    server_first = b"r=" + nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    scram = ScramSha256(CountedEntropy(), OPEN)
    scram.receive(b"n,," + client_first)
    scram.supply(keys)
    # The RFC's server nonce is put in by hand; nothing else is touched.
    scram._nonce, scram._server_first = nonce, server_first
    answer = scram.receive(
        b"c=biws,r=" + nonce + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert answer == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert scram.receive(b"") == Proven("user", "", matches=True)


@pytest.mark.parametrize("password", ["pencil", "p\u00a0en", "I\u00adX", "\u2168\u00e9"])
def test_another_implementation_gets_in(password: str) -> None:
    client = scramp.ScramClient(["SCRAM-SHA-256"], "ann,o=x", password)
    server = ScramSha256(CountedEntropy(), OPEN)
    assert server.receive(client.get_client_first().encode()) == NeedKeys("ann,o=x", "")
    first = server.supply(derive_keys(password, b"0123456789abcdef"))
    assert isinstance(first, Challenge)
    client.set_server_first(first.octets.decode())
    final = server.receive(client.get_client_final().encode())
    assert isinstance(final, Challenge)
    client.set_server_final(final.octets.decode())
    assert server.receive(b"") == Proven("ann,o=x", "", matches=True)


def test_a_wrong_password_is_told_without_our_proof() -> None:
    client = scramp.ScramClient(["SCRAM-SHA-256"], "ann", "wrong")
    server = ScramSha256(CountedEntropy(), OPEN)
    server.receive(client.get_client_first().encode())
    first = server.supply(derive_keys("right", b"0123456789abcdef"))
    assert isinstance(first, Challenge)
    client.set_server_first(first.octets.decode())
    assert server.receive(client.get_client_final().encode()) == Proven("ann", "", matches=False)


def test_the_iteration_count_is_ours() -> None:
    _, first = begin()
    assert first.endswith(b",i=%d" % ITERATIONS)
    assert first.startswith(b"r=rOprNGfwEbeRWgbNEkqO")


@pytest.mark.parametrize("flag", [b"n", b"y"])
def test_both_flags_of_clients_without_binding_are_right(flag: bytes) -> None:
    step = ScramSha256(CountedEntropy(), OPEN).receive(flag + b",a=bob,n=ann,r=abc")
    assert step == NeedKeys("ann", "bob")


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n",
        b"n,,",
        b"n,,n=ann",
        b"n,,r=abc,n=ann",
        b"n,,n=,r=abc",
        b"n,,n=ann,r=",
        b"n,,n=ann,r=a\x00b",
        b"n,,n=a\x00n,r=abc",
        b"n,,n=a=20,r=abc",
        b"n,,n=a=,r=abc",
        b"n,,m=ext,n=ann,r=abc",
        b"n,,n=\xff\xfe,r=abc",
        b"n,a=,n=ann,r=abc",
        b"p=tls-unique,,n=ann,r=abc",
        b"p=tls-server-end-point,,n=ann,r=abc",
        b"p,,n=ann,r=abc",
        b"N,,n=ann,r=abc",
        b"n,,n=ann,r=" + b"a" * 1_025,
        b"n,,n=ann,r=abc\r\n",
    ],
)
def test_a_malformed_first_message(first: bytes) -> None:
    assert isinstance(ScramSha256(CountedEntropy(), OPEN).receive(first), Malformed)


PROOF = base64.b64encode(b"\x00" * 32)


def finals(nonce: bytes) -> list[bytes]:
    return [
        b"",
        b"c=biws",
        b"c=biws,r=" + nonce,
        b"r=" + nonce + b",c=biws,p=" + PROOF,
        b"c=eSws,r=" + nonce + b",p=" + PROOF,
        b"c=bi!ws,r=" + nonce + b",p=" + PROOF,
        b"c=biws,r=" + nonce + b"x,p=" + PROOF,
        b"c=biws,r=" + nonce[:-1] + b",p=" + PROOF,
        b"c=biws,r=other,p=" + PROOF,
        b"c=biws,r=" + nonce + b",p=" + PROOF[:-4],
        b"c=biws,r=" + nonce + b",p==" + PROOF,
        b"c=biws,r=" + nonce + b",p=" + PROOF + b"AAAA",
        b"c=biws,r=" + nonce + b",i=1,p=" + PROOF + b",x=1",
    ]


@pytest.mark.parametrize("number", range(13))
def test_a_malformed_final_message(number: int) -> None:
    scram, first = begin()
    nonce = first.split(b",")[0][2:]
    assert isinstance(scram.receive(finals(nonce)[number]), Malformed)


def test_extensions_in_the_final_message_are_covered_by_the_proof() -> None:
    scram, first = begin()
    nonce = first.split(b",")[0][2:]
    step = scram.receive(b"c=biws,r=" + nonce + b",i=1,p=" + PROOF)
    assert step == Proven("user", "", matches=False)


def test_a_final_message_cannot_be_replayed_into_a_second_exchange() -> None:
    client = scramp.ScramClient(["SCRAM-SHA-256"], "user", "pencil")
    entropy = CountedEntropy()
    keys = derive_keys("pencil", SALT)
    one = ScramSha256(entropy, OPEN)
    client_first = client.get_client_first().encode()
    one.receive(client_first)
    first = one.supply(keys)
    assert isinstance(first, Challenge)
    client.set_server_first(first.octets.decode())
    final = client.get_client_final().encode()
    assert isinstance(one.receive(final), Challenge)
    other = ScramSha256(entropy, OPEN)
    other.receive(client_first)
    other.supply(keys)
    assert isinstance(other.receive(final), Malformed)


def test_data_after_our_proof_is_refused() -> None:
    client = scramp.ScramClient(["SCRAM-SHA-256"], "user", "pencil")
    scram = ScramSha256(CountedEntropy(), OPEN)
    scram.receive(client.get_client_first().encode())
    first = scram.supply(derive_keys("pencil", SALT))
    assert isinstance(first, Challenge)
    client.set_server_first(first.octets.decode())
    scram.receive(client.get_client_final().encode())
    assert isinstance(scram.receive(b"more"), Malformed)


def test_fake_keys_stay_the_same_and_differ_by_login() -> None:
    assert fake_keys("a@x", b"secret") == fake_keys("a@x", b"secret")
    assert fake_keys("a@x", b"secret").salt != fake_keys("b@x", b"secret").salt
    assert fake_keys("a@x", b"secret").salt != fake_keys("a@x", b"other").salt
    assert len(fake_keys("a@x", b"secret").salt) == 16
    assert fake_keys("\ud800", b"secret").iterations == ITERATIONS


def bound_exchange(data: bytes, password: str = "pencil", link: Link = BOUND) -> object:
    client = scramp.ScramClient(
        ["SCRAM-SHA-256-PLUS"], "ann", password, channel_binding=("tls-server-end-point", data)
    )
    server = ScramSha256(CountedEntropy(), link, binds=True)
    assert server.receive(client.get_client_first().encode()) == NeedKeys("ann", "")
    first = server.supply(derive_keys("pencil", SALT))
    assert isinstance(first, Challenge)
    client.set_server_first(first.octets.decode())
    final = server.receive(client.get_client_final().encode())
    if not isinstance(final, Challenge):
        return final
    client.set_server_final(final.octets.decode())
    return server.receive(b"")


def test_another_implementation_binds_to_the_channel() -> None:
    assert bound_exchange(END_POINT) == Proven("ann", "", matches=True)


@pytest.mark.parametrize("data", [b"another certificate", END_POINT + b"x", END_POINT[:-1]])
def test_who_is_bound_to_another_channel_is_as_wrong_as_a_password(data: bytes) -> None:
    assert bound_exchange(data) == Proven("ann", "", matches=False)
    assert bound_exchange(END_POINT, "wrong") == Proven("ann", "", matches=False)


@pytest.mark.parametrize(
    "flag", [b"n", b"y", b"p=tls-unique", b"p=tls-exporter", b"p=TLS-SERVER-END-POINT", b"p="]
)
def test_the_mechanism_that_binds_takes_nothing_else(flag: bytes) -> None:
    server = ScramSha256(CountedEntropy(), BOUND, binds=True)
    assert isinstance(server.receive(flag + b",,n=ann,r=abc"), Malformed)


def test_who_was_shown_another_list_is_refused() -> None:
    # RFC 5802 §6: y says that we cannot bind, and we said that we can.
    server = ScramSha256(CountedEntropy(), BOUND)
    assert isinstance(server.receive(b"y,,n=ann,r=abc"), Malformed)
    assert ScramSha256(CountedEntropy(), BOUND).receive(b"n,,n=ann,r=abc") == NeedKeys("ann", "")
    hidden = replace(BOUND, shows_binding=False)
    assert ScramSha256(CountedEntropy(), hidden).receive(b"y,,n=ann,r=abc") == NeedKeys("ann", "")


def test_binding_data_has_no_place_in_the_mechanism_without() -> None:
    scram, first = begin()
    nonce = first.split(b",")[0][2:]
    bound = base64.b64encode(b"n,," + END_POINT)
    assert isinstance(scram.receive(b"c=" + bound + b",r=" + nonce + b",p=" + PROOF), Malformed)
