"""The certificates that the other end showed, whoever signed them.

Python gives the chain out without verifying it from 3.13 on; before, its inner object has the
same method (also under uvloop, whose TLS is Python's).
"""

import ssl
from collections.abc import Iterable
from typing import Final, Protocol, cast

from cryptography import x509

MOST_CERTIFICATES: Final = 10


class _Inner(Protocol):
    def get_unverified_chain(self) -> Iterable[object] | None: ...


class _Certificate(Protocol):
    def public_bytes(self, form: int, /) -> bytes: ...


def shown_chain(session: ssl.SSLObject) -> list[x509.Certificate]:
    """The first MOST_CERTIFICATES of a session whose handshake is done, the leaf first.

    Ends before the first that does not decode; a leaf that does not gives none at all.
    """
    chain: list[x509.Certificate] = []
    for octets in _octets_of_chain(session):
        if len(chain) == MOST_CERTIFICATES:
            break
        try:
            chain.append(x509.load_der_x509_certificate(octets))
        except ValueError:
            break
    return chain


def _octets_of_chain(session: ssl.SSLObject) -> list[bytes]:
    if hasattr(session, "get_unverified_chain"):
        public = cast("_Inner", session)
        return [one for one in public.get_unverified_chain() or () if isinstance(one, bytes)]
    inner = cast("_Inner | None", getattr(session, "_sslobj", None))
    if inner is None or not hasattr(inner, "get_unverified_chain"):
        leaf = session.getpeercert(binary_form=True)
        return [] if leaf is None else [leaf]
    der = ssl._ssl.ENCODING_DER  # type: ignore[attr-defined]
    shown = inner.get_unverified_chain() or ()
    return [cast("_Certificate", one).public_bytes(der) for one in shown]
