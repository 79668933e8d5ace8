"""Answer FETCH from rows, or with content octets streamed.

What one read made goes out in pieces, about 512 KiB together; no read of the store is open
while the network is waited for.  Contents of one piece come many in one read; what asks for
more than 512 KiB of one message is answered piecemeal.
"""

import enum
from bisect import bisect_left
from collections.abc import AsyncGenerator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from functools import partial
from typing import Any, Final, NamedTuple

from mailbox_server.imap.fetch.encoded_parts import (
    EncodedPart,
    EncodingUnknown,
    decode,
    encoded_part,
    reading,
)
from mailbox_server.imap.fetch.fetch_lines import Columns, FetchLines
from mailbox_server.imap.fetch.fetch_piecemeal import LargeMessage, Piecemeal
from mailbox_server.imap.fetch.fetch_plan import BinaryPlan, FetchPlan
from mailbox_server.imap.fetch.part_decoder import PartDecoder
from mailbox_server.imap.grammar.fetch_items import Attribute, BinarySize
from mailbox_server.imap.views.selected import ModSeqs, SightColumns
from mailbox_server.mime.part_table import read_part_table
from mailbox_server.mime.sections import (
    Extent,
    Piece,
    Stored,
    header_extent,
    length,
    pieces,
)
from mailbox_server.model.errors import ContentDamaged, ContentMissing
from mailbox_server.model.ids import ContentId, MailboxId
from mailbox_server.store.ports import Column, Reading, ReadTx, Store

ROWS_A_READ: Final = 750
ROWS_A_BLOCK: Final = 100
READ_OCTETS: Final = 1 << 19
BLOCK_OCTETS: Final = 1 << 17

_END: Final = b")\r\n"

Row = tuple[Any, ...]


class _Answered(NamedTuple):
    """What one read made of the first messages it was given.

    pieces: of their responses.  done: how many messages that were; missing: how many of them
        had no row any more.
    apart: how many messages behind them have to be answered from content, after rows.
    large: the message behind them, counted in done, that is answered section by section.
    damaged: UIDs of those, counted in done, whose content cannot be read back.
    encoded: UIDs of those, counted in done, with a part whose encoding cannot be undone.
    """

    pieces: Sequence[bytes]
    done: int
    missing: int
    apart: int = 0
    large: LargeMessage | None = None
    damaged: Sequence[int] = ()
    encoded: Sequence[int] = ()


class _Untold(enum.Enum):
    """Why a message is left out."""

    DAMAGED = "its content cannot be read back"
    ENCODED = "a part is in an encoding that we cannot undo"


_Work = Callable[[ReadTx], _Answered]


class RowFetch:
    """Answers FETCH for one mailbox from rows and contents.

    While the client is sent the last block of what was read, the next is read already; while
    it is sent all of it, where it keeps up.

    keeps_up: said by who sends, whether the last pieces were taken in no time.
    missing: how many messages had no row any more and were left out.
    damaged: UIDs of those that were left out because their content cannot be read back.
    encoded: of those left out because a part is in an encoding that we cannot undo.
    is_inside: whether a response was begun and its end was not yielded yet.
    """

    def __init__(
        self, store: Store, mailbox: MailboxId, plan: FetchPlan, decoder: PartDecoder
    ) -> None:
        self._store = store
        self.plan = plan
        self._rows = _Rows(mailbox, plan)
        self._contents = _Contents(mailbox, plan.from_content)
        self._piecemeal = Piecemeal(store, plan.from_content, decoder)
        self._most = ROWS_A_READ
        self.keeps_up = False
        self.missing = 0
        self.damaged: list[int] = []
        self.encoded: list[int] = []
        self.is_inside = False

    def responses(
        self, sights: SightColumns, seen_now: AbstractSet[int], modseqs: ModSeqs
    ) -> AsyncGenerator[Sequence[bytes], None]:
        """Pieces of the responses for all sights; close it where they are not all wanted.

        seen_now: UIDs that this FETCH has set \\Seen on; their responses end with FLAGS, and
        with MODSEQ if shown, where those were not asked for (RFC 9051 §6.4.5, RFC 7162 §3.2).
        """
        ends = self._ends(sights, seen_now, modseqs)
        reader = self._rows if self.plan.is_in_rows else self._contents
        return self._answers(reader, sights, ends)

    async def _answers(
        self, reader: "_Rows | _Contents", sights: SightColumns, ends: Sequence[bytes]
    ) -> AsyncGenerator[Sequence[bytes], None]:
        position = 0
        reading = self._begin(reader, sights, ends, position)
        try:
            while reading is not None:
                found = await reading
                self.missing += found.missing
                self.damaged += found.damaged
                self.encoded += found.encoded
                taken = found.done + found.apart
                position += taken
                self._most = _room_for(taken, found.pieces)
                # Only two reads' octets wait for a client that listens no more.
                reading, pieces = None, found.pieces
                found = found._replace(pieces=())
                if not self.keeps_up and (beyond := _before_last_block(pieces)):
                    yield pieces[:beyond]
                    pieces = pieces[beyond:]
                reading = self._begin(reader, sights, ends, position)
                if pieces:
                    yield pieces
                pieces = ()
                if found.large is not None:
                    self.is_inside = True
                    async with aclosing(self._piecemeal.response(found.large)) as response:
                        async for octets in response:
                            yield (octets,)
                    self.is_inside = False
                if found.apart:
                    start = position - found.apart
                    some = sights.part(start, position)
                    rest = self._answers(self._contents, some, ends[start:position])
                    async with aclosing(rest):
                        async for pieces_of_rest in rest:
                            yield pieces_of_rest
        finally:
            if reading is not None:
                reading.cancel()

    def _begin(
        self,
        reader: "_Rows | _Contents",
        sights: SightColumns,
        ends: Sequence[bytes],
        position: int,
    ) -> Reading[_Answered] | None:
        if position >= len(ends):
            return None
        stop = position + self._most
        return self._store.begin_read(reader.work(sights.part(position, stop), ends[position:stop]))

    def _ends(
        self, sights: SightColumns, seen_now: AbstractSet[int], modseqs: ModSeqs
    ) -> list[bytes]:
        ends = [_END] * len(sights.uids)
        items = self.plan.items
        flags = Attribute.FLAGS not in items
        modseq = modseqs is ModSeqs.SHOWN and Attribute.MODSEQ not in items
        if not seen_now or not (flags or modseq):
            return ends
        for place, uid in enumerate(sights.uids):
            if uid in seen_now:
                told = b" FLAGS (%b)" % sights.flags[place] if flags else b""
                if modseq:
                    told += b" MODSEQ (%d)" % sights.modseqs[place]
                ends[place] = told + _END
        return ends


