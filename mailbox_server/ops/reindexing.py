"""Making search index and attached texts anew for an operator, who is told how far it is."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

from mailbox_server.store.attached_text.catching_up import AttachedTexts
from mailbox_server.store.search_index.catching_up import SearchIndexer

_TOLD_EVERY: Final = 0.25


async def reindex(
    indexer: SearchIndexer, attached: AttachedTexts, send: Callable[[bytes], Awaitable[None]]
) -> None:
    """Bring both up and make every part of them anew; one that was interrupted goes on.

    Searches use the old parts of the index, and the old texts, until the new ones are whole.
    Where the operator goes away the server carries on by itself.  Raises IndexStopped,
    ReadingStopped, StoreUnavailable.
    """

    async def told(work: Coroutine[None, None, None]) -> None:
        left = whole = await _behind(indexer, attached)
        running = asyncio.ensure_future(work)
        try:
            while not running.done():
                await send(f"{left} {max(whole, left)}\n".encode())
                await asyncio.wait([running], timeout=_TOLD_EVERY)
                if not running.done():
                    left = await _behind(indexer, attached)
            await running
        finally:
            running.cancel()

    # Asked first: the server, which carries on, may have done it by the time that it is caught up.
    goes_on = any(each.is_stale for each in await indexer.segments())
    if await indexer.behind():
        await told(indexer.catch_up())
    if not goes_on:
        await indexer.make_stale()
    await attached.begin_anew()
    await told(_renew(indexer, attached))


async def _renew(indexer: SearchIndexer, attached: AttachedTexts) -> None:
    await indexer.renew()
    await attached.catch_up()


async def _behind(indexer: SearchIndexer, attached: AttachedTexts) -> int:
    return await indexer.behind() + await attached.behind()
