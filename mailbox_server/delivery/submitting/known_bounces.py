"""From which addresses mail of an account did not come back, as long as none comes to be added.

Nearly every recipient is one of these, and then costs no look into the store.  What came back
is never told from here, but looked up.
"""

from typing import Final

from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId
from mailbox_server.store.ports import ReadTx, Store

ACCOUNTS: Final = 256
ADDRESSES: Final = 100
"""Of one account; who has more is looked up each time."""


class KnownBounces:
    """A bounded memory; used in the event loop's thread only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._generation = store.bounces_generation
        self._keys: dict[AccountId, frozenset[str] | None] = {}

    def is_clear(self, account: AccountId, address: Address) -> bool:
        """Whether none of the account's mail came back from the address; False says nothing."""
        self._forget_old()
        keys = self._keys.get(account)
        return keys is not None and address.key not in keys

    def learn(self, tx: ReadTx, account: AccountId) -> None:
        """Read the account's, unless they were read; in a glance, so that nothing is added
        meanwhile."""
        self._forget_old()
        if account in self._keys:
            return
        keys = tx.bounces.keys(account, ADDRESSES + 1)
        if len(self._keys) >= ACCOUNTS:
            del self._keys[next(iter(self._keys))]
        self._keys[account] = frozenset(keys) if len(keys) <= ADDRESSES else None

    def _forget_old(self) -> None:
        generation = self._store.bounces_generation
        if generation != self._generation:
            self._keys.clear()
            self._generation = generation
