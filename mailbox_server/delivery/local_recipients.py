"""The recipients of one transaction that are ours: found, counted, and refused where full.

Finding costs no look into the store while no domain, account or alias changes, and holds up
nobody: what takes time is looked up on a thread.
"""

from mailbox_server.delivery import replies
from mailbox_server.delivery.known_routes import KnownRoutes
from mailbox_server.delivery.returned_reports import ReturnedReports
from mailbox_server.delivery.routing import (
    AT_ONCE_TARGETS,
    RouteTakesTime,
    RoutingRules,
    is_foreign,
    members,
    route,
)
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address, Domain, IpAddress
from mailbox_server.model.reply import Reply
from mailbox_server.model.route import AliasRoute, LocalRoute, RefuseRoute, Route
from mailbox_server.store.ports import ReadTx, Store


class RouteFinder:
    """What addresses mean, by the rules of the day; one for all transactions of a journey."""

    def __init__(self, store: Store, rules: RoutingRules) -> None:
        self._store = store
        self._rules = rules
        self._known = KnownRoutes(store)

    def change_rules(self, rules: RoutingRules) -> None:
        """Put other rules in force; what was found by the old ones is another route."""
        self._rules = rules
        self._known = KnownRoutes(self._store)

    async def find(self, address: Address, local_ip: IpAddress | None) -> Route:
        """What mail to address means; local_ip is our address on the asking connection."""
        store, rules, known = self._store, self._rules, self._known
        found = known.find(address)
        if found is not None:
            return found
        generation = store.owners_generation

        def look(tx: ReadTx, *, at_once: bool) -> Route:
            return route(tx, address, rules, local_ip, at_once=at_once)

        try:
            found = store.glance(lambda tx: look(tx, at_once=True))
        except RouteTakesTime:
            found = await store.read(lambda tx: look(tx, at_once=False))
        known.add(address, found, generation)
        return found

    def known_foreign(self, address: Address) -> bool | None:
        """Whether mail to address is for another server to deliver; None where it is not known."""
        domain = address.domain
        return self._known.is_foreign(domain) if isinstance(domain, Domain) else None

    def is_foreign(self, tx: ReadTx, address: Address, local_ip: IpAddress | None) -> bool:
        """Whether mail to address is for another server to deliver; for glances."""
        domain, generation = address.domain, self._store.owners_generation
        if not isinstance(domain, Domain):
            return is_foreign(tx, address, self._rules, local_ip)
        found = self._known.is_foreign(domain)
        if found is None:
            found = is_foreign(tx, address, self._rules, local_ip)
            self._known.add_domain(domain, generation, is_foreign=found)
        return found

    async def is_full(self, found: LocalRoute | AliasRoute, declared: int | None) -> bool:
        """Whether somebody it leads to has no room for so many octets, as the peer declares.

        An alias waits for its fullest member: what was left out for one would be lost, and
        what was forced in would have no end.
        """
        accounts = [member.account for member in members(found) if member.account.is_limited]
        if not accounts:
            return False

        def look(tx: ReadTx) -> bool:
            return any(_is_full(tx, account, declared) for account in accounts)

        store = self._store
        return store.glance(look) if len(accounts) <= AT_ONCE_TARGETS else await store.read(look)


class LocalRecipients:
    """Those of one transaction, in the order in which they were taken.

    declared: the octets that the peer announced, if any.  most_ways: accounts and addresses
    elsewhere that they may lead to, counted once a recipient; wide aliases add up.
    returned: what rewritten senders mean; None where nothing comes back.
    """

    def __init__(
        self,
        finder: RouteFinder,
        local_ip: IpAddress | None,
        declared: int | None,
        most_ways: int,
        returned: ReturnedReports | None = None,
    ) -> None:
        self._finder = finder
        self._local_ip = local_ip
        self._declared = declared
        self._most_ways = most_ways
        self._returned = returned
        self._ways = 0
        self._found: dict[Address, LocalRoute | AliasRoute] = {}
        self.routes: list[LocalRoute | AliasRoute] = []

    async def add(self, address: Address) -> Reply | None:
        """Take one more; or the reply that refuses it."""
        # A peer that names somebody a thousand times is not to cost a thousand looks.
        found = self._found.get(address)
        if found is None:
            if self._returned is not None and self._returned.path is not None:
                return replies.ALONE
            looked_up = await self._look_up(address)
            if isinstance(looked_up, RefuseRoute):
                return looked_up.reply
            if await self._finder.is_full(looked_up, self._declared):
                return replies.OVER_QUOTA
            found = self._found[address] = looked_up
        ways = self._ways + len(members(found))
        if isinstance(found, AliasRoute):
            ways += len(found.outside)
        if ways > self._most_ways:
            return replies.TOO_MANY_WAYS
        self._ways = ways
        self.routes.append(found)
        if self._returned is not None:
            self._returned.taken(address)
        return None

    async def _look_up(self, address: Address) -> Route:
        returned = None if self._returned is None else self._returned.find(address)
        if returned is not None and self.routes:
            return RefuseRoute(replies.ALONE, "a return address")
        if isinstance(returned, AliasRoute | RefuseRoute):
            return returned
        return await self._finder.find(returned or address, self._local_ip)


def _is_full(tx: ReadTx, account: Account, declared: int | None) -> bool:
    # Of a message something is stored in any case, and an account that is full takes no more.
    return not account.has_room(tx.accounts.usage(account.id), declared or 1, 1)
