"""Octets of a stored message or of a part of it: found by UID and section, read in blocks."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mailbox_server.mime.part_table import read_part_table
from mailbox_server.mime.sections import Extent, Piece, Section, Stored, header_extent, pieces
from mailbox_server.mime.sections import length as length_of
from mailbox_server.model.errors import ContentDamaged
from mailbox_server.model.ids import ContentId, MailboxId, MessageId
from mailbox_server.store.ports import Column, ReadTx, Store

READ_OCTETS: Final = 1 << 20
BLOCK_OCTETS: Final = 1 << 17

_COLUMNS: Final = (
    Column.MESSAGE,
    Column.CONTENT,
    Column.TRACE,
    Column.SIZE,
    Column.HEADER_OCTETS,
)


@dataclass(frozen=True, slots=True)
class FoundPart:
    """A section of a message that is there; pieces: None where the message has no such one."""

    content: ContentId
    pieces: tuple[Piece, ...] | None

    @property
    def size(self) -> int:
        """Octets."""
        return length_of(self.pieces or ())


def find_part(tx: ReadTx, mailbox: MailboxId, uid: int, section: Section) -> FoundPart | None:
    """The section of a message; None where the message is not there, or not any more.

    May read the content: not for a glance.  Raises ContentMissing, ContentDamaged.
    """
    columns = (*_COLUMNS, Column.PARTS) if section.parts else _COLUMNS
    rows: Sequence[Any] = tx.messages.rows(mailbox, (uid,), columns)
    if not rows:
        return None
    _, message, number, trace, size, header_octets, *parts = rows[0]
    facts = tx.messages.about(MessageId(message))
    if facts is None or (mailbox, uid) not in facts.places:
        return None
    table = read_part_table(parts[0]) if parts else None
    stored = Stored(number, trace, size, header_octets, table)
    content = ContentId(number)
    extent = header_extent(section, stored)
    header = b"" if extent is None else read_extent(tx, content, extent)
    found = pieces(section, stored, header)
    return FoundPart(content, None if found is None else tuple(found))


async def part_blocks(store: Store, part: FoundPart) -> AsyncGenerator[bytes, None]:
    """The part's octets in blocks of at most 128 KiB, header fields perhaps in longer ones.

    The content has been reached before the first block comes.  No read of the store is open
    while a block is used.  Raises ContentMissing, ContentDamaged.
    """
    before = b""
    for piece in part.pieces or ():
        if isinstance(piece, bytes):
            before += piece
            continue
        for start in range(piece.start, piece.end, BLOCK_OCTETS):
            extent = Extent(start, min(start + BLOCK_OCTETS, piece.end))
            yield before + await store.read(_reading(part.content, extent))
            before = b""
    if before:
        yield before


def _reading(content: ContentId, extent: Extent) -> Callable[[ReadTx], bytes]:
    return lambda tx: read_extent(tx, content, extent)


def read_extent(tx: ReadTx, content: ContentId, extent: Extent) -> bytes:
    """Octets of a content, all of them.  Raises ContentMissing, ContentDamaged."""
    found = []
    start = extent.start
    while start < extent.end:
        octets = tx.contents.read(content, start, min(READ_OCTETS, extent.end - start))
        if not octets:
            raise ContentDamaged("the content is shorter than its row says")
        found.append(octets)
        start += len(octets)
    return found[0] if len(found) == 1 else b"".join(found)
