"""Format FETCH responses: from the view alone, from rows, or with content octets streamed.

Everything goes out in blocks of about 64 KiB; no read of the store is open while the
network is waited for.  Content of small messages comes with their rows, many in one read;
of a large one it is read in pieces, each its own read.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from mailbox_server.imap.fetch_plan import (
    Extent,
    FetchPlan,
    Piece,
    SectionPlan,
    Stored,
    header_extent,
    length,
    pieces,
)
from mailbox_server.imap.grammar.dates import date_time
from mailbox_server.imap.grammar.fetch_items import Attribute
from mailbox_server.imap.selected_view import Sight
from mailbox_server.model.ids import ContentId, MailboxId
from mailbox_server.model.message import InternalDate
from mailbox_server.store.ports import Column, ReadTx, Store

_BLOCK_OCTETS: Final = 60_000
_ROWS: Final = 500
_READ_OCTETS: Final = 1 << 20
_PIECE_OCTETS: Final = 1 << 18

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """One message's row, and the octets that came with it by extent; None: to be streamed."""

    row: Row
    stored: Stored | None
    headers: tuple[bytes, ...]
    octets: dict[Extent, bytes] | None


def view_lines(sights: Sequence[Sight], items: Sequence[Attribute]) -> list[bytes]:
    """FETCH lines of items that the view holds: FLAGS, UID, MODSEQ."""
    wanted = tuple(items)
    if wanted == (Attribute.UID, Attribute.FLAGS):
        return [b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (s.number, s.uid, s.flags) for s in sights]
    if wanted == (Attribute.FLAGS,):
        return [b"* %d FETCH (FLAGS (%b))\r\n" % (s.number, s.flags) for s in sights]
    return [
        b"* %d FETCH (%b)\r\n" % (s.number, b" ".join(_of_view(item, s) for item in wanted))
        for s in sights
    ]


def _of_view(item: Attribute, sight: Sight) -> bytes:
    if item is Attribute.FLAGS:
        return b"FLAGS (" + sight.flags + b")"
    if item is Attribute.UID:
        return b"UID %d" % sight.uid
    return b"MODSEQ (%d)" % sight.modseq


