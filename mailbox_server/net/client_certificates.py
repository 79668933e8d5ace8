"""Which client certificates a handshake takes, and what one says of its holder (RFC 8446 §4.3.2).

A client is asked and need not have one.  OpenSSL ends the handshake of a client that shows one
which is not trusted, and Python gives nobody a say in that; so certificates that belong to no
authority are trusted one by one, each as its own root (partial chains), before they are shown.
"""

import enum
import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509

MOST_OCTETS: Final = 16 * 1024
"""The longest certificate that is registered."""
MOST_ADDRESSES: Final = 20
"""So many of a certificate's addresses are looked at."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What a client proved to hold the key of.

    fingerprint: SHA-256 of the certificate as DER.
    addresses: the rfc822Names that an authority vouches for; none of one registered alone,
        which may say what it likes.
    expires: when it was good last, None where that cannot be read.  A handshake that resumes
        an older session does not look at that again.
    """

    fingerprint: bytes
    addresses: tuple[str, ...] = ()
    expires: datetime | None = None


class Vouching(enum.Enum):
    """What stands for the certificates that are taken."""

    REGISTRATION = "each is registered with the account it logs in to"
    AUTHORITY = "an authority has issued them"


class ClientTrust:
    """Whom the handshakes of one process trust.

    vouching: see Vouching; both never go together, for then nothing would tell which of them
        let a certificate in.
    """

    def __init__(self, vouching: Vouching, certificates: Sequence[bytes]) -> None:
        """certificates: as DER, of the authorities or those registered so far."""
        self.vouching = vouching
        self._certificates = list(certificates)

    def ask_in(self, context: ssl.SSLContext) -> None:
        """Have a context ask for certificates and take those trusted.  Raises ssl.SSLError."""
        context.verify_mode = ssl.CERT_OPTIONAL
        if self.vouching is Vouching.REGISTRATION:
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        for certificate in self._certificates:
            context.load_verify_locations(cadata=certificate)

    def add(self, certificate: bytes, contexts: Sequence[ssl.SSLContext]) -> None:
        """Trust one more from now on, in contexts that ask already too.

        Nothing ends that trust before the process does; whether a certificate may log in is
        looked up at each login.
        """
        if self.vouching is Vouching.REGISTRATION and certificate not in self._certificates:
            for context in contexts:
                context.load_verify_locations(cadata=certificate)
            self._certificates.append(certificate)


def fingerprint_of(certificate: bytes) -> bytes:
    """SHA-256 of a certificate as DER."""
    return hashlib.sha256(certificate).digest()


def client_certificate(octets: bytes, vouching: Vouching) -> ClientCertificate:
    """What a certificate says that a handshake has verified."""
    addresses = addresses_in(octets) if vouching is Vouching.AUTHORITY else ()
    return ClientCertificate(fingerprint_of(octets), addresses, _expiry_of(octets))


def _expiry_of(octets: bytes) -> datetime | None:
    try:
        return x509.load_der_x509_certificate(octets).not_valid_after_utc
    except ValueError:
        # OpenSSL takes what this library finds malformed.
        return None


def addresses_in(octets: bytes) -> tuple[str, ...]:
    """The rfc822Names of a certificate as DER; none where they cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(octets)
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return tuple(extension.value.get_values_for_type(x509.RFC822Name)[:MOST_ADDRESSES])
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        # OpenSSL takes what this library finds malformed; it names nobody then.
        return ()


def is_acceptable(certificate: bytes) -> bool:
    """Whether OpenSSL can trust a certificate as DER at all."""
    try:
        ClientTrust(Vouching.REGISTRATION, [certificate]).ask_in(
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        )
    except (ssl.SSLError, ValueError):
        return False
    return True
