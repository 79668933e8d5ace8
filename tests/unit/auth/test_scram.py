"""SCRAM-SHA-256: the RFC's own exchange, another implementation, and everything malformed."""

import base64

import pytest
import scramp

from mailbox_server.auth.sasl_steps import Challenge, Malformed, NeedKeys, Proven
from mailbox_server.auth.scram import ITERATIONS, ScramSha256, derive_keys, fake_keys
from tests.unit.auth.memory_store import CountedEntropy

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SERVER_PART = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"


def begin(entropy: object | None = None) -> tuple[ScramSha256, bytes]:
    scram = ScramSha256(entropy or CountedEntropy())  # type: ignore[arg-type]
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
    scram = ScramSha256(CountedEntropy())
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
    server = ScramSha256(CountedEntropy())
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
    server = ScramSha256(CountedEntropy())
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
    step = ScramSha256(CountedEntropy()).receive(flag + b",a=bob,n=ann,r=abc")
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
    assert isinstance(ScramSha256(CountedEntropy()).receive(first), Malformed)


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
    one = ScramSha256(entropy)
    client_first = client.get_client_first().encode()
    one.receive(client_first)
    first = one.supply(keys)
    assert isinstance(first, Challenge)
    client.set_server_first(first.octets.decode())
    final = client.get_client_final().encode()
    assert isinstance(one.receive(final), Challenge)
    other = ScramSha256(entropy)
    other.receive(client_first)
    other.supply(keys)
    assert isinstance(other.receive(final), Malformed)


def test_data_after_our_proof_is_refused() -> None:
    client = scramp.ScramClient(["SCRAM-SHA-256"], "user", "pencil")
    scram = ScramSha256(CountedEntropy())
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
