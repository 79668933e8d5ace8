"""Which accounts may send, and some to whom they have written, so that a write asks less.

It is what committed writes found, with the generation of owners that they saw.  A write that
sees the same generation may go by it: no account has changed since, and whom an account wrote
to is forgotten with the account only.  Any other write looks again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mailbox_server.model.ids import AccountId

ACCOUNTS: Final = 256
CORRESPONDENTS: Final = 1_000
"""Of one account; past that many its memory begins anew."""


@dataclass(slots=True)
class KnownSender:
    """generation: WriteTx.owners_generation, at which the account could send.

    correspondents: keys of addresses.  They become more while writes look at them.
    """

    generation: int
    correspondents: set[str] = field(default_factory=set)


class KnownSenders:
    """A bounded memory; put is called in the event loop's thread only, find in any."""

    def __init__(self) -> None:
        self._known: dict[AccountId, KnownSender] = {}

    def find(self, account: AccountId) -> KnownSender | None:
        """What is known of the account; None says nothing."""
        return self._known.get(account)

    def put(self, account: AccountId, generation: int, correspondents: Iterable[str]) -> None:
        """A write has found that, and is committed; said in the order of commits.

        Who has sent nothing for longest is forgotten.
        """
        known = self._known.pop(account, None)
        is_full = known is not None and len(known.correspondents) >= CORRESPONDENTS
        if known is None or known.generation != generation or is_full:
            known = KnownSender(generation)
        if len(self._known) >= ACCOUNTS:
            del self._known[next(iter(self._known))]
        known.correspondents.update(correspondents)
        self._known[account] = known
