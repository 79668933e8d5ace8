"""Content octets in the database and beside it (schema.contents says how they lie).

A read checks every piece it touches by its CRC-32, so it never hands out what the disk
changed; the SHA-256 of the whole is the scrub's.  The price is that a read takes whole
pieces of 256 KiB from the disk, whatever part of them it was asked for.  Pieces that were
compressed (store.cold_contents) are expanded on the way, one by one.
"""

import json
from collections.abc import Collection, Mapping
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.errors import ContentDamaged, ContentMissing
from mailbox_server.model.ids import ContentId
from mailbox_server.store.content_files import ContentFiles
from mailbox_server.store.dialect.sqlite import numbers, records
from mailbox_server.store.digesting import are_whole, matches
from mailbox_server.store.frames import expand, placed
from mailbox_server.store.ports import StagedContent
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.contents import (
    CHUNK_BITS,
    CHUNK_OCTETS,
    content,
    content_chunk,
)
from mailbox_server.store.staging import Staged
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import range_values

_MOST_READ: Final = 1024 * 1024

_FIND: Final = Prepared(
    sa.select(content.c.size, content.c.checksums, content.c.file, content.c.frames).where(
        content.c.id == sa.bindparam("content")
    )
)
_CHUNK: Final = Prepared(
    sa.select(content_chunk.c.expands_to, content_chunk.c.octets).where(
        content_chunk.c.id == sa.bindparam("chunk")
    )
)
_FEW_RANGES: Final = 4
"""Up to so many ranges of ids are asked for one by one, more of them as a list."""


def _small(ids: sa.ColumnElement[bool]) -> Prepared:
    return Prepared(
        sa.select(
            content.c.id,
            content.c.size,
            content.c.checksums,
            content_chunk.c.expands_to,
            content_chunk.c.octets,
        )
        .join_from(
            content,
            content_chunk,
            content_chunk.c.id == content.c.id.op("<<")(sa.literal_column(str(CHUNK_BITS))),
        )
        .where(
            ids,
            content.c.size <= sa.literal_column(str(CHUNK_OCTETS)),
            content.c.file.is_(None),
        )
    )


_SMALL: Final = _small(content.c.id.between(sa.bindparam("first"), sa.bindparam("last")))
_SMALL_LISTED: Final = _small(content.c.id.in_(numbers("contents")))
_ADD: Final = Prepared(
    sa.insert(content).values(
        id=sa.bindparam("number"),
        size=sa.bindparam("size"),
        digest=sa.bindparam("digest"),
        checksums=sa.bindparam("checksums"),
        ends_line=sa.bindparam("ends_line"),
        file=sa.bindparam("file"),
        holders=sa.literal_column("1"),
        raw_since=sa.bindparam("now"),
    )
)
_ADD_CHUNK: Final = Prepared(
    sa.insert(content_chunk).values(id=sa.bindparam("chunk"), octets=sa.bindparam("octets"))
)
_HOLD: Final = Prepared(
    sa.update(content)
    .where(content.c.id == sa.bindparam("content"))
    .values(holders=content.c.holders + sa.literal_column("1"), released=sa.null())
)
_UNHELD: Final = Prepared(
    sa.update(content)
    .where(content.c.id == sa.bindparam("content"))
    .values(holders=sa.literal_column("0"))
)
_LET_GO: Final = records("let_go", ("content", "count"))
_RELEASE: Final = Prepared(
    sa.update(content)
    .where(content.c.id == _LET_GO.c.content)
    .values(
        holders=content.c.holders - _LET_GO.c.count,
        released=sa.case(
            (content.c.holders <= _LET_GO.c.count, sa.bindparam("now")), else_=sa.null()
        ),
    )
)


