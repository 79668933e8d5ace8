"""A Route: what one recipient address means to us."""

from dataclasses import dataclass

from mailbox_server.model.account import Account
from mailbox_server.model.address import Address
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
class AliasRoute:
    """An alias of ours, expanded to accounts; each account once.

    skipped: targets that are not reached: not ours, or gone.
    """

    members: tuple[LocalRoute, ...]
    skipped: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class RefuseRoute:
    """Mail we do not take, with the reply that says so."""

    reply: Reply
    reason: str


Route = LocalRoute | AliasRoute | RefuseRoute
