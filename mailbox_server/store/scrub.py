"""The scrub: every content read whole and compared with its SHA-256.

SQLite's own integrity check is content with a flipped octet inside a row, and says nothing
about files.  A scrub reads some contents in each read, so that no snapshot lives long.
"""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.errors import ContentDamaged, ContentMissing
from mailbox_server.model.ids import ContentId
from mailbox_server.store.ports import ReadTx, Store
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.contents import CHUNK_OCTETS, content
from mailbox_server.store.unhurried import Rest, at_once

_ROWS_AT_ONCE: Final = 100
_OCTETS_AT_ONCE: Final = 4 * 1024 * 1024

_AFTER: Final = Prepared(
    sa.select(content.c.id, content.c.size, content.c.digest)
    .where(content.c.id > sa.bindparam("after"))
    .order_by(content.c.id)
    .limit(sa.bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class _Row:
    content: ContentId
    size: int
    digest: bytes


async def damaged_contents(store: Store, rest: Rest = at_once) -> AsyncIterator[ContentId]:
    """Each content that is no longer what was received, by ascending id.

    rest: called between two of them.
    """
    after = 0
    while True:
        rows = await store.read(_rows_after(after))
        if not rows:
            return
        for row in rows:
            after = row.content
            if not await _is_whole(store, row):
                yield row.content
            await rest()


def _rows_after(after: int) -> Callable[[ReadTx], list[_Row]]:
    def work(tx: ReadTx) -> list[_Row]:
        assert isinstance(tx, Repositories)
        found = _AFTER.rows(tx.sql, after=after, most=_ROWS_AT_ONCE)
        return [_Row(ContentId(number), size, digest) for number, size, digest in found]

    return work


async def _is_whole(store: Store, row: _Row) -> bool:
    sha = hashlib.sha256()
    for start in range(0, row.size, _OCTETS_AT_ONCE):
        end = min(start + _OCTETS_AT_ONCE, row.size)
        try:
            sha = await store.read(_digesting(row.content, sha, start, end))
        except ContentMissing:
            # It was collected meanwhile.
            return True
        except ContentDamaged:
            return False
    return sha.digest() == row.digest


def _digesting(
    content: ContentId, sha: "hashlib._Hash", start: int, end: int
) -> Callable[[ReadTx], "hashlib._Hash"]:
    def work(tx: ReadTx) -> "hashlib._Hash":
        grown = sha.copy()
        for position in range(start, end, CHUNK_OCTETS):
            grown.update(tx.contents.read(content, position, min(CHUNK_OCTETS, end - position)))
        return grown

    return work
