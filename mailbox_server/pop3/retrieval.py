"""Messages out of the store for RETR and TOP: small ones several in a read, large in blocks.

A hop to a database thread costs more than reading a small message, so a client that takes
one message after the other gets the next few read along.  No read is open while octets
travel.  A session holds at most prefetch_octets ahead, and block_octets of a large message.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from mailbox_server.model.errors import ContentDamaged, ContentMissing
from mailbox_server.model.ids import ContentId
from mailbox_server.pop3.maildrop import Maildrop
from mailbox_server.pop3.settings import Pop3Limits
from mailbox_server.pop3.stuffing import ENDING
from mailbox_server.store.ports import Column, ReadTx, Store

_COLUMNS = (
    Column.SIZE,
    Column.ENDS_LINE,
    Column.TRACE,
    Column.CONTENT,
    Column.HEADER_OCTETS,
)


_Row = tuple[int, int, bool, bytes, ContentId, int]
"""UID, size, whether the last line is whole, trace, content, octets of the header."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to send.

    size: trace and content; ends_line: whether they end with CRLF.  header_octets: of the
    content.  beginning: the content's first octets, all of them where it is small.
    """

    size: int
    ends_line: bool
    trace: bytes = field(repr=False)
    content: ContentId
    header_octets: int
    beginning: bytes = field(repr=False)

    @property
    def content_octets(self) -> int:
        """Length of the content."""
        return self.size - len(self.trace)

    @property
    def is_whole(self) -> bool:
        """Whether the beginning is all of the content."""
        return len(self.beginning) == self.content_octets

    @property
    def sent_octets(self) -> int:
        """As RETR sends it, dots not doubled: Maildrop.measure says the same."""
        return self.size if self.ends_line else self.size + len(ENDING)


class Retrieval:
    """Reads the messages of one maildrop."""

    def __init__(self, store: Store, maildrop: Maildrop, limits: Pop3Limits) -> None:
        self._store = store
        self._maildrop = maildrop
        self._limits = limits
        self._ahead: dict[int, Letter] = {}
        self._next = 0

    async def open(self, index: int) -> Letter | None:
        """The message's beginning; None when it is gone.

        Raises StoreUnavailable, ContentDamaged.
        """
        letter = self._ahead.pop(index, None)
        if letter is None:
            self._ahead.clear()
            wanted = self._wanted(index)
            uids = [self._maildrop.uids[i] for i in wanted]
            found = await self._store.read(lambda tx: self._read(tx, uids))
            letters = {i: found[uid] for i, uid in zip(wanted, uids, strict=True) if uid in found}
            letter = letters.pop(index, None)
            self._ahead = letters
        self._next = index + 1
        return letter

    async def rest(self, letter: Letter) -> AsyncIterator[bytes]:
        """The content after its beginning, in blocks.

        Raises StoreUnavailable, ContentMissing, ContentDamaged, in the middle as well.
        """
        start, content, block = len(letter.beginning), letter.content, self._limits.block_octets
        while start < letter.content_octets:
            octets = await self._store.read(
                lambda tx, start=start: tx.contents.read(content, start, block)  # type: ignore[misc]
            )
            if not octets:
                raise ContentDamaged("a content is shorter than its row says")
            yield octets
            start += len(octets)

    def _wanted(self, index: int) -> list[int]:
        """The message and, for a client that takes one after the other, those behind it."""
        if index != self._next or index == 0:
            return [index]
        wanted = [index]
        for following in range(index + 1, len(self._maildrop)):
            if len(wanted) == self._limits.prefetch_messages:
                break
            if not self._maildrop.is_deleted(following):
                wanted.append(following)
        return wanted

    def _read(self, tx: ReadTx, uids: list[int]) -> dict[int, Letter]:
        """Letters by UID; the first at any size, those behind it while they fit ahead."""
        rows = self._fitting(tx, uids)
        block = self._limits.block_octets
        together = _together(tx, [row[4] for row in rows if row[1] - len(row[3]) <= block])
        letters: dict[int, Letter] = {}
        for uid, size, ends_line, trace, content, header_octets in rows:
            beginning = together.get(content)
            if beginning is None:
                try:
                    beginning = tx.contents.read(content, 0, min(size - len(trace), block))
                except (ContentMissing, ContentDamaged):
                    if uid == uids[0]:
                        raise
                    # It fails in its own turn, not in that of the message before it.
                    break
            letters[uid] = Letter(size, ends_line, trace, content, header_octets, beginning)
        return letters

    def _fitting(self, tx: ReadTx, uids: list[int]) -> list[_Row]:
        """The rows of the first message and of those behind it that fit ahead."""
        rows: list[_Row] = []
        room = self._limits.prefetch_octets
        for row in tx.messages.rows(self._maildrop.mailbox.id, uids, _COLUMNS):
            uid, size, ends_line, trace, content, header_octets = row
            assert isinstance(uid, int)
            assert isinstance(size, int)
            assert isinstance(trace, bytes)
            assert isinstance(content, int)
            assert isinstance(header_octets, int)
            length = size - len(trace)
            if uid != uids[0] and length > room:
                break
            room -= min(length, self._limits.block_octets)
            rows.append((uid, size, bool(ends_line), trace, ContentId(content), header_octets))
        return rows


def _together(tx: ReadTx, contents: list[ContentId]) -> dict[ContentId, bytes]:
    """Those of the contents that one statement gives; none where any is damaged."""
    try:
        return tx.contents.small(contents)
    except ContentDamaged:
        # Which it is shows when they are read one by one.
        return {}
