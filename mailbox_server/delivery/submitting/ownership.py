"""Which addresses an account may send as: those whose mail it gets.

Its own address and subaddresses, aliases that lead to it, what a catch-all gives it, and
postmaster where it is that: asked of the same routing that delivers, so that the two cannot
differ.  Besides, the addresses of a shared account, for whoever has the right to post (`p`,
RFC 4314 §2.1) in its INBOX; in mailboxes of a person that right gives nothing, for there it
is handed out with all the others.
"""

from collections.abc import Iterable
from typing import Final

from mailbox_server.delivery.local_recipients import RouteFinder
from mailbox_server.delivery.routing import members
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address, Domain, IpAddress
from mailbox_server.model.ids import AccountId
from mailbox_server.model.mailbox import INBOX
from mailbox_server.model.route import RefuseRoute
from mailbox_server.store.ports import ReadTx, Store

POST: Final = "p"
NAMED: Final = 3
"""How many addresses a refusal names."""


class Ownership:
    """Asked for every address that a message claims to come from."""

    def __init__(self, store: Store, finder: RouteFinder) -> None:
        self._store = store
        self._finder = finder

    async def holds(self, account: Account, address: Address, local_ip: IpAddress | None) -> bool:
        """Whether the account may send as the address."""
        if address.key == account.address.key:
            return True
        if not isinstance(address.domain, Domain):
            return False
        found = await self._finder.find(address, local_ip)
        if isinstance(found, RefuseRoute):
            return False
        reached = [member.account for member in members(found)]
        if any(each.id == account.id for each in reached):
            return True
        shared = [each.id for each in reached if each.is_shared]
        if not shared:
            return False
        return await self._store.read(lambda tx: _may_post(tx, account.id, shared))

    async def some(self, account: Account) -> list[Address]:
        """Addresses that the account may send as; at most NAMED of them.

        Its own first, then those of shared accounts, then aliases, of its domain first.
        """
        return await self._store.read(lambda tx: _some(tx, account))


def _may_post(tx: ReadTx, account: AccountId, shared: Iterable[AccountId]) -> bool:
    for owner in shared:
        inbox = tx.mailboxes.find(owner, INBOX)
        if inbox is not None and POST in tx.rights.held(inbox, account):
            return True
    return False


def _some(tx: ReadTx, account: Account) -> list[Address]:
    shared = (
        each.owner
        for each in tx.rights.visible(account.id)
        if each.is_shared and each.mailbox.name == INBOX and POST in each.rights
    )
    own = [
        alias.address
        for alias in tx.aliases.all()
        if any(target.key == account.address.key for target in alias.targets)
    ]
    own.sort(key=lambda each: each.domain != account.address.domain)
    return [account.address, *shared, *own][:NAMED]
