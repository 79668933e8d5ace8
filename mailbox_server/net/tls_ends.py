"""What a TLS connection says of its two ends, for logins that rest on it.

Of our end: the channel binding tls-server-end-point (RFC 5929 §4).  The other bindings cannot
be had: Python's ssl gives no keying material out, so there is no tls-exporter (RFC 9266), and
tls-unique does not exist in TLS 1.3.
"""

import hashlib
import ssl
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from mailbox_server.net.client_certificates import (
    ClientCertificate,
    Vouching,
    client_certificate,
)

_WEAK: Final = frozenset(("md5", "sha1"))


@dataclass(frozen=True, slots=True)
class TlsEnds:
    """Both ends of one connection.

    end_point: the data of tls-server-end-point; None where it is not defined.
    certificate: what the client proved to hold; None where it was not asked or has none.
    """

    end_point: bytes | None
    certificate: ClientCertificate | None = None


class ServingContext(ssl.SSLContext):
    """A context that knows the certificate it serves.

    end_point: see TlsEnds.
    vouching: what stands for a client's certificate; None where none is asked for.
    """

    end_point: bytes | None = None
    vouching: Vouching | None = None


def end_point_of(certificate: x509.Certificate) -> bytes | None:
    """The digest of the certificate by its own signature's hash, SHA-256 instead of weak ones.

    None where the signature has no hash of its own, as with Ed25519 (RFC 5929 §4.1).
    """
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    if algorithm is None:
        return None
    name = "sha256" if algorithm.name in _WEAK else algorithm.name
    if name not in hashlib.algorithms_available:
        return None
    return hashlib.new(name, _octets(certificate)).digest()


def _octets(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def describe_ends(session: ssl.SSLObject | ssl.SSLSocket | None) -> TlsEnds | None:
    """What a session whose handshake is done says; None without one.

    After the handshake the session has the context that the SNI callback chose for it.
    """
    if session is None:
        return None
    context = session.context
    if not isinstance(context, ServingContext):
        return TlsEnds(None)
    shown = None if context.vouching is None else session.getpeercert(binary_form=True)
    if not shown or context.vouching is None:
        return TlsEnds(context.end_point)
    return TlsEnds(context.end_point, client_certificate(shown, context.vouching))
