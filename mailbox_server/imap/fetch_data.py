"""Format FETCH responses: from the view alone, from rows, or with content octets streamed.

Everything goes out in blocks of about 64 KiB; no read of the store is open while the
network is waited for.  Content of small messages comes with their rows, many in one read;
what asks for more than 1 MiB of one message is answered section by section, each with
reads of its own.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from types import MappingProxyType
from typing import Final, NamedTuple, cast

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
from mailbox_server.imap.responses import CRLF
from mailbox_server.imap.selected import ModSeqs, Sight, SightColumns
from mailbox_server.mime.part_table import read_part_table
from mailbox_server.model.errors import ContentDamaged
from mailbox_server.model.ids import ContentId, MailboxId
from mailbox_server.model.message import InternalDate
from mailbox_server.store.ports import Column, ReadTx, Store

BLOCK_OCTETS: Final = 60_000
ROWS_A_READ: Final = 500
READ_OCTETS: Final = 1 << 20
PIECE_OCTETS: Final = 1 << 18
HEADER_OCTETS: Final = 1 << 20
"""Fields are selected within the first MiB of a header, as far as it was read at delivery."""

Row = tuple[object, ...]


class _Loaded(NamedTuple):
    """One message's row; sections: the octets of each, None where they do not exist.

    stored: set instead of sections where they are too large to be read together.
    """

    row: Row
    sections: tuple[bytes | None, ...]
    stored: Stored | None = None


_FORMS: Final = MappingProxyType(
    {
        Attribute.FLAGS: b"FLAGS (%b)",
        Attribute.UID: b"UID %d",
        Attribute.MODSEQ: b"MODSEQ (%d)",
    }
)


def view_lines(sights: SightColumns, items: Sequence[Attribute]) -> bytes:
    """FETCH lines of items that the view holds: FLAGS, UID, MODSEQ."""
    line = b"* %d FETCH (" + b" ".join([_FORMS[item] for item in items]) + b")\r\n"
    columns = [sights.numbers, *(_of_view(item, sights) for item in items)]
    return line * len(sights.uids) % tuple(chain.from_iterable(zip(*columns, strict=True)))


def _of_view(item: Attribute, sights: SightColumns) -> Sequence[object]:
    if item is Attribute.FLAGS:
        return sights.flags
    return sights.uids if item is Attribute.UID else sights.modseqs


def _of_sight(item: Attribute, sight: Sight) -> bytes:
    if item is Attribute.FLAGS:
        return b"FLAGS (" + sight.flags + b")"
    if item is Attribute.UID:
        return b"UID %d" % sight.uid
    return b"MODSEQ (%d)" % sight.modseq


class RowFetch:
    """Answers FETCH for one mailbox from rows and contents.

    missing: how many messages had no row any more and were left out.
    is_inside: whether a response was begun and its end was not yielded yet.
    """

    def __init__(self, store: Store, mailbox: MailboxId, plan: FetchPlan) -> None:
        self._store = store
        self._mailbox = mailbox
        self._plan = plan
        self._sections = plan.sections
        self._place = {column: place for place, column in enumerate(plan.columns, 1)}
        self._formats: list[Callable[[Sight, Row], bytes] | SectionPlan] = [
            item if isinstance(item, SectionPlan) else self._format(item) for item in plan.items
        ]
        self._patterns = [section.pattern for section in self._sections if section.pattern]
        self._only_listed = len(self._patterns) == len(self._sections)
        self._tells_flags = Attribute.FLAGS in plan.items
        self.missing = 0
        self.is_inside = False

    async def responses(
        self, sights: Sequence[Sight], seen_now: AbstractSet[int], modseqs: ModSeqs
    ) -> AsyncIterator[bytes]:
        """Blocks of responses for all sights.

        seen_now: UIDs that this FETCH has set \\Seen on; their responses end with FLAGS
        where they were not asked for, and with MODSEQ if shown (RFC 9051 §6.4.5).
        """
        held: list[bytes] = []
        size = 0
        position = 0
        while position < len(sights):
            block = sights[position : position + ROWS_A_READ]
            loaded, done = await self._store.read(self._reader(block))
            position += done
            by_uid = {cast(int, each.row[0]): each for each in loaded}
            for sight in block[:done]:
                each = by_uid.get(sight.uid)
                if each is None:
                    self.missing += 1
                    continue
                closing = self._closing(sight, seen_now, modseqs)
                if each.stored is not None:
                    yield b"".join(held)
                    held, size = [], 0
                    self.is_inside = True
                    async for octets in self._piecemeal(sight, each.row, each.stored):
                        yield octets
                    yield closing
                    self.is_inside = False
                    continue
                response = self._whole(sight, each)
                held += response
                held.append(closing)
                size += sum(map(len, response))
                if size >= BLOCK_OCTETS:
                    yield b"".join(held)
                    held, size = [], 0
        if held:
            yield b"".join(held)

    # ------------------------------------------------------------ reading

    def _reader(self, block: Sequence[Sight]) -> Callable[[ReadTx], tuple[list[_Loaded], int]]:
        uids = [sight.uid for sight in block]

        def work(tx: ReadTx) -> tuple[list[_Loaded], int]:
            rows = tx.messages.rows(self._mailbox, uids, self._plan.columns)
            if not self._sections:
                return [_Loaded(row, ()) for row in rows], len(uids)
            loaded: list[_Loaded] = []
            room = READ_OCTETS
            for row in rows:
                each, octets = self._load(tx, row, room)
                if each is None:
                    return loaded, uids.index(cast(int, row[0]))
                loaded.append(each)
                room -= octets
            return loaded, len(uids)

        return work

    def _load(self, tx: ReadTx, row: Row, room: int) -> tuple[_Loaded | None, int]:
        """The row with its sections where they fit in room; None: begin the next read with it."""
        if self._only_listed and (listed := row[self._place[Column.LISTED]]) is not None:
            fields = tuple(
                [b"".join(each.findall(cast(bytes, listed))) + CRLF for each in self._patterns]
            )
            if (octets := sum(map(len, fields))) <= room:
                return _Loaded(row, fields), octets
        stored = self._stored(row)
        headers: dict[Extent, bytes] = {}
        found = []
        octets = 0
        for section in self._sections:
            extent = header_extent(section, stored)
            if extent is not None and extent not in headers:
                headers[extent] = _read_header(tx, stored.content, extent)
            whole = pieces(section, stored, b"" if extent is None else headers[extent])
            found.append(whole)
            octets += length(whole or ())
            if octets > room:
                return (None, 0) if room < READ_OCTETS else (_Loaded(row, (), stored), octets)
        content = ContentId(stored.content)
        read = {
            piece: _read(tx, content, piece)
            for whole in found
            for piece in whole or ()
            if isinstance(piece, Extent)
        }
        sections = tuple(None if whole is None else _join(whole, read) for whole in found)
        return _Loaded(row, sections), octets

    def _stored(self, row: Row) -> Stored:
        place = self._place
        listed, parts = place.get(Column.LISTED), place.get(Column.PARTS)
        return Stored(
            cast(int, row[place[Column.CONTENT]]),
            cast(bytes, row[place[Column.TRACE]]),
            cast(int, row[place[Column.SIZE]]),
            cast(int, row[place[Column.HEADER_OCTETS]]),
            None if listed is None else cast("bytes | None", row[listed]),
            None if parts is None else read_part_table(cast(bytes, row[parts])),
        )

    async def _piecemeal(self, sight: Sight, row: Row, stored: Stored) -> AsyncIterator[bytes]:
        """One response without its end, the sections one after the other."""
        yield b"* %d FETCH (" % sight.number
        for place, item in enumerate(self._formats):
            space = b" " if place else b""
            if not isinstance(item, SectionPlan):
                yield space + item(sight, row)
                continue
            found = await self._store.read(_pieces_reader(item, stored))
            yield space + _opening(item, None if found is None else length(found))
            for piece in found or ():
                if isinstance(piece, bytes):
                    yield piece
                    continue
                for start in range(piece.start, piece.end, PIECE_OCTETS):
                    part = Extent(start, min(start + PIECE_OCTETS, piece.end))
                    yield await self._store.read(_extent_reader(stored.content, part))

    # ------------------------------------------------------------ formatting

    def _whole(self, sight: Sight, loaded: _Loaded) -> list[bytes]:
        """One response without its end."""
        parts = [b"* %d FETCH (" % sight.number]
        sections = iter(loaded.sections)
        for place, item in enumerate(self._formats):
            if place:
                parts.append(b" ")
            if not isinstance(item, SectionPlan):
                parts.append(item(sight, loaded.row))
                continue
            octets = next(sections)
            parts.append(_opening(item, None if octets is None else len(octets)))
            if octets:
                parts.append(octets)
        return parts

    def _closing(self, sight: Sight, seen_now: AbstractSet[int], modseqs: ModSeqs) -> bytes:
        if self._tells_flags or sight.uid not in seen_now:
            return b")\r\n"
        if modseqs is ModSeqs.HIDDEN or Attribute.MODSEQ in self._plan.items:
            return b" FLAGS (%b))\r\n" % sight.flags
        return b" FLAGS (%b) MODSEQ (%d))\r\n" % (sight.flags, sight.modseq)

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
        return lambda sight, _: _of_sight(item, sight)


def _ready(label: bytes, place: int) -> Callable[[Sight, Row], bytes]:
    return lambda _, row: label + cast(bytes, row[place])


def _opening(section: SectionPlan, octets: int | None) -> bytes:
    """`BODY[TEXT] {7}`, and the empty string or NIL whole."""
    if octets is None:
        return section.section.label + b" NIL"
    return section.section.label + (b" {%d}\r\n" % octets if octets else b' ""')


def _join(whole: Sequence[Piece], read: dict[Extent, bytes]) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else read[piece] for piece in whole)


def _read(tx: ReadTx, content: ContentId, extent: Extent) -> bytes:
    found = []
    start = extent.start
    while start < extent.end:
        octets = tx.contents.read(content, start, min(READ_OCTETS, extent.end - start))
        if not octets:
            raise ContentDamaged("the content is shorter than its row says")
        found.append(octets)
        start += len(octets)
    return found[0] if len(found) == 1 else b"".join(found)


def _read_header(tx: ReadTx, content: int, extent: Extent) -> bytes:
    end = min(extent.end, extent.start + HEADER_OCTETS)
    return _read(tx, ContentId(content), Extent(extent.start, end))


def _pieces_reader(section: SectionPlan, stored: Stored) -> Callable[[ReadTx], list[Piece] | None]:
    def work(tx: ReadTx) -> list[Piece] | None:
        extent = header_extent(section, stored)
        header = b"" if extent is None else _read_header(tx, stored.content, extent)
        return pieces(section, stored, header)

    return work


def _extent_reader(content: int, extent: Extent) -> Callable[[ReadTx], bytes]:
    return lambda tx: _read(tx, ContentId(content), extent)
