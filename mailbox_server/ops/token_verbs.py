"""App passwords, as an operator gives and takes them."""

from typing import Final

from mailbox_server.auth.token_secrets import new_secret, secret_digest
from mailbox_server.model.account import Scope, Token
from mailbox_server.model.errors import BadInput
from mailbox_server.model.ids import TokenId
from mailbox_server.model.ports import Clock, Entropy
from mailbox_server.ops import requests
from mailbox_server.ops.account_verbs import account_of
from mailbox_server.ops.moments import read_expiry
from mailbox_server.ops.request_roots import instant
from mailbox_server.ops.rows import AnyRow, TokenRow
from mailbox_server.store.ports import Store

_NAME_CHARACTERS: Final = 100


async def add(
    store: Store, clock: Clock, entropy: Entropy, asked: requests.TokenAdd
) -> list[AnyRow]:
    """Make a token; its secret is in the answer, and nowhere else.  Raises BadInput."""
    scope = read_scope(asked.scope)
    check_name(asked.name)
    now = clock.now()
    expires = None if asked.expires is None else read_expiry(asked.expires, now)
    secret = new_secret(entropy)
    digest = secret_digest(secret)
    if digest is None:
        raise ValueError("a new secret has not a secret's shape")
    token = await store.write(
        lambda tx: tx.tokens.add(
            account_of(tx, asked.address).id, asked.name, scope, digest, expires, now
        )
    )
    return [_row(token, secret)]


async def list_all(store: Store, asked: requests.TokenList) -> list[AnyRow]:
    """An account's tokens, without its certificates."""
    tokens = await store.read(lambda tx: tx.tokens.all(account_of(tx, asked.address).id))
    return [_row(token) for token in tokens if not token.is_certificate]


async def revoke(store: Store, asked: requests.TokenRevoke) -> list[AnyRow]:
    """Nobody logs in with it any more."""
    await store.write(
        lambda tx: tx.tokens.revoke(account_of(tx, asked.address).id, TokenId(asked.token))
    )
    return []


def read_scope(text: str) -> Scope:
    """Raises BadInput."""
    try:
        return Scope(text)
    except ValueError as error:
        raise BadInput(f"{text!r:.40} is no scope: read, send or all") from error


def check_name(name: str) -> None:
    """Raises BadInput for one that is no name of a token or certificate."""
    if not 0 < len(name) <= _NAME_CHARACTERS:
        raise BadInput(f"the name has 1 to {_NAME_CHARACTERS} characters")


def _row(token: Token, secret: str | None = None) -> TokenRow:
    return TokenRow(
        token.id,
        token.name,
        token.scope.value,
        instant(token.created) or "",
        instant(token.expires),
        instant(token.last_used),
        secret,
    )
