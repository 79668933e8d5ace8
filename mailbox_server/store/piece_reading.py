"""Read small ranges of one content without taking a piece from the disk for each of them.

A content is read in whole pieces (store.contents).  Whoever looks at thousands of its parts
one after the other finds the next one in the piece at hand.
"""

from mailbox_server.model.errors import ContentDamaged, ContentMissing
from mailbox_server.model.ids import ContentId
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.schema.contents import CHUNK_OCTETS


class PieceReader:
    """Reads a content and keeps the piece that it read last.

    A piece that is damaged or gone is as if it were not there: what is whole is found.
    """

    __slots__ = ("_at", "_content", "_contents", "_kept")

    def __init__(self, contents: ContentRepository, content: ContentId) -> None:
        self._contents = contents
        self._content = content
        self._at = -1
        self._kept = b""

    def read(self, start: int, length: int) -> bytes:
        """Octets [start, start + length), shorter at the end."""
        end = start + length
        found = [
            self._piece(at)[max(start - at, 0) : end - at]
            for at in range(start - start % CHUNK_OCTETS, end, CHUNK_OCTETS)
        ]
        return found[0] if len(found) == 1 else b"".join(found)

    def _piece(self, at: int) -> bytes:
        if at != self._at:
            try:
                self._kept = self._contents.read(self._content, at, CHUNK_OCTETS)
            except (ContentDamaged, ContentMissing):
                self._kept = b""
            self._at = at
        return self._kept
