"""Our own certificate authority, for try mode and for machines that have no other yet.

Four files in one folder: `ca.pem` and `ca-key.pem`, valid ten years, made once, which
people may import into their mail programs; `server.pem` (leaf, then the authority) and
`server-key.pem`, renewed here when their end is near or the names change.
Keys are ECDSA P-256, files of mode 0600 that are written aside and renamed.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailbox_server.model.address import Domain, IpAddress
from mailbox_server.model.ports import Clock
from mailbox_server.net.tls import CertificateFiles

AUTHORITY_LIFE: Final = timedelta(days=3650)
LEAF_LIFE: Final = timedelta(days=397)
RENEW_BEFORE_END: Final = timedelta(days=30)
_CLOCK_SKEW: Final = timedelta(hours=1)
_COMMON_NAME_OCTETS: Final = 64


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """What ensure_server_certificate leaves behind.

    authority: the file that clients need in order to trust us.
    renewed: whether the leaf was made just now.
    """

    files: CertificateFiles
    authority: Path
    renewed: bool


@dataclass(frozen=True, slots=True)
class _KeyPair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure_server_certificate(
    home: Path, names: Sequence[Domain], ips: Sequence[IpAddress], clock: Clock
) -> IssuedCertificate:
    """Make or renew our own server certificate for names and ips in the folder home.

    Costs some milliseconds of CPU and disk.  What is there and still good is kept; files
    that cannot be understood are made anew.  Raises OSError where home cannot be written,
    ValueError where there is neither a name nor an address.
    """
    if not names and not ips:
        raise ValueError("a server certificate needs a name or an address")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = clock.now().replace(microsecond=0)
    files = CertificateFiles(home / "server.pem", home / "server-key.pem")
    authority_file = home / "ca.pem"
    authority = _load(authority_file, home / "ca-key.pem")
    # An authority that ends before a leaf issued now would break the chain early.
    if authority is None or authority.certificate.not_valid_after_utc < now + LEAF_LIFE:
        authority = _make_authority(now)
        _save(home / "ca-key.pem", _key_pem(authority.key))
        _save(authority_file, _certificate_pem(authority.certificate))
    leaf = _load(files.chain, files.key)
    if leaf is not None and _still_good(leaf.certificate, authority, names, ips, now):
        return IssuedCertificate(files, authority_file, renewed=False)
    leaf = _make_leaf(authority, names, ips, now)
    # Key first: a crash between the two leaves a pair that does not match, and _load
    # then has both made anew.
    _save(files.key, _key_pem(leaf.key))
    _save(files.chain, _certificate_pem(leaf.certificate) + _certificate_pem(authority.certificate))
    return IssuedCertificate(files, authority_file, renewed=True)


def _alternative_names(names: Sequence[Domain], ips: Sequence[IpAddress]) -> list[x509.GeneralName]:
    return [x509.DNSName(name.ascii) for name in names] + [x509.IPAddress(ip) for ip in ips]


def _still_good(
    leaf: x509.Certificate,
    authority: _KeyPair,
    names: Sequence[Domain],
    ips: Sequence[IpAddress],
    now: datetime,
) -> bool:
    try:
        leaf.verify_directly_issued_by(authority.certificate)
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except Exception:  # each way in which a foreign or damaged leaf fails means: make a new one
        return False
    return (
        set(extension.value) == set(_alternative_names(names, ips))
        and leaf.not_valid_before_utc <= now
        and leaf.not_valid_after_utc - now > RENEW_BEFORE_END
    )


def _make_authority(now: datetime) -> _KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # A name of its own for each authority, or clients that trust two would mix them up.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "mailbox-server"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"mailbox-server own CA {serial:040x}"[:40]),
        ]
    )
    public = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(public, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _KeyPair(certificate, key)


def _make_leaf(
    authority: _KeyPair, names: Sequence[Domain], ips: Sequence[IpAddress], now: datetime
) -> _KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    shown = names[0].ascii if names else str(ips[0])
    # Longer than 64 octets is no common name (RFC 5280 §A.1); the SAN counts anyway.
    subject = (
        [x509.NameAttribute(NameOID.COMMON_NAME, shown)]
        if len(shown) <= _COMMON_NAME_OCTETS
        else []
    )
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName(_alternative_names(names, ips)), critical=not subject
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return _KeyPair(certificate, key)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _load(chain: Path, key: Path) -> _KeyPair | None:
    """Read a pair of ours; None when it is missing, foreign, or does not match."""
    try:
        certificate = x509.load_pem_x509_certificate(chain.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return None
    if private.public_key() != certificate.public_key():
        return None
    return _KeyPair(certificate, private)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _save(path: Path, octets: bytes) -> None:
    """Put octets at path, whole or not at all, readable by the owner only."""
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    # O_EXCL with the mode given here: the key is never readable by others, not for a moment.
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(octets)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, path)
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
