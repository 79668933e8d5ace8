"""Making the search index anew for an operator, who is told how far it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from mailbox_server.ops import requests
from mailbox_server.store.search_index.catching_up import IndexState, SearchIndexer

_TOLD_EVERY: Final = 0.25


async def reindex(
    indexer: SearchIndexer, send: Callable[[bytes], Awaitable[None]]
) -> requests.IndexRow:
    """Bring the index up and make every part of it anew; one that was interrupted goes on.

    Searches use the old parts until the new ones are whole.  Where the operator goes away
    the server carries on by itself.  Raises IndexStopped, StoreUnavailable.
    """
    await indexer.catch_up()
    if not any(each.is_stale for each in await indexer.segments()):
        await indexer.make_stale()
    whole = await indexer.behind()
    work = asyncio.ensure_future(indexer.renew())
    try:
        while not work.done():
            left = await indexer.behind()
            await send(f"{left} {max(whole, left)}\n".encode())
            await asyncio.wait([work], timeout=_TOLD_EVERY)
        await work
    finally:
        work.cancel()
    return row_of(await indexer.state())


def row_of(state: IndexState) -> requests.IndexRow:
    """What the operator reads of it."""
    return requests.IndexRow(state.messages, state.behind, state.octets)
