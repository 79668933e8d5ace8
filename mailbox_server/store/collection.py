"""Garbage collection: contents that nobody holds, and files that no row names.

A content row is deleted in a write that looks again whether it is still unheld, and its
file is unlinked after that commit, when no read that saw the row is left.  A file without a
row is swept only when it is old and no receiver holds it.  Files are never found by their
octets (content_files says why), so a second delivery of the same octets meets neither.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from mailbox_server.store.content_files import ContentFiles
from mailbox_server.store.deleted_mailboxes import purge_deleted
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import ReadTx, WriteTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.removed_accounts import purge_removed
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.contents import CHUNK_BITS, content, content_chunk

_MOST_ROWS: Final = 200
_MOST_OCTETS: Final = 8 * 1024 * 1024
_NAMES_AT_ONCE: Final = 500

_UNHELD: Final = Prepared(
    sa.select(content.c.id, content.c.size, content.c.file)
    .where(content.c.released <= sa.bindparam("before"))
    .order_by(content.c.released)
    .limit(sa.bindparam("most"))
)
_DELETE: Final = Prepared(
    sa.delete(content)
    .where(
        content.c.id == sa.bindparam("content"),
        content.c.holders == sa.literal_column("0"),
        content.c.released <= sa.bindparam("before"),
    )
    .returning(content.c.size, content.c.file)
)
_DELETE_CHUNKS: Final = Prepared(
    sa.delete(content_chunk).where(
        content_chunk.c.id.between(sa.bindparam("first"), sa.bindparam("last"))
    )
)
_NAMED: Final = Prepared(sa.select(content.c.file).where(content.c.file == sa.bindparam("file")))


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed."""

    contents: int = 0
    octets: int = 0


async def collect(store: SqliteStore, before: int) -> Collected:
    """Remove contents released at or before that second, in steps that delay nobody.

    Accounts that were removed are purged first, so that what they held is released, and
    deleted mailboxes.  Below the low mark of room call it with the present moment: no grace
    then.
    """
    await purge_deleted(store)
    await purge_removed(store)
    contents = octets = 0
    while True:
        candidates = await store.read(_candidates(before))
        if not candidates:
            return Collected(contents, octets)
        removed = await store.write(_removal(candidates, before))
        files = [file for _, file in removed if file is not None]
        await unlink(store, files)
        contents += len(removed)
        octets += sum(size for size, _ in removed)
        # Whoever waits for the loop goes first.
        await asyncio.sleep(0)


async def sweep(store: SqliteStore, before: float) -> int:
    """Remove content files last written before that second that no row names; how many."""
    old = await store.on_files(lambda: _older(store.files, before))
    # In this order: a name leaves the held ones only after its row was committed, so each
    # is seen here or there.
    held = store.held_files
    swept = 0
    for start in range(0, len(old), _NAMES_AT_ONCE):
        names = [name for name in old[start : start + _NAMES_AT_ONCE] if name not in held]
        orphans = await store.read(_unnamed(names))
        await unlink(store, orphans)
        swept += len(orphans)
    return swept


async def unlink(store: SqliteStore, names: Sequence[str]) -> None:
    """Remove content files that no row names any more, once nobody reads them."""
    if names:
        await store.past_reads()
        await store.on_files(_unlinking(store.files, names))


def _candidates(before: int) -> Callable[[ReadTx], list[int]]:
    def work(tx: ReadTx) -> list[int]:
        assert isinstance(tx, Repositories)
        chosen: list[int] = []
        octets = 0
        for number, size, file in _UNHELD.rows(tx.sql, before=before, most=_MOST_ROWS):
            octets += size if file is None else 0
            if chosen and octets > _MOST_OCTETS:
                break
            chosen.append(number)
        return chosen

    return work


def _removal(
    candidates: Sequence[int], before: int
) -> Callable[[WriteTx], list[tuple[int, str | None]]]:
    def work(tx: WriteTx) -> list[tuple[int, str | None]]:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        removed: list[tuple[int, str | None]] = []
        for number in candidates:
            row = _DELETE.row(tx.sql, content=number, before=before)
            if row is None:
                continue
            first = number << CHUNK_BITS
            _DELETE_CHUNKS.run(tx.sql, first=first, last=first + (1 << CHUNK_BITS) - 1)
            removed.append((row[0], row[1]))
        return removed

    return work


def _unnamed(names: Sequence[str]) -> Callable[[ReadTx], list[str]]:
    def work(tx: ReadTx) -> list[str]:
        assert isinstance(tx, Repositories)
        return [name for name in names if _NAMED.row(tx.sql, file=name) is None]

    return work


def _unlinking(files: ContentFiles, names: Sequence[str]) -> Callable[[], None]:
    def job() -> None:
        for name in names:
            files.remove(name)

    return job


def _older(files: ContentFiles, before: float) -> list[str]:
    return [name for name, written in files.settled() if written < before]