class _Rows:
    """Answers from rows alone."""

    def __init__(self, mailbox: MailboxId, plan: FetchPlan) -> None:
        self._mailbox = mailbox
        self._columns = plan.columns
        self._lines = FetchLines(plan)
        self._listed = [
            place for place, column in enumerate(plan.columns, 1) if column in plan.listed
        ]

    def work(self, sights: SightColumns, ends: Sequence[bytes]) -> _Work:
        """As many of these as have their listed fields in rows."""

        def work(tx: ReadTx) -> _Answered:
            rows = tx.messages.rows(self._mailbox, sights.uids, self._columns)
            known, closing = _with_rows(sights, ends, rows)
            missing = len(ends) - len(rows)
            made: list[bytes] = []
            for first in range(0, len(rows), ROWS_A_BLOCK):
                stop = first + ROWS_A_BLOCK
                columns = _columns(rows[first:stop])
                if any(None in columns[place] for place in self._listed):
                    if first:
                        done = _place(sights, rows[first])
                        return _Answered(made, done, done - first)
                    # Those without a row in between are missed when their content is read.
                    last = len(ends) if stop >= len(rows) else _place(sights, rows[stop])
                    return _Answered((), 0, 0, apart=last)
                some = known.part(first, stop)
                made.append(self._lines.whole(some, columns, closing[first:stop]))
            return _Answered(made, len(ends), missing)

        return work


