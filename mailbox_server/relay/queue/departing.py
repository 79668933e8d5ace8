"""Trace and content of a departure on its way out, read in blocks.

Most messages are small.  Such contents, asked for at the same moment, are read together:
a read that has its own turn at the threads of the database costs more than what it finds.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from mailbox_server.model.errors import MailboxServerFault
from mailbox_server.model.ids import ContentId
from mailbox_server.model.outbound import Departure
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.store.ports import ReadTx, Store

_SMALL_OCTETS: Final = 64 * 1024
"""Of trace and content."""
_AT_ONCE: Final = 16

_Waiter = tuple[ContentId, "asyncio.Future[bytes | None]"]


class SmallContents:
    """Reads contents of small messages, at most 16 at once; one read at a time."""

    def __init__(self, store: Store, tasks: TaskKeeper) -> None:
        self._store = store
        self._tasks = tasks
        self._waiting: deque[_Waiter] = deque()
        self._is_reading = False

    async def read(self, content: ContentId) -> bytes | None:
        """All of it; None where it must be read by itself, for whatever reason."""
        found: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((content, found))
        if not self._is_reading:
            self._is_reading = True
            self._tasks.spawn("relay read", self._read_all())
        return await found

    async def _read_all(self) -> None:
        asked: list[_Waiter] = []
        try:
            while self._waiting:
                count = min(len(self._waiting), _AT_ONCE)
                asked = [self._waiting.popleft() for _ in range(count)]
                _answer(asked, await self._read_some([content for content, _ in asked]))
        finally:
            self._is_reading = False
            _answer([*asked, *self._waiting], {})
            self._waiting.clear()

    async def _read_some(self, contents: Sequence[ContentId]) -> Mapping[ContentId, bytes]:
        try:
            return await self._store.read(_together(contents))
        except MailboxServerFault:
            return {}  # one may be damaged: each finds out by itself


def _together(contents: Sequence[ContentId]) -> Callable[[ReadTx], dict[ContentId, bytes]]:
    return lambda tx: tx.contents.small(contents)


def _answer(asked: Iterable[_Waiter], found: Mapping[ContentId, bytes]) -> None:
    for content, waiter in asked:
        if not waiter.done():
            waiter.set_result(found.get(content))


class DepartingContent:
    """Trace and content of one departure (relay.client.mail.MailContent)."""

    def __init__(self, store: Store, small: SmallContents, departure: Departure) -> None:
        self._store = store
        self._small = small if departure.size <= _SMALL_OCTETS else None
        self._trace = departure.trace
        self._content: ContentId = departure.content
        self._whole: bytes | None = None

    async def read(self, start: int, length: int) -> bytes:
        """Octets [start, start + length), shorter only at the end.

        Raises ContentMissing, ContentDamaged, StoreUnavailable.
        """
        before = self._trace[start : start + length]
        missing = length - len(before)
        if not missing:
            return before
        if self._small is not None:
            self._whole, self._small = await self._small.read(self._content), None
        content, at = self._content, max(0, start - len(self._trace))
        if self._whole is not None:
            return before + self._whole[at : at + missing]
        return before + await self._store.read(lambda tx: tx.contents.read(content, at, missing))
