"""Certificates made for one test: an authority, and what it signs."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC)

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate, its key, and those that signed it, the nearest first."""

    certificate: x509.Certificate
    key: PrivateKey
    above: tuple["Issued", ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def spki(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def chain(self) -> list[x509.Certificate]:
        return [self.certificate, *(one.certificate for one in self.above)]

    def file(self, folder: Path, *, shows: int | None = None) -> Path:
        """A file of the chain and the key; shows: only so many certificates of the chain."""
        shown = self.chain if shows is None else self.chain[:shows]
        file = folder / f"{self.certificate.serial_number}-{len(shown)}.pem"
        file.write_bytes(
            b"".join(one.public_bytes(Encoding.PEM) for one in shown)
            + self.key.private_bytes(
                Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return file

    def context(self, folder: Path, *, shows: int | None = None) -> ssl.SSLContext:
        """A server's context that shows what `file` says."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file(folder, shows=shows))
        return context


def issue(
    name: str,
    by: Issued | None = None,
    *,
    names: tuple[str, ...] = (),
    authority: bool = False,
    path_length: int | None = None,
    key: PrivateKey | None = None,
    begins: datetime = NOW - timedelta(days=1),
    ends: datetime = NOW + timedelta(days=30),
) -> Issued:
    """Make a certificate; by None: signed by itself.  names: its DNS names."""
    if key is None:
        key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(authority, path_length), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
        builder = builder.add_extension(alternatives, critical=False)
    signer = key if by is None else by.key
    has_own_hash = isinstance(signer, ed25519.Ed25519PrivateKey)
    made = builder.sign(signer, None if has_own_hash else hashes.SHA256())
    return Issued(made, key, () if by is None else (by, *by.above))
