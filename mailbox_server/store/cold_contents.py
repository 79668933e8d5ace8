"""Compressing contents that have lain for a while, a little at a time.

Contents are walked by ascending id, the order they came in.  At most STEP_OCTETS are read,
compressed in a thread, and written.  A write only swaps octets, and only where they still
lie as received; they never change otherwise, so that nothing more need be looked at.  Each
content has its turn once, whether it shrinks or not.  How far the walk has come is known to
this process only: after a start it passes quickly over what had its turn.

Killed anywhere, each piece lies one way or the other and is read either way.  A compressed
file gets a new name and is on the disk, with its folder, before the row names it; the old
one is unlinked after that commit, when no read that saw the old row is left.  What a crash
leaves of either is swept (store.collection).

Measured with the corpus of store.frames, of which 63 in 100 octets lay in rows, on a disk
and two busy cores: 15 ms of processor a MB.  Rows took 2.1 times fewer pages afterwards,
files 1.3 times fewer octets, both together 1.7 times.  A write held the writer for 0.1 to
1 ms, 13 ms in one of a hundred.
"""

import asyncio
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.errors import ContentDamaged, ContentMissing
from mailbox_server.model.ids import ContentId
from mailbox_server.store.collection import unlink
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.frames import compress, is_worth_it, told
from mailbox_server.store.ports import ReadTx, Room, WriteTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.contents import (
    CHUNK_BITS,
    CHUNK_OCTETS,
    content,
    content_chunk,
)
from mailbox_server.store.staging import Staged

STEP_OCTETS: Final = 2 * CHUNK_OCTETS
_STEP_CONTENTS: Final = 128
_ROWS_AT_ONCE: Final = 1_000
_PAUSE_AFTER: Final = 8 * 1024 * 1024
_PAUSE: Final = 0.1
"""Seconds; an idle writer folds the log in meanwhile, before it must while others wait."""

_CONTENT: Final[sa.BindParameter[int]] = sa.bindparam("content")
_AFTER: Final = Prepared(
    sa.select(content.c.id, content.c.size, content.c.file, content.c.raw_since, content.c.released)
    .where(content.c.id > sa.bindparam("after"))
    .order_by(content.c.id)
    .limit(sa.bindparam("most"))
)
_SWAP_PIECE: Final = Prepared(
    sa.update(content_chunk)
    .where(content_chunk.c.id == sa.bindparam("chunk"), content_chunk.c.expands_to.is_(None))
    .values(expands_to=sa.bindparam("size"), octets=sa.bindparam("frame"))
)
_SWAP_FILE: Final = Prepared(
    sa.update(content)
    .where(
        content.c.id == _CONTENT,
        content.c.file == sa.bindparam("old"),
        content.c.frames.is_(None),
    )
    .values(file=sa.bindparam("new"), frames=sa.bindparam("told"), raw_since=sa.null())
)
_HAD_ITS_TURN: Final = Prepared(
    sa.update(content).where(content.c.id == _CONTENT).values(raw_since=sa.null())
)


@dataclass(frozen=True, slots=True)
class Compressed:
    """How many contents had their turn, their octets as received, and how many were saved."""

    contents: int = 0
    octets: int = 0
    saved: int = 0

    def __add__(self, more: "Compressed") -> "Compressed":
        return Compressed(
            self.contents + more.contents, self.octets + more.octets, self.saved + more.saved
        )


@dataclass(frozen=True, slots=True)
class _Cold:
    """A content whose turn it is."""

    content: ContentId
    size: int
    file: str | None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of the walk: what is cold in it, the last id in it, whether to go on behind it."""

    cold: Sequence[_Cold]
    last: int
    goes_on: bool


@dataclass(frozen=True, slots=True)
class _Piece:
    """One piece; with the last one its content has had its turn."""

    content: ContentId
    number: int
    size: int
    is_last: bool


class ColdContents:
    """Walks through the contents of a store and compresses them."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._after = 0

    async def compress(self, before: int, most: int) -> Compressed:
        """Compress contents kept at or before that second, until most octets had their turn.

        Call it again to go on.  Nothing is done while room is low: compressing takes room
        before it gives some.  Whatever the store raises passes; nothing is lost then.
        """
        done, paused_at = Compressed(), 0
        while done.octets < most and self._store.room() is not Room.LOW:
            stretch = await self._store.read(_stretch(self._after, before))
            for pieces in _steps([cold for cold in stretch.cold if cold.file is None]):
                done += await self._compress_rows(pieces)
            for cold in stretch.cold:
                if cold.file is not None:
                    done += await self._compress_file(cold, cold.file)
            self._after = stretch.last
            if not stretch.goes_on:
                break
            if done.octets - paused_at >= _PAUSE_AFTER:
                paused_at = done.octets
                await asyncio.sleep(_PAUSE)
        return done

    async def _compress_rows(self, pieces: Sequence[_Piece]) -> Compressed:
        frames = await self._frames(pieces)
        return await self._store.write(_swapping_pieces(pieces, frames))

    async def _compress_file(self, cold: _Cold, file: str) -> Compressed:
        staging = self._store.stage_file()
        lengths = array("Q")
        try:
            for pieces in _steps([cold]):
                frames = [each for each in await self._frames(pieces) if each is not None]
                if len(frames) < len(pieces):
                    staging.discard()
                    return Compressed()
                lengths.extend(map(len, frames))
                if not is_worth_it(sum(lengths), cold.size):
                    staging.discard()
                    await self._store.write(_given_its_turn(cold.content))
                    return Compressed(1, cold.size)
                if staging.feed(b"".join(frames)):
                    await staging.drained()
            staged = await staging.finish()
        except BaseException:  # whatever it was, what was written must go
            staging.discard()
            raise
        swapping = _swapping_file(cold.content, file, staged, told(lengths))
        if not await self._store.write(swapping, (staged,)):
            return Compressed()
        await unlink(self._store, [file])
        return Compressed(1, cold.size, cold.size - staged.size)

    async def _frames(self, pieces: Sequence[_Piece]) -> list[bytes | None]:
        """The frame of each piece; None where the piece cannot be read, or not framed."""
        found = await self._store.read(_octets_of(pieces))
        return await self._store.on_files(
            lambda: [None if octets is None else compress(octets) for octets in found]
        )


