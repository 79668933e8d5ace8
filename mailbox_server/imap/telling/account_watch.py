"""How the mailboxes of an account stand, read once for all sessions that are told of them.

Kept only while such sessions are there: a figure for each mailbox, and the subscriptions.  After
a ring the first session that looks reads what moved, the others find it read.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import MailboxStatus
from mailbox_server.store.ports import MovedMailboxes, ReadTx, Store


@dataclass(frozen=True, slots=True)
class Picture:
    """The account at one moment; what did not move is the same object as in the one before.

    mailboxes: of others too, for a session that is told of them.  subscribed: names, also of
    mailboxes that do not exist.  closed: of these mailboxes only the name may be told.
    """

    modseq: ModSeq
    mailboxes: Mapping[MailboxId, MailboxStatus]
    subscribed: frozenset[str]
    closed: frozenset[MailboxId] = frozenset()


class AccountWatch:
    """The newest picture of one account."""

    def __init__(self, store: Store, account: AccountId) -> None:
        self._store = store
        self.account = account
        self.watchers = 0
        self._picture = Picture(ModSeq(0), {}, frozenset())
        self._turn = asyncio.Lock()

    async def at_least(self, modseq: ModSeq) -> Picture:
        """A picture no older than modseq; 1 for any.  Raises StoreUnavailable, AccountMissing."""
        async with self._turn:
            if self._picture.modseq < modseq:
                self._picture = await self._read()
            return self._picture

    async def _read(self) -> Picture:
        before, account = self._picture, self.account

        def work(tx: ReadTx) -> tuple[MovedMailboxes, list[str]]:
            return (
                tx.mailboxes.moved_since(account, before.modseq),
                tx.mailboxes.subscriptions(account),
            )

        moves, names = await self._store.read(work)
        mailboxes = dict(before.mailboxes)
        for number in moves.deleted:
            mailboxes.pop(number, None)
        for status in moves.moved:
            mailboxes[status.mailbox.id] = status
        subscribed = frozenset(names)
        return Picture(
            moves.upto,
            mailboxes,
            before.subscribed if subscribed == before.subscribed else subscribed,
        )


class AccountWatches:
    """The watches of all accounts; one for the whole process."""

    def __init__(self) -> None:
        self._watches: dict[AccountId, AccountWatch] = {}

    def join(self, store: Store, account: AccountId) -> AccountWatch:
        """The account's watch; leave it in the end."""
        watch = self._watches.get(account)
        if watch is None:
            watch = self._watches[account] = AccountWatch(store, account)
        watch.watchers += 1
        return watch

    def leave(self, watch: AccountWatch) -> None:
        """Look at it no more."""
        watch.watchers -= 1
        if not watch.watchers:
            del self._watches[watch.account]
