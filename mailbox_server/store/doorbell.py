"""The doorbell: who wants to hear that an account has changed.

Everything happens in the event loop's thread.  A ring carries only where the account now
stands; whoever hears it reads the store, so a lost or doubled ring harms nothing.
"""

from collections.abc import Callable, Mapping

from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.model.ports import Events

Ring = Callable[[ModSeq], None]


class Doorbell:
    """Listeners by account."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._listening: dict[AccountId, dict[int, Ring]] = {}
        self._next = 0
        self._on_any: list[Callable[[], None]] = []

    def on_any(self, ring: Callable[[], None]) -> None:
        """Call ring after each commit that touched any account, as long as the store is open."""
        self._on_any.append(ring)

    def listen(self, account: AccountId, ring: Ring) -> "Listener":
        """Call ring after each commit that touched the account, until closed."""
        self._next += 1
        self._listening.setdefault(account, {})[self._next] = ring
        return Listener(self, account, self._next)

    def forget(self, account: AccountId, number: int) -> None:
        """Call that listener no more."""
        rings = self._listening.get(account)
        if rings is not None and rings.pop(number, None) is not None and not rings:
            del self._listening[account]

    def ring(self, touched: Mapping[AccountId, ModSeq]) -> None:
        """Tell the listeners of each account; one that raises does not silence the next."""
        for ring_any in self._on_any if touched else ():
            ring_any()
        for account, modseq in touched.items():
            rings = self._listening.get(account)
            if rings is None:
                continue
            for number, ring in list(rings.items()):
                if number not in rings:
                    continue
                try:
                    ring(modseq)
                except Exception as error:  # a listener's bug must not reach the writer
                    self._events.fault("store.doorbell", error)


class Listener:
    """One listener; close it to stop."""

    __slots__ = ("_account", "_bell", "_number")

    def __init__(self, bell: Doorbell, account: AccountId, number: int) -> None:
        self._bell = bell
        self._account = account
        self._number = number

    def close(self) -> None:
        """Stop; silent the second time."""
        self._bell.forget(self._account, self._number)
