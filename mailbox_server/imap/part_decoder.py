"""Parts that are too large to be held, decoded from the store window by window."""

from collections.abc import AsyncGenerator, Callable
from typing import Final

from mailbox_server.imap.encoded_parts import (
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

_Key = tuple[ContentId, tuple[Piece, ...], bytes]


class PartDecoder:
    """Decodes for one session, and remembers of one part where it stopped and came by.

    A client that asks for a large part window by window, each in a command of its own, makes
    it decode the part about once and not from the beginning each time; and in any other
    order, a small part of it each time.
    """

    def __init__(self) -> None:
        self._key: _Key | None = None
        self._last: Cursor | None = None
        self._marks: list[Cursor] = []

    async def window(self, store: Store, content: ContentId, part: EncodedPart) -> Window:
        """What the window is.  Raises ContentMissing, ContentDamaged, StoreUnavailable."""
        key = (content, part.pieces, part.encoding)
        if key != self._key or self._last is None:
            self._key, self._last = key, beginning(part)
            self._marks = [self._last]
        known = (mark for mark in (*self._marks, self._last) if mark.position <= part.start)
        start = max(known, key=lambda mark: mark.position)
        found = Window(start, start, start)
        while not is_done(part, found.reached):
            found = await store.read(_measuring(content, part, found))
            if found.reached.taken - self._marks[-1].taken >= max(1, part.size // MARKS_MOST):
                self._marks.append(found.reached)
        self._last = found.last
        return found

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
