"""Find who a login means: the same few look-ups whether or not there is such an account."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from mailbox_server.auth.precis import login_form
from mailbox_server.model.account import Account, AccountState, Credentials, Token
from mailbox_server.model.address import Address
from mailbox_server.model.errors import AddressMalformed, DomainMalformed, PasswordMalformed
from mailbox_server.model.ids import AccountId
from mailbox_server.net.client_certificates import ClientCertificate
from mailbox_server.store.ports import ReadTx

# Row numbers start at 1, so a look-up for this one costs what one for an account does.
_NOBODY: Final = AccountId(0)
_KEY_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Found:
    """What one look into the store gave.

    key: the login in the form it is counted and compared by, whether or not it exists.
    credentials, token: None without an account.
    """

    key: str
    account: Account | None
    credentials: Credentials | None = field(repr=False)
    token: Token | None

    @property
    def is_active(self) -> bool:
        """Whether there is an account and it may log in."""
        return self.account is not None and self.account.state is AccountState.ACTIVE

    @property
    def name(self) -> str | None:
        """The account's address for events; never a login that is no account's."""
        return None if self.account is None else str(self.account.address)


def find_login(tx: ReadTx, login: str, token_digest: bytes | None) -> Found:
    """Look a login up, with the app password of that digest where one is given."""
    address = parse_login(tx, login)
    account = tx.accounts.find(address) if address is not None else None
    account_id = account.id if account is not None else _NOBODY
    credentials = tx.accounts.credentials(account_id)
    token = tx.tokens.find(account_id, token_digest) if token_digest is not None else None
    key = address.key if address is not None else login[:_KEY_CHARACTERS]
    return Found(key, account, credentials, token)


def find_certified(tx: ReadTx, certificate: ClientCertificate, authzid: str) -> Found:
    """Look up whom a certificate stands for.

    Those are the accounts it is registered with, and those whose address an authority put
    into it.  authzid picks one of them.  Without it a registration goes before an address,
    and where several are left there is no telling who is meant: nobody is found.
    """
    registered = [
        (account, token)
        for token in tx.tokens.holders(certificate.fingerprint)
        if (account := tx.accounts.get(token.account)) is not None
    ]
    named: list[tuple[Account, Token | None]] = [
        (account, None)
        for text in certificate.addresses
        if (address := _address(text)) is not None
        and (account := tx.accounts.find(address)) is not None
    ]
    if authzid:
        wanted = parse_login(tx, authzid)
        standing = [
            (account, token)
            for account, token in [*registered, *named]
            if wanted is not None and account.address.key == wanted.key
        ]
    else:
        standing = [*registered] or named
    if not standing or any(account.id != standing[0][0].id for account, _ in standing):
        return Found(certificate.fingerprint.hex(), None, None, None)
    account, token = standing[0]
    return Found(account.address.key, account, tx.accounts.credentials(account.id), token)


def _address(text: str) -> Address | None:
    try:
        return Address.parse(text)
    except (AddressMalformed, DomainMalformed):
        return None


def parse_login(tx: ReadTx, login: str) -> Address | None:
    """The address a login means: as it is, or in the one domain we host; None for neither."""
    try:
        form = login_form(login)
        if "@" in form:
            return Address.parse(form)
        domains = tx.domains.all()
        return Address.parse(f"{form}@{domains[0].domain}") if len(domains) == 1 else None
    except (PasswordMalformed, AddressMalformed, DomainMalformed):
        return None


def credentials_stamp(credentials: Credentials | None) -> bytes:
    """A digest that changes when the password does."""
    text = "" if credentials is None else credentials.password_hash
    return hashlib.sha256(text.encode("utf-8")).digest()
