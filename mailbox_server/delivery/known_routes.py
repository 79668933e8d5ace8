"""What addresses and domains were found to mean, while no domain, account or alias changes.

Mail comes for few addresses and often: a route that is known costs no look into the store.
"""

from typing import Final

from mailbox_server.model.address import Address, AddressLiteral, Domain
from mailbox_server.model.route import Route
from mailbox_server.store.ports import Store

_MOST: Final = 10_000


class KnownRoutes:
    """A bounded memory of routes; used in the event loop's thread only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._generation = store.owners_generation
        self._routes: dict[Address, Route] = {}
        self._foreign: dict[Domain, bool] = {}

    def find(self, address: Address) -> Route | None:
        """The route, where it is known and holds; None says nothing."""
        self._forget_old()
        return self._routes.get(address)

    def is_foreign(self, domain: Domain) -> bool | None:
        """Whether its mail is for another server to deliver; None says nothing."""
        self._forget_old()
        return self._foreign.get(domain)

    def _forget_old(self) -> None:
        generation = self._store.owners_generation
        if generation != self._generation:
            self._routes.clear()
            self._foreign.clear()
            self._generation = generation

    def add(self, address: Address, route: Route, generation: int) -> None:
        """Remember a route that was looked up when the store was at that generation.

        What an address literal means depends on the connection, and is not remembered.
        """
        if isinstance(address.domain, AddressLiteral) or generation != self._generation:
            return
        if len(self._routes) >= _MOST:
            self._routes.clear()
        self._routes[address] = route

    def add_domain(self, domain: Domain, generation: int, *, is_foreign: bool) -> None:
        """Remember what was looked up when the store was at that generation."""
        if generation != self._generation:
            return
        if len(self._foreign) >= _MOST:
            self._foreign.clear()
        self._foreign[domain] = is_foreign
