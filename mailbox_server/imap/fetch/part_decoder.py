"""Parts that are too large to be held, decoded from the store window by window."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.fetch.encoded_parts import (
    Cursor,
    EncodedPart,
    Window,
    beginning,
    is_done,
    measure,
    reading,
    step,
)
from mailbox_server.mime.sections import Piece
from mailbox_server.model.ids import ContentId
from mailbox_server.store.ports import ReadTx, Store

MARKS_MOST: Final = 64
PARTS_MOST: Final = 32

_Key = tuple[tuple[Piece, ...], bytes]


@dataclass(slots=True)
class _Place:
    """What is known of one part: cursors that were come by, ascending, and where it stopped."""

    marks: list[Cursor]
    last: Cursor


class PartDecoder:
    """Decodes for one session, and remembers of one message's parts where it stopped and came by.

    A client that asks for a large part window by window, each in a command of its own, makes
    it decode the part about once and not from the beginning each time; and in any other
    order, or of several parts in turn, a small part of it each time.
    """

    def __init__(self) -> None:
        self._content: ContentId | None = None
        self._places: dict[_Key, _Place] = {}

    async def window(self, store: Store, content: ContentId, part: EncodedPart) -> Window:
        """What the window is.  Raises ContentMissing, ContentDamaged, StoreUnavailable."""
        place = self._place(content, part)
        known = (mark for mark in (*place.marks, place.last) if mark.position <= part.start)
        start = max(known, key=lambda mark: mark.position)
        found = Window(start, start, start)
        while not is_done(part, found.reached):
            found = await store.read(_measuring(content, part, found))
            if found.reached.taken - place.marks[-1].taken >= max(1, part.size // MARKS_MOST):
                place.marks.append(found.reached)
        place.last = found.last
        return found

    def _place(self, content: ContentId, part: EncodedPart) -> _Place:
        if content != self._content:
            self._content = content
            self._places.clear()
        key = (part.pieces, part.encoding)
        place = self._places.get(key)
        if place is None:
            if len(self._places) >= PARTS_MOST:
                del self._places[next(iter(self._places))]
            first = beginning(part)
            place = self._places[key] = _Place([first], first)
        return place

    async def octets(
        self, store: Store, content: ContentId, part: EncodedPart, window: Window
    ) -> AsyncGenerator[bytes, None]:
        """The octets of the window, about 128 KiB at a time."""
        if sum(map(len, window.octets)) == window.length:
            for octets in window.octets:
                yield octets
            return
        cursor = window.begin
        while not is_done(part, cursor):
            after, decoded = await store.read(_stepping(content, part, cursor))
            yield part.inside(cursor.position, decoded)
            cursor = after


def _measuring(content: ContentId, part: EncodedPart, window: Window) -> Callable[[ReadTx], Window]:
    return lambda tx: measure(part, window, reading(tx, content))


def _stepping(
    content: ContentId, part: EncodedPart, cursor: Cursor
) -> Callable[[ReadTx], tuple[Cursor, bytes]]:
    return lambda tx: step(part, cursor, reading(tx, content))