def _stretch(after: int, before: int) -> Callable[[ReadTx], _Stretch]:
    def work(tx: ReadTx) -> _Stretch:
        assert isinstance(tx, Repositories)
        rows = _AFTER.rows(tx.sql, after=after, most=_ROWS_AT_ONCE)
        cold: list[_Cold] = []
        last, octets = after, 0
        for number, size, file, raw_since, released in rows:
            if raw_since is not None and released is None:
                # A time yet to come is an old one: the clock was put back.
                if before < raw_since <= tx.sql.now:
                    return _Stretch(cold, last, goes_on=False)
                octets += size
                if cold and (octets > STEP_OCTETS or len(cold) == _STEP_CONTENTS):
                    return _Stretch(cold, last, goes_on=True)
                cold.append(_Cold(ContentId(number), size, file))
            last = number
        return _Stretch(cold, last, goes_on=len(rows) == _ROWS_AT_ONCE)

    return work


def _steps(contents: Sequence[_Cold]) -> Iterator[list[_Piece]]:
    """The pieces of contents in order, at most STEP_OCTETS at a time."""
    step: list[_Piece] = []
    octets = 0
    for cold in contents:
        # Content of no octets has one piece without any, so that it has its turn as well.
        for start in range(0, cold.size or 1, CHUNK_OCTETS):
            size = min(CHUNK_OCTETS, cold.size - start)
            if octets + size > STEP_OCTETS:
                yield step
                step, octets = [], 0
            is_last = start + CHUNK_OCTETS >= cold.size
            step.append(_Piece(cold.content, start // CHUNK_OCTETS, size, is_last))
            octets += size
    if step:
        yield step


def _octets_of(pieces: Sequence[_Piece]) -> Callable[[ReadTx], list[bytes | None]]:
    def octets(tx: ReadTx, piece: _Piece) -> bytes | None:
        try:
            return tx.contents.read(piece.content, piece.number * CHUNK_OCTETS, piece.size)
        except (ContentMissing, ContentDamaged):
            # Collected meanwhile, or for the scrub to tell.
            return None

    return lambda tx: [octets(tx, piece) for piece in pieces]


def _swapping_pieces(
    pieces: Sequence[_Piece], frames: Sequence[bytes | None]
) -> Callable[[WriteTx], Compressed]:
    def work(tx: WriteTx) -> Compressed:
        assert isinstance(tx, Repositories)
        contents = octets = saved = 0
        for piece, frame in zip(pieces, frames, strict=True):
            if frame is None:
                continue
            octets += piece.size
            if is_worth_it(len(frame), piece.size):
                chunk = (piece.content << CHUNK_BITS) + piece.number
                if _SWAP_PIECE.run(tx.sql, chunk=chunk, size=piece.size, frame=frame):
                    saved += piece.size - len(frame)
            if piece.is_last:
                contents += _HAD_ITS_TURN.run(tx.sql, content=piece.content)
        return Compressed(contents, octets, saved)

    return work


def _swapping_file(
    number: ContentId, old: str, staged: Staged, frames: bytes
) -> Callable[[WriteTx], bool]:
    def work(tx: WriteTx) -> bool:
        assert isinstance(tx, Repositories)
        if not _SWAP_FILE.run(tx.sql, content=number, old=old, new=staged.file, told=frames):
            return False
        tx.sql.after_commit(staged.kept)
        return True

    return work


def _given_its_turn(number: ContentId) -> Callable[[WriteTx], None]:
    def work(tx: WriteTx) -> None:
        assert isinstance(tx, Repositories)
        _HAD_ITS_TURN.run(tx.sql, content=number)

    return work
