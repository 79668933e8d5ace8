"""The search index of short mail takes at most three tenths of what it is made of."""

import sqlite3
from pathlib import Path

from mailbox_server.store.search_index import gathering
from tests.bench.short_messages import short_messages
from tests.contract.conftest import TurnedClock
from tests.search_store import SearchStore

_MESSAGES = 2_500


async def octets_of_texts(searched: SearchStore) -> int:
    """Of the stored texts of bodies, in UTF-8, and of the headers."""
    octets, after = 0, 0
    newest = await searched.store.read(gathering.newest)
    while after < newest:
        stretch = await searched.store.read_through(
            lambda tx, after=after: gathering.gathered(tx, after, newest)
        )
        for raw in stretch.messages:
            assert raw.header is not None
            octets += len(gathering.entry(raw).body.encode()) + len(raw.header)
        after = stretch.upto
    return octets


async def test_short_texts_and_signed_headers_take_a_small_part_of_themselves(
    data: Path, clock: TurnedClock
) -> None:
    searched = await SearchStore.open(data, clock)
    await searched.deliver("ann", short_messages(0, _MESSAGES))
    await searched.indexer.catch_up()
    path = searched.store.index.path
    assert path is not None
    texts = await octets_of_texts(searched)
    await searched.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size <= 0.3 * texts
