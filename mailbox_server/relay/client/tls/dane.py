"""Whether the chain that a server showed is the one that its TLSA records stand for (RFC 7672 §3).

Usage 3 speaks of the leaf alone: neither names nor dates nor signatures count.  Usage 2 names
an anchor: the leaf must be for one of our names, and signed by way of certificates that may
sign and are in their time up to the anchor, which is in the chain or, whole, in the record.
Records that cannot be understood are passed over; where none can, any certificate will do
(RFC 7672 §2.2), since the records still say that there is TLS.

Name constraints of authorities are not looked at: who publishes the anchor chose it.
Work is bounded: 10 certificates and 50 records are looked at, and of their signatures so many
are verified as keep the event loop waiting for a tenth of a second at most.  Records may hold
keys that nobody has the other half of, as large as the DNS carries them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from mailbox_server.model.tls_demand import Association, TlsFault
from mailbox_server.relay.client.tls.certificate_names import is_for_any

_TRUST_ANCHOR: Final = 2
_END_ENTITY: Final = 3
_WHOLE: Final = 0
_KEY: Final = 1
_DIGEST_OCTETS: Final[Mapping[int, int]] = {1: 32, 2: 64}
_MOST_RECORDS: Final = 50
_MOST_VERIFIED: Final = 30
_MOST_KEY_BITS: Final = 8_192
"""Of RSA: verifying takes four times as long with twice the bits."""
_MOST_EXPONENT_BITS: Final = 64
"""Of RSA: verifying takes as long as the exponent is; that of nearly all keys has 17 bits."""

Finding = tuple[TlsFault | None, str]
_MET: Final[Finding] = (None, "")


def check_dane(
    chain: Sequence[x509.Certificate],
    associations: Sequence[Association],
    names: Sequence[str],
    now: datetime,
) -> Finding:
    """What is wrong, or nothing; chain: as shown, the leaf first."""
    usable = [one for one in associations[:_MOST_RECORDS] if is_usable(one)]
    if not usable:
        return _MET
    if not chain:
        return TlsFault.VALIDATION_FAILURE, "the server showed no certificate"
    leaf = chain[0]
    if any(one.usage == _END_ENTITY and _matches(leaf, one) for one in usable):
        return _MET
    anchors = [one for one in usable if one.usage == _TRUST_ANCHOR]
    if not anchors:
        return TlsFault.CERTIFICATE_NOT_TRUSTED, "no TLSA record fits the certificate"
    return _check_path(chain, anchors, names, now)


def is_usable(association: Association) -> bool:
    """Whether the record is of a kind that we know, with data of its length or form."""
    if association.usage not in (_TRUST_ANCHOR, _END_ENTITY):
        return False
    if association.selector not in (_WHOLE, _KEY):
        return False
    length = _DIGEST_OCTETS.get(association.matching_type)
    if length is not None:
        return len(association.octets) == length
    if association.matching_type != _WHOLE:
        return False
    read = _certificate if association.selector == _WHOLE else _key
    return read(association.octets) is not None


def _check_path(
    chain: Sequence[x509.Certificate],
    anchors: Sequence[Association],
    names: Sequence[str],
    now: datetime,
) -> Finding:
    """Walk from the leaf to an anchor, each certificate signed by the next one."""
    effort = _Effort()
    outside = [found for one in anchors if (found := _anchor_outside(one)) is not None]
    left = list(chain[1:])
    current = chain[0]
    below = 0
    while True:
        if not current.not_valid_before_utc <= now <= current.not_valid_after_utc:
            return TlsFault.CERTIFICATE_EXPIRED, "a certificate is out of its time"
        is_leaf = current is chain[0]
        if not is_leaf:
            if any(_matches(current, one) for one in anchors):
                break
            if not _may_sign(current, below):
                return TlsFault.CERTIFICATE_NOT_TRUSTED, "a certificate may not sign others"
            below += 1
        if any(effort.is_issued_by_anchor(current, anchor, now) for anchor in outside):
            break
        issuer = next((one for one in left if effort.is_issued_by(current, one)), None)
        if issuer is None:
            return TlsFault.CERTIFICATE_NOT_TRUSTED, "no TLSA record fits the chain"
        left.remove(issuer)
        current = issuer
    if not is_for_any(chain[0], names, by_common_name=True):
        return TlsFault.CERTIFICATE_HOST_MISMATCH, "the certificate is for other names"
    return _MET


def _matches(certificate: x509.Certificate, association: Association) -> bool:
    octets = _selected(certificate, association.selector)
    match association.matching_type:
        case 0:
            return octets == association.octets
        case 1:
            return hashlib.sha256(octets).digest() == association.octets
        case _:
            return hashlib.sha512(octets).digest() == association.octets


def _selected(certificate: x509.Certificate, selector: int) -> bytes:
    if selector == _WHOLE:
        return certificate.public_bytes(Encoding.DER)
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _may_sign(certificate: x509.Certificate, below: int) -> bool:
    """Whether it is an authority, with so many authorities below it on the path."""
    try:
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    if not constraints.ca:
        return False
    if constraints.path_length is not None and constraints.path_length < below:
        return False
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage.key_cert_sign


_PublicKey = (
    rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
)
_Anchor = x509.Certificate | _PublicKey


def _anchor_outside(association: Association) -> _Anchor | None:
    """The anchor that a record carries whole, so that the server need not show it."""
    if association.matching_type != _WHOLE:
        return None
    if association.selector == _WHOLE:
        return _certificate(association.octets)
    return _key(association.octets)


def _certificate(octets: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(octets)
    except ValueError:
        return None


def _key(octets: bytes) -> _PublicKey | None:
    try:
        key = load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, _PublicKey) else None


class _Effort:
    """Verifies signatures, so many and no more; beyond that nothing is signed by anybody."""

    def __init__(self) -> None:
        self._left = _MOST_VERIFIED

    def is_issued_by(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Whether the issuer has the name and the key."""
        try:
            if certificate.issuer != issuer.subject or not self._may_verify(issuer.public_key()):
                return False
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True

    def is_issued_by_anchor(
        self, certificate: x509.Certificate, anchor: _Anchor, now: datetime
    ) -> bool:
        """The same of what a record holds whole."""
        if isinstance(anchor, x509.Certificate):
            in_time = anchor.not_valid_before_utc <= now <= anchor.not_valid_after_utc
            return in_time and self.is_issued_by(certificate, anchor)
        return self._may_verify(anchor) and _is_signed_by(certificate, anchor)

    def _may_verify(self, key: object) -> bool:
        if isinstance(key, rsa.RSAPublicKey) and (
            key.key_size > _MOST_KEY_BITS
            or key.public_numbers().e.bit_length() > _MOST_EXPONENT_BITS
        ):
            return False
        self._left -= 1
        return self._left >= 0


def _is_signed_by(certificate: x509.Certificate, key: _PublicKey) -> bool:
    """A bare key has no name to compare with the issuer's (RFC 7671 §5.2.1)."""
    signed, signature = certificate.tbs_certificate_bytes, certificate.signature
    try:
        scheme = certificate.signature_algorithm_parameters
        hash_algorithm = certificate.signature_hash_algorithm
        match key:
            case rsa.RSAPublicKey() if hash_algorithm is not None and isinstance(
                scheme, padding.PKCS1v15 | padding.PSS
            ):
                key.verify(signature, signed, scheme, hash_algorithm)
            case ec.EllipticCurvePublicKey() if isinstance(scheme, ec.ECDSA):
                key.verify(signature, signed, scheme)
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(signature, signed)
            case _:
                return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
