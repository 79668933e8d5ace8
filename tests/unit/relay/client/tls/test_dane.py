"""Paths to an anchor that a TLSA record names, made to be refused mostly."""

import hashlib
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailbox_server.model.tls_demand import Association, TlsFault
from mailbox_server.relay.client.tls import dane
from mailbox_server.relay.client.tls.dane import check_dane, is_usable
from tests.issued import NOW, Issued, PrivateKey, issue

NAMES = ("mx.example.net",)
ROOT = issue("root", authority=True)
BETWEEN = issue("between", ROOT, authority=True)
LEAF = issue("leaf", BETWEEN, names=NAMES)


def anchored_at(issued: Issued) -> Association:
    return Association(2, 1, 1, hashlib.sha256(issued.spki).digest())


def fault_of(
    chain: list[x509.Certificate], *associations: Association, days: int = 0
) -> TlsFault | None:
    return check_dane(chain, associations, NAMES, NOW + timedelta(days=days))[0]


def test_the_order_of_the_chain_does_not_matter() -> None:
    leaf, between, root = LEAF.chain
    other = issue("other", authority=True).certificate
    for chain in ([leaf, between, root], [leaf, root, between], [leaf, other, between, root]):
        assert fault_of(chain, anchored_at(ROOT)) is None
        assert fault_of(chain, anchored_at(BETWEEN)) is None


def test_an_anchor_that_is_shown_and_has_signed_nothing() -> None:
    stranger = issue("stranger", authority=True)
    chain = [*LEAF.chain, stranger.certificate]
    assert fault_of(chain, anchored_at(stranger)) is TlsFault.CERTIFICATE_NOT_TRUSTED
    # One of the right name that signed with another key.
    double = issue("between", ROOT, authority=True)
    chain = [LEAF.certificate, double.certificate, ROOT.certificate]
    assert fault_of(chain, anchored_at(double)) is TlsFault.CERTIFICATE_NOT_TRUSTED


def test_the_leaf_is_no_anchor() -> None:
    alone = issue("alone", names=NAMES)
    assert fault_of(alone.chain, anchored_at(alone)) is TlsFault.CERTIFICATE_NOT_TRUSTED
    assert fault_of(LEAF.chain, anchored_at(LEAF)) is TlsFault.CERTIFICATE_NOT_TRUSTED


def test_who_may_not_sign_does_not() -> None:
    server = issue("server", ROOT, names=("other.example.net",))
    forged = issue("forged", server, names=NAMES)
    assert fault_of(forged.chain, anchored_at(ROOT)) is TlsFault.CERTIFICATE_NOT_TRUSTED
    # It may where the record names it: whoever published that meant it.
    assert fault_of(forged.chain, anchored_at(server)) is None


def test_path_lengths() -> None:
    short = issue("short", ROOT, authority=True, path_length=0)
    below = issue("below", short, authority=True)
    leaf = issue("leaf", below, names=NAMES)
    assert fault_of(leaf.chain, anchored_at(ROOT)) is TlsFault.CERTIFICATE_NOT_TRUSTED
    assert fault_of(issue("leaf", short, names=NAMES).chain, anchored_at(ROOT)) is None


@pytest.mark.parametrize("days", [-2, 31])
def test_dates_of_every_certificate_on_the_path(days: int) -> None:
    assert fault_of(LEAF.chain, anchored_at(ROOT), days=days) is TlsFault.CERTIFICATE_EXPIRED
    whole = Association(2, 0, 0, BETWEEN.der)
    assert fault_of(LEAF.chain[:1], whole, days=days) is TlsFault.CERTIFICATE_EXPIRED
    key = Association(2, 1, 0, BETWEEN.spki)
    assert fault_of(LEAF.chain[:1], key, days=days) is TlsFault.CERTIFICATE_EXPIRED


def test_certificates_that_sign_each_other() -> None:
    """No path goes on for ever: each certificate is used once."""
    assert fault_of(LEAF.chain * 3, anchored_at(issue("x", authority=True))) is not None


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["rsa", "ec", "ed25519"],
)
def test_bare_keys_of_every_kind(key: PrivateKey) -> None:
    """RFC 7671 §5.2.1: no certificate of the anchor is to be had, only what it signed."""
    anchor = issue("anchor", authority=True, key=key)
    leaf = issue("leaf", anchor, names=NAMES)
    assert fault_of([leaf.certificate], Association(2, 1, 0, anchor.spki)) is None
    other = issue("anchor", authority=True)
    fault = fault_of([leaf.certificate], Association(2, 1, 0, other.spki))
    assert fault is TlsFault.CERTIFICATE_NOT_TRUSTED


def verified(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The signatures that are verified, as they are."""
    tried: list[object] = []
    verify = dane._is_signed_by

    def signed(certificate: x509.Certificate, key: object) -> bool:
        tried.append(key)
        return verify(certificate, key)  # type: ignore[arg-type]

    monkeypatch.setattr(dane, "_is_signed_by", signed)
    return tried


def bare(key: PrivateKey | rsa.RSAPublicKey) -> Association:
    public = key if isinstance(key, rsa.RSAPublicKey) else key.public_key()
    octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Association(2, 1, 0, octets)


def test_keys_without_end_cost_no_time_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = verified(monkeypatch)
    strangers = [bare(ec.generate_private_key(ec.SECP256R1())) for _ in range(50)]
    assert fault_of(LEAF.chain, *strangers) is TlsFault.CERTIFICATE_NOT_TRUSTED
    assert len(tried) <= 30
    # Where there are so many, the one that counts may stand first.
    assert fault_of(LEAF.chain, bare(ROOT.key), *strangers[:20]) is None


@pytest.mark.parametrize(
    ("exponent", "bits"),
    [(65_537, 16_384), ((1 << 3_070) + 1, 3_072)],
    ids=["many bits", "a large exponent"],
)
def test_a_key_of_which_verifying_takes_long_is_no_anchor(
    exponent: int, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = verified(monkeypatch)
    huge = rsa.RSAPublicNumbers(exponent, (1 << bits - 1) + 1).public_key()
    assert fault_of(LEAF.chain, bare(huge)) is TlsFault.CERTIFICATE_NOT_TRUSTED
    assert tried == []


def test_no_chain_at_all() -> None:
    assert fault_of([], anchored_at(ROOT)) is TlsFault.VALIDATION_FAILURE


def test_one_good_record_is_enough() -> None:
    records = [Association(3, 1, 1, bytes(32)), Association(9, 9, 9, b""), anchored_at(ROOT)]
    assert fault_of(LEAF.chain, *records) is None
    assert [is_usable(one) for one in records] == [True, False, True]
