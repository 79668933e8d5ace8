"""A Route: what one recipient address means to us."""

from dataclasses import dataclass

from mailbox_server.model.account import Account
from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId
from mailbox_server.model.reply import Reply


@dataclass(frozen=True, slots=True)
class LocalRoute:
    """Mail for an account of ours.

    detail: what followed the separator in `user+detail`, or None.
    through: the aliases and catch-alls passed on the way, in order.
    """

    account: Account
    detail: str | None
    through: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Outside:
    """An address of another server that mail is passed on to.

    through: the aliases passed on the way, in order; none where a report goes back to the
    sender of what was forwarded.
    """

    address: Address
    through: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class AliasRoute:
    """An alias of ours, expanded to accounts and to addresses elsewhere, each once.

    At least one of both.  skipped: targets that are not reached: gone.
    owner: who is told of what cannot be passed on.
    """

    members: tuple[LocalRoute, ...]
    skipped: tuple[Address, ...] = ()
    outside: tuple[Outside, ...] = ()
    owner: AccountId | None = None


@dataclass(frozen=True, slots=True)
class RefuseRoute:
    """Mail we do not take, with the reply that says so."""

    reply: Reply
    reason: str


Route = LocalRoute | AliasRoute | RefuseRoute
