"""Certificates are made, served by name, renewed and reloaded without losing the good one."""

import hashlib
import ipaddress
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from mailbox_server.model.address import Domain
from mailbox_server.model.envelope import TlsState
from mailbox_server.net.certificates import (
    LEAF_LIFE,
    IssuedCertificate,
    ensure_server_certificate,
)
from mailbox_server.net.tls import (
    CertificateFiles,
    CertificateUnusable,
    ServerTls,
    describe_tls,
    load_certificate,
)
from mailbox_server.net.tls_ends import describe_ends, end_point_of

NOW = datetime.now(UTC)


class HandClock:
    """A clock that the test turns; begins today, because OpenSSL has its own."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()


def issue(home: Path, *names: str, clock: HandClock | None = None) -> IssuedCertificate:
    domains = [Domain(name) if name.startswith("*") else Domain.parse(name) for name in names]
    ips = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    return ensure_server_certificate(home, domains, ips, clock or HandClock())


def opened(*files: CertificateFiles) -> ServerTls:
    served = ServerTls.open(files)
    assert isinstance(served, ServerTls)
    return served


def shake(
    server: ssl.SSLContext,
    client: ssl.SSLContext,
    name: str | None,
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Do a handshake in memory; the client's side and the server's."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(down, up, server_hostname=name, session=session)
    far = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (near, far):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    near.do_handshake()
    far.do_handshake()
    return near, far


def trusting(issued: IssuedCertificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=issued.authority)


def leaf_names(files: CertificateFiles) -> set[str]:
    leaf = x509.load_pem_x509_certificates(files.chain.read_bytes())[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def test_files_are_private_and_complete(tmp_path: Path) -> None:
    home = tmp_path / "tls"
    issued = issue(home, "mail.example.org", "bücher.example")
    assert issued.renewed
    assert leaf_names(issued.files) == {
        "mail.example.org",
        "xn--bcher-kva.example",
        "127.0.0.1",
        "::1",
    }
    assert {path.name for path in home.iterdir()} == {
        "ca.pem",
        "ca-key.pem",
        "server.pem",
        "server-key.pem",
    }
    for path in home.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    chain = x509.load_pem_x509_certificates(issued.files.chain.read_bytes())
    assert len(chain) == 2
    assert timedelta(0) < chain[0].not_valid_after_utc - NOW <= LEAF_LIFE


@pytest.mark.parametrize("name", ["mail.example.org", "127.0.0.1", "::1"])
def test_a_client_that_has_the_authority_believes_us(tmp_path: Path, name: str) -> None:
    issued = issue(tmp_path, "mail.example.org")
    near, far = shake(opened(issued.files).context, trusting(issued), name)
    assert describe_tls(far) == describe_tls(near)
    assert describe_tls(far) == TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)


def test_long_names_and_addresses_alone(tmp_path: Path) -> None:
    long = ".".join(["a" * 40, "b" * 40, "example"])
    issued = issue(tmp_path / "long", long)
    shake(opened(issued.files).context, trusting(issued), long)
    bare = issue(tmp_path / "bare")
    shake(opened(bare.files).context, trusting(bare), "127.0.0.1")
    with pytest.raises(ValueError, match="a name or an address"):
        ensure_server_certificate(tmp_path, [], [], HandClock())


def test_what_is_good_is_kept(tmp_path: Path) -> None:
    first = issue(tmp_path, "mail.example.org")
    octets = first.files.chain.read_bytes(), first.authority.read_bytes()
    again = issue(tmp_path, "mail.example.org")
    assert not again.renewed
    assert (again.files.chain.read_bytes(), again.authority.read_bytes()) == octets


def test_the_leaf_is_renewed_near_its_end_by_the_same_authority(tmp_path: Path) -> None:
    clock = HandClock()
    first = issue(tmp_path, "mail.example.org", clock=clock)
    authority = first.authority.read_bytes()
    clock.moment += timedelta(days=366)
    assert not issue(tmp_path, "mail.example.org", clock=clock).renewed
    clock.moment += timedelta(days=2)
    assert issue(tmp_path, "mail.example.org", clock=clock).renewed
    assert first.authority.read_bytes() == authority
    clock.moment += timedelta(days=3000)
    assert issue(tmp_path, "mail.example.org", clock=clock).renewed
    assert first.authority.read_bytes() != authority


@pytest.mark.parametrize("damaged", ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem"])
@pytest.mark.parametrize("octets", [b"", b"no certificate", None])
def test_damaged_files_are_made_anew(tmp_path: Path, damaged: str, octets: bytes | None) -> None:
    issue(tmp_path, "mail.example.org")
    if octets is None:
        (tmp_path / damaged).unlink()
    else:
        (tmp_path / damaged).write_bytes(octets)
    issued = issue(tmp_path, "mail.example.org")
    assert issued.renewed
    shake(opened(issued.files).context, trusting(issued), "mail.example.org")


def test_other_names_make_another_leaf(tmp_path: Path) -> None:
    issue(tmp_path, "mail.example.org")
    issued = issue(tmp_path, "mail.example.org", "imap.example.org")
    assert issued.renewed
    assert "imap.example.org" in leaf_names(issued.files)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("one.example", 0),
        ("two.example", 1),
        ("TWO.example", 1),
        ("three.example", 1),
        ("x.wild.example", 2),
        ("wild.example", 0),
        ("unknown.example", 0),
        (None, 0),
    ],
)
def test_each_name_gets_its_certificate(
    tmp_path: Path, asked: str | None, served: int, version: ssl.TLSVersion
) -> None:
    issued = [
        issue(tmp_path / "1", "one.example"),
        issue(tmp_path / "2", "two.example", "three.example"),
        issue(tmp_path / "3", "*.wild.example"),
    ]
    tls = opened(*(one.files for one in issued))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.maximum_version = client.minimum_version = version
    near, far = shake(tls.context, client, asked)
    got = near.getpeercert(binary_form=True)
    assert got is not None
    expected = x509.load_pem_x509_certificate(issued[served].files.chain.read_bytes())
    assert x509.load_der_x509_certificate(got) == expected
    state = describe_tls(far)
    assert state is not None
    assert state.version == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]


def test_old_tls_is_refused(tmp_path: Path) -> None:
    issued = issue(tmp_path, "mail.example.org")
    client = trusting(issued)
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        shake(opened(issued.files).context, client, "mail.example.org")


def test_a_session_is_resumed(tmp_path: Path) -> None:
    issued = issue(tmp_path, "mail.example.org")
    tls, client = opened(issued.files), trusting(issued)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    near, _ = shake(tls.context, client, "mail.example.org")
    again, _ = shake(tls.context, client, "mail.example.org", near.session)
    assert again.session_reused


def test_each_connection_brings_one_ticket(tmp_path: Path) -> None:
    issued = issue(tmp_path, "mail.example.org")
    tls, client, told = opened(issued.files), trusting(issued), []
    client._msg_callback = lambda *given: told.append(given[4].name)  # type: ignore[attr-defined]
    near, far = shake(tls.context, client, "mail.example.org")
    far.write(b"220 ready")
    assert near.read() == b"220 ready"
    assert near.version() == "TLSv1.3"
    assert told.count("NEWSESSION_TICKET") == 1


def test_reload_serves_the_new_and_keeps_the_context(tmp_path: Path) -> None:
    issued = issue(tmp_path, "mail.example.org")
    tls, client = opened(issued.files), trusting(issued)
    context = tls.context
    before, _ = shake(context, client, "mail.example.org")
    issue(tmp_path, "mail.example.org", "new.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(context, client, "new.example")
    assert tls.reload() == ()
    assert tls.context is context
    after, _ = shake(context, client, "new.example")
    assert before.getpeercert(True) != after.getpeercert(True)


def test_a_bad_file_leaves_the_old_certificate_in_service(tmp_path: Path) -> None:
    one, two = issue(tmp_path / "1", "one.example"), issue(tmp_path / "2", "two.example")
    tls, client = opened(one.files, two.files), trusting(one)
    one.files.key.write_bytes(two.files.key.read_bytes())
    troubles = tls.reload()
    assert [trouble.file for trouble in troubles] == [one.files.key]
    shake(tls.context, client, "one.example")
    shake(tls.context, trusting(two), "two.example")
    missing = CertificateFiles(tmp_path / "none.pem", tmp_path / "none-key.pem")
    assert len(tls.reload([missing])) == 1
    shake(tls.context, client, "one.example")
    assert len(tls.reload([two.files, missing])) == 1
    assert [certificate.files for certificate in tls.certificates] == [two.files]


def test_what_is_wrong_is_said_of_the_right_file(tmp_path: Path) -> None:
    good = issue(tmp_path / "1", "one.example").files
    other = issue(tmp_path / "2", "two.example").files
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    empty = tmp_path / "empty.pem"
    empty.touch()
    cases = [
        (CertificateFiles(tmp_path / "gone.pem", good.key), tmp_path / "gone.pem", "No such file"),
        (CertificateFiles(good.chain, tmp_path / "gone.pem"), tmp_path / "gone.pem", "No such"),
        (CertificateFiles(empty, good.key), empty, "no certificate"),
        (CertificateFiles(good.chain, empty), empty, "no private key"),
        (CertificateFiles(good.chain, locked), locked, "passphrase"),
        (CertificateFiles(good.chain, other.key), other.key, "not the key"),
        (CertificateFiles(good.chain, tmp_path), tmp_path, "directory"),
    ]
    for files, file, words in cases:
        trouble = load_certificate(files)
        assert isinstance(trouble, CertificateUnusable)
        assert trouble.file == file
        assert words in trouble.reason
        assert str(file) in str(trouble)
        assert ServerTls.open([good, files]) == trouble


def test_no_session_no_description() -> None:
    assert describe_tls(None) is None


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [(hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384"), (hashes.SHA512(), "sha512")],
)
def test_the_end_point_is_the_digest_by_the_signatures_own_hash(
    algorithm: hashes.HashAlgorithm, digest: str
) -> None:
    certificate = _self_signed(ec.generate_private_key(ec.SECP256R1()), algorithm)
    octets = certificate.public_bytes(serialization.Encoding.DER)
    assert end_point_of(certificate) == hashlib.new(digest, octets).digest()


def test_a_signature_without_a_hash_of_its_own_has_no_end_point() -> None:
    # RFC 5929 §4.1 leaves it undefined.
    assert end_point_of(_self_signed(ed25519.Ed25519PrivateKey.generate(), None)) is None


def test_only_a_finished_handshake_has_ends() -> None:
    assert describe_ends(None) is None


def _self_signed(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    algorithm: hashes.HashAlgorithm | None,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key, algorithm)  # type: ignore[arg-type]
    )
