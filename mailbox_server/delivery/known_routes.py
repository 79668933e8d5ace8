"""Routes that were found before, for as long as no domain, account or alias has changed.

Mail comes for few addresses and often: a route that is known costs no look into the store.
"""

from typing import Final

from mailbox_server.model.address import Address, AddressLiteral
from mailbox_server.model.route import Route
from mailbox_server.store.ports import Store

_MOST: Final = 10_000


class KnownRoutes:
    """A bounded memory of routes; used in the event loop's thread only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._generation = store.owners_generation
        self._routes: dict[Address, Route] = {}

    def find(self, address: Address) -> Route | None:
        """The route, where it is known and holds; None says nothing."""
        generation = self._store.owners_generation
        if generation != self._generation:
            self._routes.clear()
            self._generation = generation
        return self._routes.get(address)

    def add(self, address: Address, route: Route, generation: int) -> None:
        """Remember a route that was looked up when the store was at that generation.

        What an address literal means depends on the connection, and is not remembered.
        """
        if isinstance(address.domain, AddressLiteral) or generation != self._generation:
            return
        if len(self._routes) >= _MOST:
            self._routes.clear()
        self._routes[address] = route