class ContentRepository:
    """Content octets (ports.ContentReader, ports.ContentWriter)."""

    def __init__(self, tx: SqlTx, files: ContentFiles) -> None:
        self._tx = tx
        self._files = files

    def size(self, content: ContentId) -> int:
        """Raises ContentMissing."""
        size = self._tx.kept.get(content)
        if size is None:
            size = self._find(content)[0]
        return size

    def read(self, content: ContentId, start: int, length: int) -> bytes:
        """Octets [start, start + length), shorter at the end; at most 1 MiB at a time.

        Raises ContentMissing, ContentDamaged.
        """
        assert start >= 0 and length <= _MOST_READ
        size, checksums, file, frames = self._find(content)
        end = min(start + length, size)
        if end <= start:
            return b""
        first = start // CHUNK_OCTETS
        pieces = []
        for piece in range(first, (end - 1) // CHUNK_OCTETS + 1):
            if file is None:
                octets = self._from_row(content, size, piece)
            else:
                octets = self._from_file(content, size, file, frames, piece)
            if octets is None or not matches(octets, checksums, piece):
                raise ContentDamaged(f"content {content}: piece {piece} is not what it was")
            pieces.append(octets)
        whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        skipped = first * CHUNK_OCTETS
        if start == skipped and end == skipped + len(whole):
            return whole
        return whole[start - skipped : end - skipped]

    def small(self, contents: Collection[ContentId]) -> dict[ContentId, bytes]:
        """Those of the contents that lie in one piece in a row, whole.

        Raises ContentDamaged.
        """
        ids = sorted(set(contents))
        ranges = range_values(ids)
        if len(ranges) > _FEW_RANGES:
            rows = _SMALL_LISTED.rows(self._tx, contents=json.dumps(ids))
        else:
            rows = _SMALL.rows_each(self._tx, ranges)
        found: dict[ContentId, bytes] = {}
        for number, size, _, expands_to, octets in rows:
            whole = octets if expands_to is None else expand(octets, size)
            if whole is None:
                raise ContentDamaged(f"content {number}: its frame cannot be expanded")
            found[number] = whole
        if not are_whole(tuple(found.values()), [row[2] for row in rows]):
            damaged = [row[0] for row in rows if not matches(found[row[0]], row[2], 0)]
            raise ContentDamaged(f"contents {damaged}: piece 0 is not what it was")
        return found

    def keep(self, staged: StagedContent) -> ContentId:
        """Give staged content its row; a message must hold it in the same write.

        May be called again with the same staged content when work is run again.
        """
        assert isinstance(staged, Staged), "content staged by another store"
        tx = self._tx
        number = ContentId(tx.draw("content"))
        _ADD.run(
            tx,
            number=number,
            size=staged.size,
            digest=staged.digest,
            checksums=staged.checksums,
            ends_line=int(staged.ends_line),
            file=staged.file,
            now=tx.now,
        )
        if staged.file is None:
            for start in range(0, staged.size, CHUNK_OCTETS):
                _ADD_CHUNK.run(
                    tx,
                    chunk=(number << CHUNK_BITS) + start // CHUNK_OCTETS,
                    octets=staged.read(start, CHUNK_OCTETS),
                )
        # The row says that one message holds it: mostly one will.
        tx.kept[number] = staged.size
        tx.unheld.add(number)
        tx.at_end(self._count_unheld)
        tx.after_commit(staged.kept)
        return number

    def _count_unheld(self) -> None:
        while self._tx.unheld:
            _UNHELD.run(self._tx, content=self._tx.unheld.pop())

    def hold(self, content: ContentId) -> None:
        """One more message row names the content.  Raises ContentMissing."""
        if content in self._tx.unheld:
            self._tx.unheld.discard(content)
            return
        if _HOLD.run(self._tx, content=content) == 0:
            raise ContentMissing("no such content")

    def release(self, content: ContentId, count: int = 1) -> None:
        """That many message rows name it no more; unheld, it goes after the grace."""
        self.release_all({content: count})

    def release_all(self, counts: Mapping[ContentId, int]) -> None:
        """The same of many contents."""
        _RELEASE.run(self._tx, let_go=json.dumps(list(counts.items())), now=self._tx.now)

    def _find(self, content: ContentId) -> tuple[int, bytes, str | None, bytes | None]:
        found: tuple[int, bytes, str | None, bytes | None] | None
        found = _FIND.row(self._tx, content=content)
        if found is None:
            raise ContentMissing("no such content")
        return found

    def _from_row(self, content: ContentId, size: int, piece: int) -> bytes | None:
        row: tuple[int | None, bytes] | None
        row = _CHUNK.row(self._tx, chunk=(content << CHUNK_BITS) + piece)
        if row is None:
            return None
        if row[0] is None:
            return row[1]
        return expand(row[1], min(CHUNK_OCTETS, size - piece * CHUNK_OCTETS))

    def _from_file(
        self, content: ContentId, size: int, file: str, frames: bytes | None, piece: int
    ) -> bytes | None:
        start = piece * CHUNK_OCTETS
        length = min(CHUNK_OCTETS, size - start)
        try:
            if frames is None:
                return self._files.read(file, start, length)
            return expand(self._files.read(file, *placed(frames, piece)), length)
        except OSError as error:
            raise ContentDamaged(f"content {content}: its file cannot be read") from error
