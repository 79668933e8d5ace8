"""Who owns mail here: HostedDomain, Account, Alias, Token, and their stored credentials."""

import enum
from dataclasses import dataclass
from datetime import datetime

from mailbox_server.model.address import Address, Domain
from mailbox_server.model.ids import AccountId, AliasId, DomainId, TokenId


@dataclass(frozen=True, slots=True)
class HostedDomain:
    """A domain we answer for.

    catch_all: where mail to unknown local parts goes; None refuses it.
    """

    id: DomainId
    domain: Domain
    catch_all: Address | None
    created: datetime


class AccountState(enum.Enum):
    """Whether an account may be used; a disabled one keeps receiving."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Account:
    """One owner of mailboxes; the login is the address.

    quota_octets, quota_messages: 0 is unlimited.
    is_administrator: may set the quota of every account.  is_shared: it is of several people,
    who find what they may of its mailboxes below mailbox.SHARED.
    """

    id: AccountId
    address: Address
    state: AccountState
    quota_octets: int
    created: datetime
    quota_messages: int = 0
    is_administrator: bool = False
    is_shared: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether there is a quota at all."""
        return bool(self.quota_octets or self.quota_messages)

    def has_room(self, usage: "Usage", octets: int, messages: int) -> bool:
        """Whether the quota lets it hold so much beside its usage; what adds nothing it does."""
        return _fits(self.quota_octets, usage.octets, octets) and _fits(
            self.quota_messages, usage.messages, messages
        )


def _fits(quota: int, held: int, more: int) -> bool:
    return not quota or more <= 0 or held + more <= quota


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account holds: octets and messages that are not expunged."""

    octets: int
    messages: int


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What SCRAM-SHA-256 needs of a password and nothing more (RFC 5802 §3, RFC 7677)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """The stored proof of a password: an argon2id hash and, where known, SCRAM keys."""

    password_hash: str
    scram: ScramKeys | None


class Scope(enum.Enum):
    """What a token may be used for."""

    READ = "read"
    SEND = "send"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Token:
    """What logs in for one scope instead of the password: an app password or a certificate.

    An app password is a random secret, shown once; its SHA-256 is kept, for it is random
    enough to need no slow hash.  Of a certificate that digest is the fingerprint.
    """

    id: TokenId
    account: AccountId
    name: str
    scope: Scope
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    is_certificate: bool = False


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """A network from which somebody logged in to an account.

    login: the account's address as it is found by.  network: in CIDR form, `192.0.2.1/32`.
    seen: about when that was last; not more exact than a day.
    """

    login: str
    network: str
    seen: datetime


@dataclass(frozen=True, slots=True)
class Alias:
    """An address that stands for others.

    targets: one or more addresses, ours or not.
    """

    id: AliasId
    address: Address
    targets: tuple[Address, ...]
    created: datetime
