"""Parts that are too large to be held, decoded from the store window by window."""

from collections.abc import AsyncGenerator, Callable

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

_Key = tuple[ContentId, tuple[Piece, ...], bytes]


class PartDecoder:
    """Decodes for one session, and remembers where it stopped.

    A client that asks for a large part window by window, each in a command of its own, makes
    it decode the part about once and not from the beginning each time.
    """

    def __init__(self) -> None:
        self._key: _Key | None = None
        self._last: Cursor | None = None

    async def window(self, store: Store, content: ContentId, part: EncodedPart) -> Window:
        """What the window is.  Raises ContentMissing, ContentDamaged, StoreUnavailable."""
        key = (content, part.pieces, part.encoding)
        start = self._last if key == self._key else None
        if start is None or start.position > part.start:
            start = beginning(part)
        found = Window(start, start, start)
        while not is_done(part, found.reached):
            found = await store.read(_measuring(content, part, found))
        self._key, self._last = key, found.last
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
