"""App passwords and certificates in rows."""

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.account import Scope, Token
from mailbox_server.model.errors import AccountMissing, TokenExists, TokenMissing
from mailbox_server.model.ids import AccountId, TokenId
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account, token
from mailbox_server.store.transactions import SqlTx

_COLUMNS: Final = sa.select(
    token.c.id,
    token.c.account,
    token.c.name,
    token.c.scope,
    token.c.created,
    token.c.expires,
    token.c.last_used,
    token.c.certificate.is_not(None),
)
_ALL: Final = _COLUMNS.where(token.c.account == sa.bindparam("account")).order_by(token.c.id)
_FIND: Final = Prepared(
    _ALL.where(
        token.c.secret_digest == sa.bindparam("secret_digest"), token.c.certificate.is_(None)
    )
)
_HOLDERS: Final = Prepared(
    _COLUMNS.where(
        token.c.secret_digest == sa.bindparam("fingerprint"), token.c.certificate.is_not(None)
    ).order_by(token.c.id)
)
_CERTIFICATES: Final = (
    sa.select(token.c.certificate).where(token.c.certificate.is_not(None)).order_by(token.c.id)
)
_ACCOUNT: Final = sa.select(account.c.id).where(
    account.c.id == sa.bindparam("account"), account.c.key.is_not(None)
)
_FIELDS: Final = (
    "account",
    "name",
    "scope",
    "secret_digest",
    "created",
    "expires",
    "certificate",
)
_ADD: Final = (
    sa.insert(token).values({name: sa.bindparam(name) for name in _FIELDS}).returning(token.c.id)
)
_USED: Final = (
    sa.update(token)
    .where(token.c.id == sa.bindparam("number"))
    .values(last_used=sa.bindparam("at"))
)
_REVOKE: Final = sa.delete(token).where(
    token.c.id == sa.bindparam("number"), token.c.account == sa.bindparam("owner")
)


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _token(row: Any) -> Token:
    number, owner, name, scope, created, expires, last_used, is_certificate = row
    return Token(
        TokenId(number),
        AccountId(owner),
        name,
        Scope(scope),
        datetime.fromtimestamp(created, UTC),
        _instant(expires),
        _instant(last_used),
        bool(is_certificate),
    )


class Tokens:
    """TokenWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def all(self, account: AccountId) -> list[Token]:
        """The account's tokens, oldest first, expired ones included."""
        return [_token(row) for row in self._tx.rows(_ALL, {"account": account})]

    def find(self, account: AccountId, secret_digest: bytes) -> Token | None:
        """The app password with that digest, expired or not."""
        rows = _FIND.rows(self._tx, account=account, secret_digest=secret_digest)
        return _token(rows[0]) if rows else None

    def holders(self, fingerprint: bytes) -> list[Token]:
        """Every account's certificate with that fingerprint, expired ones included."""
        return [_token(row) for row in _HOLDERS.rows(self._tx, fingerprint=fingerprint)]

    def certificates(self, account: AccountId | None = None) -> list[bytes]:
        """The account's certificates, or all there are, as DER, oldest first."""
        wanted = _CERTIFICATES
        if account is not None:
            wanted = wanted.where(token.c.account == account)
        return [octets for (octets,) in self._tx.rows(wanted, {})]

    def add(
        self,
        account: AccountId,
        name: str,
        scope: Scope,
        secret_digest: bytes,
        expires: datetime | None,
        now: datetime,
        certificate: bytes | None = None,
    ) -> Token:
        """Raises AccountMissing, TokenExists."""
        if not self._tx.rows(_ACCOUNT, {"account": account}):
            raise AccountMissing("there is no such account")
        if any(holder.account == account for holder in self.holders(secret_digest)):
            raise TokenExists("the account has that certificate already")
        created = int(now.timestamp())
        until = None if expires is None else int(expires.timestamp())
        values = (account, name, scope.value, secret_digest, created, until, certificate)
        ((number,),) = self._tx.rows(_ADD, dict(zip(_FIELDS, values, strict=True)))
        is_certificate = certificate is not None
        return _token((number, account, name, scope.value, created, until, None, is_certificate))

    def used(self, token: TokenId, at: datetime) -> None:
        """Remember the last use; silent when the token is gone."""
        self._tx.connection.execute(_USED, {"number": token, "at": int(at.timestamp())})

    def revoke(self, account: AccountId, token: TokenId) -> None:
        """Raises TokenMissing."""
        gone = self._tx.connection.execute(_REVOKE, {"number": token, "owner": account})
        if not gone.rowcount:
            raise TokenMissing("there is no such token")
        self._tx.touch(account)  # wakes its sessions, which look at their login anew
