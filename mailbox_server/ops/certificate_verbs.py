"""Certificates that log in to an account: register, list, remove."""

import binascii
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mailbox_server.model.account import Scope, Token
from mailbox_server.model.errors import BadInput, TokenMissing
from mailbox_server.model.ids import AccountId, TokenId
from mailbox_server.model.ports import Clock
from mailbox_server.net.client_certificates import MOST_OCTETS, fingerprint_of, is_acceptable
from mailbox_server.ops import requests
from mailbox_server.ops.account_verbs import account_of
from mailbox_server.ops.request_roots import instant
from mailbox_server.ops.rows import AnyRow, CertificateRow
from mailbox_server.store.ports import ReadTx, Store, WriteTx

MOST: Final = 20
"""Certificates of one account: each handshake that asks for one trusts all of everybody's."""


async def add(
    store: Store,
    clock: Clock,
    asked: requests.CertificateAdd,
    scope: Scope,
) -> tuple[CertificateRow, bytes]:
    """Register a certificate; its row, and the certificate as DER.

    Raises BadInput, AccountMissing, TokenExists.
    """
    certificate = _read(asked.pem)
    octets = certificate.public_bytes(Encoding.DER)
    now = clock.now()
    if certificate.not_valid_after_utc <= now:
        raise BadInput("the certificate has expired")

    def work(tx: WriteTx) -> Token:
        owner = account_of(tx, asked.address).id
        if len(tx.tokens.certificates(owner)) >= MOST:
            raise BadInput(f"an account has at most {MOST} certificates")
        return tx.tokens.add(
            owner,
            asked.name,
            scope,
            fingerprint_of(octets),
            certificate.not_valid_after_utc,
            now,
            octets,
        )

    return _row(await store.write(work), octets), octets


async def list_all(store: Store, asked: requests.CertificateList) -> list[AnyRow]:
    """The account's certificates.  Raises AccountMissing."""

    def work(tx: ReadTx) -> list[tuple[Token, bytes]]:
        owner = account_of(tx, asked.address).id
        return list(zip(_held(tx, owner), tx.tokens.certificates(owner), strict=True))

    return [_row(token, octets) for token, octets in await store.read(work)]


async def remove(store: Store, asked: requests.CertificateRemove) -> list[AnyRow]:
    """End a certificate's logins, and the sessions it began.

    Raises AccountMissing, TokenMissing.
    """

    def work(tx: WriteTx) -> None:
        owner = account_of(tx, asked.address).id
        if all(token.id != asked.certificate for token in _held(tx, owner)):
            raise TokenMissing("there is no such certificate")
        tx.tokens.revoke(owner, TokenId(asked.certificate))

    await store.write(work)
    return []


def _held(tx: ReadTx, owner: AccountId) -> list[Token]:
    return [token for token in tx.tokens.all(owner) if token.is_certificate]


def _read(pem: str) -> x509.Certificate:
    try:
        first = x509.load_pem_x509_certificates(pem.encode("ascii", "replace"))[0]
    except ValueError as error:
        raise BadInput("the file holds no certificate in PEM form") from error
    octets = first.public_bytes(Encoding.DER)
    if len(octets) > MOST_OCTETS:
        raise BadInput(f"the certificate is longer than {MOST_OCTETS} octets")
    if not is_acceptable(octets):
        raise BadInput("OpenSSL refuses the certificate")
    return first


def _row(token: Token, octets: bytes) -> CertificateRow:
    return CertificateRow(
        token.id,
        token.name,
        token.scope.value,
        _subject(octets),
        binascii.hexlify(fingerprint_of(octets), ":").decode("ascii").upper(),
        instant(token.created) or "",
        instant(token.expires),
        instant(token.last_used),
    )


def _subject(octets: bytes) -> str:
    try:
        return x509.load_der_x509_certificate(octets).subject.rfc4514_string()
    except ValueError:
        return ""
