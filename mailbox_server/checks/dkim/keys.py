"""Key pairs for signing: made, read, and written as the record that the DNS publishes.

RSA keys have 2,048 bits (RFC 8301 §3.2 asks for that much), Ed25519 keys the one size there
is (RFC 8463).  A private key stands in no repr and in no message of an error.
"""

import base64
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from mailbox_server.model.address import Domain
from mailbox_server.model.dkim_key import DkimKey, KeyAlgorithm, NewDkimKey

RSA_BITS: Final = 2_048

_DIGEST: Final = Prehashed(hashes.SHA256())
_PADDING: Final = padding.PKCS1v15()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key ready for use."""

    domain: Domain
    selector: str
    algorithm: KeyAlgorithm
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = field(repr=False)

    @classmethod
    def read(cls, key: DkimKey | NewDkimKey) -> "SigningKey":
        """Read a stored key.  Raises ValueError, and says nothing of the octets."""
        try:
            private = load_der_private_key(key.private, None)
        except (ValueError, TypeError):
            private = None
        if not isinstance(private, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
            raise ValueError(f"the key {key.selector} of {key.domain} cannot be read")
        return cls(key.domain, key.selector, key.algorithm, private)

    def sign(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest (RFC 6376 §3.3.2, RFC 8463 §3)."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(digest, _PADDING, _DIGEST)
        return self.private.sign(digest)


def make_key(domain: Domain, algorithm: KeyAlgorithm, selector: str) -> NewDkimKey:
    """Make a key pair; an RSA one takes about 100 ms and more: not on the event loop."""
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if algorithm is KeyAlgorithm.RSA:
        private = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        private = ed25519.Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    octets = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return NewDkimKey(domain, selector, algorithm, octets, public)


def new_selector(algorithm: KeyAlgorithm, made: datetime, taken: Collection[str]) -> str:
    """A selector that tells kind and day of a key, and is not taken: `rsa-20261129`.

    One that was used before names another key for good: verifiers keep what they looked up.
    """
    first = f"{algorithm.value}-{made:%Y%m%d}"
    following = (f"{first}-{number}" for number in count(2))
    return next(name for name in chain((first,), following) if name not in taken)


def record_name(key: DkimKey | NewDkimKey) -> str:
    """Where the key's record stands, without a last dot (RFC 6376 §3.6.2.1)."""
    return f"{key.selector}._domainkey.{key.domain.ascii}"


def record_text(key: DkimKey | NewDkimKey) -> str:
    """What the TXT record says, its strings joined (RFC 6376 §3.6.1)."""
    public = base64.b64encode(key.public).decode("ascii")
    return f"v=DKIM1; k={key.algorithm.value}; p={public}"
