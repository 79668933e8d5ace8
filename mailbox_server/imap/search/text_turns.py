"""Whose text search reads next: one at a time in all, and accounts by turns.

Texts are read in small blocks, each of which takes a turn.  One reader of the store at most
is busy with texts, so that the others stay free for everybody else; and an account has one
block at most in the queue, however many of its sessions search.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from mailbox_server.model.ids import AccountId


class TextTurns:
    """Turns at reading texts, in the order they were asked for among accounts."""

    def __init__(self) -> None:
        self._everybody = asyncio.Lock()
        self._accounts: WeakValueDictionary[AccountId, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, account: AccountId) -> AsyncIterator[None]:
        """Wait for a turn, and have it."""
        own = self._accounts.get(account)
        if own is None:
            own = self._accounts[account] = asyncio.Lock()
        async with own, self._everybody:
            yield
