"""The signing keys of our domains in memory, for as long as no domain or key has changed."""

from collections.abc import Sequence
from typing import Final

from mailbox_server.checks.dkim.keys import SigningKey
from mailbox_server.model.address import Domain
from mailbox_server.model.ports import Events
from mailbox_server.store.ports import Store

_MOST: Final = 10_000


class KeyRing:
    """What a Signer asks for keys; in the event loop's thread only."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store = store
        self._events = events
        self._generation = store.owners_generation
        self._keys: dict[Domain, Sequence[SigningKey]] = {}

    def __call__(self, domain: Domain) -> Sequence[SigningKey]:
        """The keys that the domain signs with now, RSA first; none where it is not ours.

        Raises StoreUnavailable.
        """
        generation = self._store.owners_generation
        if generation != self._generation or len(self._keys) >= _MOST:
            self._keys.clear()
            self._generation = generation
        found = self._keys.get(domain)
        if found is None:
            found = self._keys[domain] = self._read(domain)
        return found

    def _read(self, domain: Domain) -> Sequence[SigningKey]:
        readable: list[SigningKey] = []
        for key in self._store.glance(lambda tx: tx.dkim_keys.signing(domain)):
            try:
                readable.append(SigningKey.read(key))
            except ValueError as error:
                # Mail that goes with one signature less is better than mail that stays.
                self._events.fault(
                    "dkim.key_unreadable", error, domain=domain.ascii, selector=key.selector
                )
        return tuple(readable)
