"""Tokens of URLs that their owner has authorized: HMAC-SHA-256 under a secret key (RFC 4467 §2).

INTERNAL is the one mechanism.  A token begins with two digits that name the algorithm, so that
another one can take its place while tokens of the old one still count (§2.4.1).
"""

import hmac
from typing import Final

from mailbox_server.model.imap_url import UrlVerifier

INTERNAL: Final = "INTERNAL"
KEY_OCTETS: Final = 32

_HMAC_SHA_256: Final = b"01"
# Stands in where there is no key, so that it takes as long to find that out (§6).
_PLAUSIBLE: Final = b"\x5a" * KEY_OCTETS


def url_token(key: bytes, rump: bytes) -> bytes:
    """The token of a URL that ends with `;URLAUTH=` and for whom; hexadecimal digits."""
    authorized = INTERNAL.encode("ascii") + b":" + rump
    return _HMAC_SHA_256 + hmac.digest(key, authorized, "sha256").hex().encode("ascii")


def has_token(verifier: UrlVerifier, key: bytes | None) -> bool:
    """Whether the token is right; costs the same without a key."""
    expected = url_token(_PLAUSIBLE if key is None else key, verifier.rump)
    is_equal = hmac.compare_digest(expected, verifier.token)
    return is_equal and key is not None and verifier.mechanism == INTERNAL
