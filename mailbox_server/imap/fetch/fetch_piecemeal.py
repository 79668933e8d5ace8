"""FETCH of a message that is too large to be held, section by section.

Sections go out in blocks of about 256 KiB, each read on its own.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

from mailbox_server.delivery.message_parts import read_extent
from mailbox_server.imap.fetch.encoded_parts import encoded_part
from mailbox_server.imap.fetch.fetch_lines import Columns, FetchLines, opening
from mailbox_server.imap.fetch.fetch_plan import BinaryPlan, FetchPlan, SectionPlan
from mailbox_server.imap.fetch.part_decoder import PartDecoder
from mailbox_server.imap.grammar.fetch_items import BinarySize
from mailbox_server.imap.views.selected import SightColumns
from mailbox_server.mime.sections import Extent, Piece, Stored, header_extent, length, pieces
from mailbox_server.model.ids import ContentId
from mailbox_server.store.ports import ReadTx, Store

PIECE_OCTETS: Final = 1 << 18


class LargeMessage(NamedTuple):
    """A message whose sections are not read together; of one message all."""

    sight: SightColumns
    columns: Columns
    end: bytes
    stored: Stored


class Piecemeal:
    """Answers one FETCH for large messages; the encodings of all parts asked for are known."""

    def __init__(self, store: Store, plan: FetchPlan, decoder: PartDecoder) -> None:
        self._store = store
        self._lines = FetchLines(plan)
        self._sections = plan.sections
        self._decoder = decoder

    async def response(self, large: LargeMessage) -> AsyncGenerator[bytes, None]:
        """One response, its sections one after the other.

        Raises ContentMissing, ContentDamaged, StoreUnavailable in the middle of it.
        """
        lines, sight, columns = self._lines, large.sight, large.columns
        for place, section in enumerate(self._sections):
            if isinstance(section, BinaryPlan):
                begin, octets = await self._open_binary(section, large.stored)
            else:
                begin, octets = await self._open(section, large.stored)
            yield lines.before(place, sight, columns, begin)
            async with aclosing(octets):
                async for piece in octets:
                    yield piece
        yield lines.before(len(self._sections), sight, columns, large.end)

    async def _open(
        self, section: SectionPlan, stored: Stored
    ) -> tuple[bytes, AsyncGenerator[bytes, None]]:
        """What stands before a section's octets, and they themselves."""
        found = await self._store.read(_pieces_reader(section, stored))
        begin = opening(None if found is None else length(found))
        return begin, self._read(found or (), stored)

    async def _read(self, found: Sequence[Piece], stored: Stored) -> AsyncGenerator[bytes, None]:
        for piece in found:
            if isinstance(piece, bytes):
                yield piece
                continue
            for start in range(piece.start, piece.end, PIECE_OCTETS):
                part = Extent(start, min(start + PIECE_OCTETS, piece.end))
                yield await self._store.read(_extent_reader(stored.content, part))

    async def _open_binary(
        self, section: BinaryPlan, stored: Stored
    ) -> tuple[bytes, AsyncGenerator[bytes, None]]:
        """The same of a part that is decoded; nothing comes behind its size."""
        is_size = isinstance(section.section, BinarySize)
        part = encoded_part(section, stored)
        if part is None:
            return b" 0" if is_size else opening(None), _nothing()
        content = ContentId(stored.content)
        window = await self._decoder.window(self._store, content, part)
        if is_size:
            return b" %d" % window.length, _nothing()
        begin = opening(window.length, holds_nul=window.holds_nul)
        return begin, self._decoder.octets(self._store, content, part, window)


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield


def _pieces_reader(section: SectionPlan, stored: Stored) -> Callable[[ReadTx], list[Piece] | None]:
    def work(tx: ReadTx) -> list[Piece] | None:
        extent = header_extent(section.wanted, stored)
        content = ContentId(stored.content)
        header = b"" if extent is None else read_extent(tx, content, extent)
        return pieces(section.wanted, stored, header)

    return work


def _extent_reader(content: int, extent: Extent) -> Callable[[ReadTx], bytes]:
    return lambda tx: read_extent(tx, ContentId(content), extent)