class _Contents:
    """Answers with octets of content."""

    def __init__(self, mailbox: MailboxId, plan: FetchPlan) -> None:
        self.lines = FetchLines(plan)
        self.sections = plan.sections
        self._mailbox = mailbox
        self._columns = plan.columns
        self._place = {column: place for place, column in enumerate(plan.columns, 1)}
        self._is_message = [section.is_whole for section in plan.sections] == [True]
        self._binaries = [item for item in plan.sections if isinstance(item, BinaryPlan)]

    def work(self, sights: SightColumns, ends: Sequence[bytes]) -> _Work:
        """As many of these as READ_OCTETS allow, and one at least."""

        def work(tx: ReadTx) -> _Answered:
            rows: Sequence[Row] = tx.messages.rows(self._mailbox, sights.uids, self._columns)
            sections = self._sections(tx, rows)
            count = min(len(sections) or 1, len(rows))
            done = len(ends) if count >= len(rows) else _place(sights, rows[count])
            missing = done - count
            whole = [section for section in sections if not isinstance(section, _Untold)]
            answered, damaged, encoded = rows[:count], list[int](), list[int]()
            if len(whole) < len(sections):
                reasons = list(zip(rows, sections, strict=False))
                answered = [row for row, found in reasons if not isinstance(found, _Untold)]
                damaged = [row[0] for row, found in reasons if found is _Untold.DAMAGED]
                encoded = [row[0] for row, found in reasons if found is _Untold.ENCODED]
            if not answered:
                return _Answered((), done, missing, damaged=damaged, encoded=encoded)
            known, closing = _with_rows(sights.part(0, done), ends[:done], answered)
            if not sections:
                large = LargeMessage(known, _columns(answered), closing[0], self._stored(rows[0]))
                return _Answered((), done, missing, large=large)
            found = self.lines.pieces(known, _columns(answered), whole, closing)
            return _Answered(found, done, missing, damaged=damaged, encoded=encoded)

        return work

    def _sections(self, tx: ReadTx, rows: Sequence[Row]) -> list[Sequence[bytes | None] | _Untold]:
        """The sections' octets of the first rows; of none where already one has no room."""
        rows, numbers = self._together(rows)
        try:
            small = tx.contents.small(numbers)
        except ContentDamaged:
            # Which it is shows when they are read one by one.
            small = {}
        found: list[Sequence[bytes | None] | _Untold] = []
        if self._is_message and len(small) == len(rows):
            trace = self._place[Column.TRACE]
            return [
                (row[trace] + small[number],) for row, number in zip(rows, numbers, strict=True)
            ]
        room = READ_OCTETS
        for row in rows:
            try:
                octets, sections = self._load(tx, row, small, room)
            except (ContentMissing, ContentDamaged):
                found.append(_Untold.DAMAGED)
                continue
            except EncodingUnknown:
                found.append(_Untold.ENCODED)
                continue
            if sections is None:
                break
            found.append(sections)
            room -= octets
        return found

    def _together(self, rows: Sequence[Row]) -> tuple[Sequence[Row], list[ContentId]]:
        """The first rows, with the contents among theirs that have room in memory together."""
        content, size = self._place[Column.CONTENT], self._place[Column.SIZE]
        numbers: list[ContentId] = []
        room = READ_OCTETS
        for place, row in enumerate(rows):
            if row[size] > READ_OCTETS:
                continue
            room -= row[size]
            if room < 0:
                return rows[:place], numbers
            numbers.append(ContentId(row[content]))
        return rows, numbers

    def _load(
        self, tx: ReadTx, row: Row, small: dict[ContentId, bytes], room: int
    ) -> tuple[int, Sequence[bytes | None] | None]:
        """The sections' octets and how many they are; None where there is no room for them.

        Parts that are decoded count with their octets as received.
        """
        number = ContentId(row[self._place[Column.CONTENT]])
        stored = self._stored(row)
        content = small.get(number)
        read = reading(tx, number) if content is None else _slicing(content)
        encoded = {section: encoded_part(section, stored) for section in self._binaries}
        octets, makes = 0, list[Callable[[], bytes | None]]()
        headers: dict[Extent, bytes] = {}
        for section in self.sections:
            if isinstance(section, BinaryPlan):
                part = encoded[section]
                octets += 0 if part is None else part.size
                makes.append(partial(_decoded, section, part, read))
            else:
                extent = header_extent(section.wanted, stored)
                if extent is not None and extent not in headers:
                    headers[extent] = read(extent)
                found = pieces(section.wanted, stored, headers[extent] if extent else b"")
                octets += length(found or ())
                makes.append(partial(_join, found, read))
            if octets > room:
                return octets, None
        return octets, [make() for make in makes]

    def _stored(self, row: Row) -> Stored:
        place = self._place
        parts = place.get(Column.PARTS)
        return Stored(
            row[place[Column.CONTENT]],
            row[place[Column.TRACE]],
            row[place[Column.SIZE]],
            row[place[Column.HEADER_OCTETS]],
            None if parts is None else read_part_table(row[parts]),
        )


def _with_rows(
    sights: SightColumns, ends: Sequence[bytes], rows: Sequence[Row]
) -> tuple[SightColumns, Sequence[bytes]]:
    """Those that have rows, in their order."""
    if len(rows) == len(ends):
        return sights, ends
    uids = {row[0] for row in rows}
    places = [place for place, uid in enumerate(sights.uids) if uid in uids]
    return sights.at(places), [ends[place] for place in places]


def _place(sights: SightColumns, row: Row) -> int:
    """Where the message of a row stands."""
    return bisect_left(sights.uids, row[0])


def _columns(rows: Sequence[Row]) -> Columns:
    return tuple(zip(*rows, strict=True))


def _before_last_block(pieces: Sequence[bytes]) -> int:
    """How many of the pieces come before the last BLOCK_OCTETS or more."""
    place, octets = len(pieces), 0
    while place and octets < BLOCK_OCTETS:
        place -= 1
        octets += len(pieces[place])
    return place


def _room_for(messages: int, pieces: Sequence[bytes]) -> int:
    """How many rows to read after so many messages made these pieces: beyond is in vain."""
    octets = sum(map(len, pieces))
    if octets > READ_OCTETS:
        return max(1, messages * READ_OCTETS // octets)
    return min(ROWS_A_READ, messages + messages // 4 + 1)


def _slicing(content: bytes) -> Callable[[Extent], bytes]:
    return lambda extent: content[extent.start : extent.end]


def _decoded(
    section: BinaryPlan, part: EncodedPart | None, read: Callable[[Extent], bytes]
) -> bytes | None:
    """The octets of a part, or the digits of its size."""
    octets = None if part is None else decode(part, read)
    if isinstance(section.section, BinarySize):
        return b"%d" % len(octets or b"")
    return octets


def _join(found: Sequence[Piece] | None, read: Callable[[Extent], bytes]) -> bytes | None:
    if found is None:
        return None
    return b"".join(piece if isinstance(piece, bytes) else read(piece) for piece in found)