class RowFetch:
    """Answers FETCH for one mailbox from rows and contents."""

    def __init__(self, store: Store, mailbox: MailboxId, plan: FetchPlan) -> None:
        self._store = store
        self._mailbox = mailbox
        self._plan = plan
        self._sections = plan.sections
        self._place = {column: place for place, column in enumerate(plan.columns, 1)}
        self._formats: list[Callable[[Sight, Row], bytes] | SectionPlan] = [
            item if isinstance(item, SectionPlan) else self._format(item) for item in plan.items
        ]

    async def responses(self, sights: Sequence[Sight]) -> AsyncIterator[bytes]:
        """Blocks of responses for all sights; those without a row are left out."""
        held: list[bytes] = []
        size = 0
        position = 0
        while position < len(sights):
            block = sights[position : position + _ROWS]
            loaded, done = await self._store.read(self._reader(block))
            position += done
            by_uid = {cast(int, each.row[0]): each for each in loaded}
            for sight in block[:done]:
                each = by_uid.get(sight.uid)
                if each is None:
                    continue
                for part in self._parts(sight, each):
                    if isinstance(part, bytes):
                        held.append(part)
                        size += len(part)
                        if size < _BLOCK_OCTETS:
                            continue
                    if held:
                        yield b"".join(held)
                        held, size = [], 0
                    if isinstance(part, Extent):
                        assert each.stored is not None
                        async for octets in self._stream(each.stored.content, part):
                            yield octets
        if held:
            yield b"".join(held)

    # ------------------------------------------------------------ reading

    def _reader(self, block: Sequence[Sight]) -> Callable[[ReadTx], tuple[list[_Loaded], int]]:
        uids = [sight.uid for sight in block]

        def work(tx: ReadTx) -> tuple[list[_Loaded], int]:
            rows = tx.messages.rows(self._mailbox, uids, self._plan.columns)
            if not self._sections:
                return [_Loaded(row, None, (), None) for row in rows], len(uids)
            loaded: list[_Loaded] = []
            spent = 0
            for row in rows:
                each, octets = self._load(tx, row, _READ_OCTETS - spent)
                if each is None:
                    return loaded, uids.index(cast(int, row[0]))
                loaded.append(each)
                spent += octets
            return loaded, len(uids)

        return work

    def _load(self, tx: ReadTx, row: Row, room: int) -> tuple[_Loaded | None, int]:
        """The row with its octets where they fit in room; None: begin the next read with it."""
        stored = self._stored(row)
        content = ContentId(stored.content)
        headers = []
        for section in self._sections:
            extent = header_extent(section, stored)
            headers.append(b"" if extent is None else _read(tx, content, extent))
        wanted: set[Extent] = set()
        for section, header in zip(self._sections, headers, strict=True):
            found = pieces(section, stored, header)
            wanted.update(piece for piece in found or () if isinstance(piece, Extent))
        octets = sum(extent.end - extent.start for extent in wanted) + sum(map(len, headers))
        if octets > room:
            if room < _READ_OCTETS:
                return None, 0
            return _Loaded(row, stored, tuple(headers), None), octets
        read = {extent: _read(tx, content, extent) for extent in wanted}
        return _Loaded(row, stored, tuple(headers), read), octets

    def _stored(self, row: Row) -> Stored:
        place = self._place
        listed, parts = place.get(Column.LISTED), place.get(Column.PARTS)
        return Stored(
            cast(int, row[place[Column.CONTENT]]),
            cast(bytes, row[place[Column.TRACE]]),
            cast(int, row[place[Column.SIZE]]),
            cast(int, row[place[Column.HEADER_OCTETS]]),
            b"" if listed is None else cast(bytes, row[listed]),
            b"" if parts is None else cast(bytes, row[parts]),
        )

    async def _stream(self, content: int, extent: Extent) -> AsyncIterator[bytes]:
        for start in range(extent.start, extent.end, _PIECE_OCTETS):
            piece = Extent(start, min(start + _PIECE_OCTETS, extent.end))
            yield await self._store.read(_piece_reader(ContentId(content), piece))

    # ------------------------------------------------------------ formatting

    def _parts(self, sight: Sight, loaded: _Loaded) -> list[Piece]:
        """One response as octets, and extents that are still to be read."""
        parts: list[Piece] = []
        text = b"* %d FETCH (" % sight.number
        number = 0
        for place, item in enumerate(self._formats):
            if place:
                text += b" "
            if not isinstance(item, SectionPlan):
                text += item(sight, loaded.row)
                continue
            assert loaded.stored is not None
            found = pieces(item, loaded.stored, loaded.headers[number])
            number += 1
            if found is None:
                text += item.section.label + b" NIL"
                continue
            size = length(found)
            text += item.section.label + (b" {%d}\r\n" % size if size else b' ""')
            for piece in found:
                if isinstance(piece, bytes):
                    text += piece
                elif loaded.octets is not None:
                    text += loaded.octets[piece]
                else:
                    parts += [text, piece]
                    text = b""
        parts.append(text + b")\r\n")
        return parts

    def _format(self, item: Attribute) -> Callable[[Sight, Row], bytes]:
        place = self._place
        if item is Attribute.INTERNALDATE:
            seconds, zone = place[Column.RECEIVED], place[Column.ZONE]
            return lambda _, row: (
                b"INTERNALDATE "
                + date_time(InternalDate(cast(int, row[seconds]), cast(int, row[zone])))
            )
        if item is Attribute.SIZE:
            size = place[Column.SIZE]
            return lambda _, row: b"RFC822.SIZE %d" % cast(int, row[size])
        if item is Attribute.ENVELOPE:
            return _ready(b"ENVELOPE ", place[Column.ENVELOPE])
        if item is Attribute.BODY:
            return _ready(b"BODY ", place[Column.BODY])
        if item is Attribute.BODYSTRUCTURE:
            return _ready(b"BODYSTRUCTURE ", place[Column.BODY_STRUCTURE])
        return lambda sight, _: _of_view(item, sight)


def _ready(label: bytes, place: int) -> Callable[[Sight, Row], bytes]:
    return lambda _, row: label + cast(bytes, row[place])


def _read(tx: ReadTx, content: ContentId, extent: Extent) -> bytes:
    found = []
    start = extent.start
    while start < extent.end:
        octets = tx.contents.read(content, start, min(_READ_OCTETS, extent.end - start))
        if not octets:
            break
        found.append(octets)
        start += len(octets)
    return found[0] if len(found) == 1 else b"".join(found)


def _piece_reader(content: ContentId, extent: Extent) -> Callable[[ReadTx], bytes]:
    return lambda tx: _read(tx, content, extent)
