"""Handshakes ask for a client's certificate where there is a trust, and say what it proved."""

import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailbox_server.net.client_certificates import (
    MOST_ADDRESSES,
    ClientCertificate,
    ClientTrust,
    Vouching,
    addresses_in,
    is_acceptable,
)
from mailbox_server.net.tls import (
    CertificateFiles,
    CertificateUnusable,
    ServerTls,
    load_authorities,
)
from mailbox_server.net.tls_ends import describe_ends
from tests.unit.net.test_tls import issue, shake

NOW = datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Holder:
    """A certificate with its key, in one PEM file."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    file: Path

    @property
    def octets(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


def holder(
    place: Path,
    name: str,
    addresses: Sequence[str] = (),
    issuer: "Holder | None" = None,
    ends: datetime = NOW + timedelta(days=30),
) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if addresses:
        names = x509.SubjectAlternativeName([x509.RFC822Name(text) for text in addresses])
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(key if issuer is None else issuer.key, hashes.SHA256())
    file = place / f"{name}.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Holder(certificate, key, file)


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return issue(tmp_path / "tls", "mail.example.org").files


def opened(files: CertificateFiles, trust: ClientTrust | None) -> ServerTls:
    served = ServerTls.open([files], trust)
    assert isinstance(served, ServerTls)
    return served


def client(
    files: CertificateFiles, shown: Holder | None, version: ssl.TLSVersion
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(files.chain.parent / "ca.pem"))
    context.minimum_version = context.maximum_version = version
    if shown is not None:
        context.load_cert_chain(shown.file)
    return context


def proved(
    server: ssl.SSLContext, files: CertificateFiles, shown: Holder | None, version: ssl.TLSVersion
) -> ClientCertificate | None:
    """What the server's side knows after a handshake with its first octets."""
    near, far = shake(server, client(files, shown, version), "mail.example.org")
    assert near.version() == far.version()
    ends = describe_ends(far)
    assert ends is not None
    return ends.certificate


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@VERSIONS
def test_a_registered_one_says_what_it_likes_and_only_its_fingerprint_counts(
    tmp_path: Path, files: CertificateFiles, version: ssl.TLSVersion
) -> None:
    ann = holder(tmp_path, "ann", ["bob@example.org"])
    tls = opened(files, ClientTrust(Vouching.REGISTRATION, [ann.octets]))
    fingerprint = hashlib.sha256(ann.octets).digest()
    expected = ClientCertificate(fingerprint, (), ann.certificate.not_valid_after_utc)
    assert proved(tls.login_context, files, ann, version) == expected
    assert proved(tls.login_context, files, None, version) is None


@VERSIONS
def test_one_registered_later_is_taken_from_then_on_and_after_a_reload(
    tmp_path: Path, files: CertificateFiles, version: ssl.TLSVersion
) -> None:
    ann = holder(tmp_path, "ann")
    tls = opened(files, ClientTrust(Vouching.REGISTRATION, []))
    with pytest.raises(ssl.SSLError):
        proved(tls.login_context, files, ann, version)
    tls.take_from_clients(ann.octets)
    tls.take_from_clients(ann.octets)
    assert proved(tls.login_context, files, ann, version) is not None
    assert tls.reload() == ()
    assert proved(tls.login_context, files, ann, version) is not None


@VERSIONS
def test_issued_ones_name_addresses(
    tmp_path: Path, files: CertificateFiles, version: ssl.TLSVersion
) -> None:
    root = holder(tmp_path, "root")
    trust = load_authorities(root.file)
    assert isinstance(trust, ClientTrust)
    tls = opened(files, trust)
    ann = holder(tmp_path, "ann", ["ann@example.org", "a@example.org"], root)
    shown = proved(tls.login_context, files, ann, version)
    assert shown is not None
    assert shown.addresses == ("ann@example.org", "a@example.org")


@VERSIONS
@pytest.mark.parametrize("what", ["another authority's", "self-signed", "expired", "registered"])
def test_what_is_not_trusted_cannot_connect(
    tmp_path: Path, files: CertificateFiles, version: ssl.TLSVersion, what: str
) -> None:
    root = holder(tmp_path, "root")
    shown = {
        "another authority's": lambda: holder(tmp_path, "x", [], holder(tmp_path, "other")),
        "self-signed": lambda: holder(tmp_path, "x"),
        "expired": lambda: holder(tmp_path, "x", [], root, NOW - timedelta(days=1)),
        "registered": lambda: holder(tmp_path, "x"),
    }[what]()
    tls = opened(files, ClientTrust(Vouching.AUTHORITY, [root.octets]))
    if what == "registered":
        # Beside an authority it would not be known who vouched.
        tls.take_from_clients(shown.octets)
    with pytest.raises(ssl.SSLError):
        proved(tls.login_context, files, shown, version)
    # Other mail servers are not asked.
    assert proved(tls.context, files, shown, version) is None


@VERSIONS
def test_a_registered_one_cannot_vouch_for_another(
    tmp_path: Path, files: CertificateFiles, version: ssl.TLSVersion
) -> None:
    ann = holder(tmp_path, "ann")
    forged = holder(tmp_path, "forged", ["bob@example.org"], ann)
    tls = opened(files, ClientTrust(Vouching.REGISTRATION, [ann.octets]))
    shown = proved(tls.login_context, files, forged, version)
    # OpenSSL lets it through; it proves nothing but itself, and is registered with nobody.
    ends = forged.certificate.not_valid_after_utc
    assert shown == ClientCertificate(hashlib.sha256(forged.octets).digest(), (), ends)


def test_a_resumed_session_knows_the_certificate(tmp_path: Path, files: CertificateFiles) -> None:
    ann = holder(tmp_path, "ann")
    tls = opened(files, ClientTrust(Vouching.REGISTRATION, [ann.octets]))
    near_context = client(files, ann, ssl.TLSVersion.TLSv1_2)
    near, far = shake(tls.login_context, near_context, "mail.example.org")
    again, resumed = shake(tls.login_context, near_context, "mail.example.org", near.session)
    assert again.session_reused
    ends = describe_ends(resumed)
    assert ends == describe_ends(far)
    assert ends is not None and ends.certificate is not None
    assert ends.certificate.expires == ann.certificate.not_valid_after_utc


def test_without_a_trust_both_contexts_are_one(files: CertificateFiles) -> None:
    tls = opened(files, None)
    assert tls.login_context is tls.context
    tls.take_from_clients(b"whatever")


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "PEM"), (b"x" * 100, "PEM"), (None, "No such")]
)
def test_files_without_authorities(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    unusable = load_authorities(file)
    assert isinstance(unusable, CertificateUnusable)
    assert reason in str(unusable)


def test_few_of_many_addresses_are_looked_at(tmp_path: Path) -> None:
    many = holder(tmp_path, "many", [f"a{n}@example.org" for n in range(1_000)])
    assert len(addresses_in(many.octets)) == MOST_ADDRESSES
    assert addresses_in(holder(tmp_path, "none").octets) == ()
    assert addresses_in(b"no certificate") == ()


def test_only_certificates_are_acceptable(tmp_path: Path) -> None:
    good = holder(tmp_path, "good").octets
    assert is_acceptable(good)
    for octets in (b"", b"x", good[:-1], good[: len(good) // 2]):
        assert not is_acceptable(octets)
