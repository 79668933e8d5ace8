"""Who has mail here: domains, accounts, aliases and what logs in to them, in the store."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from mailbox_server.model.account import (
    Account,
    AccountState,
    Alias,
    Credentials,
    HostedDomain,
    KnownNetwork,
    Scope,
    Token,
    Usage,
)
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.ids import (
    AccountId,
    AliasId,
    ModSeq,
    TokenId,
)


class DomainReader(Protocol):
    """Hosted domains."""

    def find(self, domain: Domain) -> HostedDomain | None:
        """The hosted domain, or None."""

    def all(self) -> list[HostedDomain]:
        """Every hosted domain by name."""


class DomainWriter(DomainReader, Protocol):
    """Hosted domains, to change."""

    def add(self, domain: Domain, catch_all: Address | None, now: datetime) -> HostedDomain:
        """Host a domain.  Raises DomainExists."""

    def set_catch_all(self, domain: Domain, catch_all: Address | None) -> None:
        """Say where mail to unknown local parts goes.  Raises DomainMissing."""

    def remove(self, domain: Domain) -> None:
        """Stop hosting.  Raises DomainMissing, DomainInUse (accounts or aliases remain)."""


class AccountReader(Protocol):
    """Accounts, found by address without regard to case or Unicode form."""

    def find(self, address: Address) -> Account | None:
        """The account of that address, or None."""

    def get(self, account: AccountId) -> Account | None:
        """The account of that id, or None when it was removed."""

    def all(self, domain: Domain | None = None) -> list[Account]:
        """Accounts by address."""

    def oldest(self, domain: Domain | None = None) -> Account | None:
        """The account that was opened first, or None; a point query."""

    def credentials(self, account: AccountId) -> Credentials | None:
        """The stored proof of the password; None where it has none."""

    def usage(self, account: AccountId) -> Usage:
        """What the account holds; one row, not a count."""

    def modseq(self, account: AccountId) -> ModSeq:
        """The account's present modseq."""


class AccountWriter(AccountReader, Protocol):
    """Accounts, to change."""

    def add(
        self, address: Address, credentials: Credentials | None, quota_octets: int, now: datetime
    ) -> Account:
        """Open an account with the default mailboxes, subscribed.

        Raises DomainMissing, AccountExists, AliasExists.
        """

    def set_credentials(self, account: AccountId, credentials: Credentials) -> None:
        """Replace the password's proof.  Raises AccountMissing."""

    def set_quota(self, account: AccountId, quota_octets: int) -> None:
        """0 is unlimited.  Raises AccountMissing."""

    def set_message_quota(self, account: AccountId, messages: int) -> None:
        """How many messages it may hold; 0 is unlimited.  Raises AccountMissing."""

    def set_administrator(self, account: AccountId, *, is_administrator: bool) -> None:
        """Whether it may set every account's quota.  Raises AccountMissing."""

    def set_shared(self, account: AccountId, *, is_shared: bool) -> None:
        """Whether it is of several people.  Raises AccountMissing."""

    def set_state(self, account: AccountId, state: AccountState) -> None:
        """Enable or disable logins.  Raises AccountMissing."""

    def remove(self, account: AccountId) -> None:
        """Remove the account: from now on nobody finds it or anything it holds.

        Its rows are purged in steps (store.account_removal).  Raises AccountMissing.
        """


class AliasReader(Protocol):
    """Aliases, found like accounts."""

    def find(self, address: Address) -> Alias | None:
        """The alias of that address, or None."""

    def all(self, domain: Domain | None = None) -> list[Alias]:
        """Aliases by address."""


class AliasWriter(AliasReader, Protocol):
    """Aliases, to change."""

    def add(self, address: Address, targets: Sequence[Address], now: datetime) -> Alias:
        """Raises DomainMissing, AliasExists, AccountExists."""

    def remove(self, alias: AliasId) -> None:
        """Raises AliasMissing."""


class KnownNetworkReader(Protocol):
    """From where accounts were logged in to."""

    def since(self, instant: datetime, most: int) -> list[KnownNetwork]:
        """The latest of those seen at instant or later, at most so many, the oldest first."""


class KnownNetworkWriter(KnownNetworkReader, Protocol):
    """From where accounts were logged in to, to remember and to forget."""

    def saw(self, known: KnownNetwork) -> None:
        """Remember a network, or when it was last seen; silent where the account is gone."""

    def forget(self, before: datetime) -> int:
        """Forget those last seen before that; how many."""


class TokenReader(Protocol):
    """App passwords and certificates."""

    def all(self, account: AccountId) -> list[Token]:
        """The account's tokens, oldest first, expired ones included."""

    def find(self, account: AccountId, secret_digest: bytes) -> Token | None:
        """The app password with that digest, expired or not."""

    def holders(self, fingerprint: bytes) -> list[Token]:
        """Every account's certificate with that fingerprint, expired ones included."""

    def certificates(self, account: AccountId | None = None) -> list[bytes]:
        """The account's certificates, or all there are, as DER, oldest first."""


class TokenWriter(TokenReader, Protocol):
    """App passwords and certificates, to change."""

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
        """certificate: as DER, with its fingerprint as digest; None for an app password.

        Raises AccountMissing, TokenExists.
        """

    def used(self, token: TokenId, at: datetime) -> None:
        """Remember the last use; silent when the token is gone."""

    def revoke(self, account: AccountId, token: TokenId) -> None:
        """Raises TokenMissing."""
