"""A door of the store that notes which writes of the account went through it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.store.ports import (
    Candidates,
    Listening,
    Preparation,
    Reading,
    ReadTx,
    Room,
    StagedContent,
    Staging,
    Store,
    TextCriterion,
    WriteTx,
)

T = TypeVar("T")


class OwnWrites:
    """Implements store.ports.Store over another one.

    made: the modseqs of the account that writes through here have taken, until forgotten.
    """

    def __init__(self, store: Store, account: AccountId) -> None:
        self._store = store
        self._account = account
        self.made: set[ModSeq] = set()

    async def write(
        self,
        work: Callable[[WriteTx], T],
        contents: Sequence[StagedContent] = (),
        after: Preparation | None = None,
    ) -> T:
        """As store.ports.Store."""
        account = self._account

        def noted(tx: WriteTx) -> tuple[T, ModSeq, ModSeq]:
            before = tx.changes.state(account).stamp
            value = work(tx)
            return value, before, tx.changes.state(account).stamp

        value, before, taken = await self._store.write(noted, contents, after)
        if taken > before:
            self.made.add(taken)
        return value

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        """As store.ports.Store."""
        return await self._store.read(work)

    def begin_read(self, work: Callable[[ReadTx], T]) -> Reading[T]:
        """As store.ports.Store."""
        return self._store.begin_read(work)

    def glance(self, work: Callable[[ReadTx], T]) -> T:
        """As store.ports.Store."""
        return self._store.glance(work)

    def recalled_candidates(
        self, account: AccountId, criterion: TextCriterion
    ) -> Candidates | None:
        """As store.ports.Store."""
        return self._store.recalled_candidates(account, criterion)

    def stage(self, expected: int | None = None) -> Staging:
        """As store.ports.Store."""
        return self._store.stage(expected)

    def listen(self, account: AccountId, ring: Callable[[ModSeq], None]) -> Listening:
        """As store.ports.Store."""
        return self._store.listen(account, ring)

    @property
    def owners_generation(self) -> int:
        """As store.ports.Store."""
        return self._store.owners_generation

    @property
    def bounces_generation(self) -> int:
        """As store.ports.Store."""
        return self._store.bounces_generation

    @property
    def attached_upto(self) -> int:
        """As store.ports.Store."""
        return self._store.attached_upto

    def room(self) -> Room:
        """As store.ports.Store."""
        return self._store.room()
