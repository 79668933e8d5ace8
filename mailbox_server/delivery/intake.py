"""A content on its way in: staged as it comes; scanned, and analyzed once it is all there, where
it is to be read here.

Nothing here holds the event loop for long, whatever the octets: scanning goes in turns,
between which others are served, and a large content is analyzed on a thread.
"""

import asyncio
from typing import Final

from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import Scanner
from mailbox_server.mime.structure import Structure
from mailbox_server.model.message import Analysis
from mailbox_server.store.ports import StagedContent, Store

INLINE_OCTETS: Final = 256 * 1024
"""Larger contents are analyzed beside the event loop."""


class Intake:
    """One content; call feed, then end, then finish, and discard in any case.

    expected: the declared size in octets, if any.
    is_read: whether somebody here gets it; what only passes through is not looked into, and
        finish_unread is called for it, without end.
    """

    def __init__(self, store: Store, expected: int | None = None, *, is_read: bool = True) -> None:
        self._scanner = Scanner() if is_read else None
        self._staging = store.stage(expected)
        self._structure: Structure | None = None

    @property
    def is_read(self) -> bool:
        """Whether it is looked into."""
        return self._scanner is not None

    @property
    def header(self) -> bytes:
        """The header block as far as it was kept (Scanner.header); complete after end."""
        return b"" if self._scanner is None else self._scanner.header

    def feed(self, octets: bytes) -> bool:
        """Take more octets, never blocking.  True: await drained() before feeding more."""
        must_wait = self._staging.feed(octets)
        if self._scanner is None:
            return must_wait
        self._scanner.feed(octets)
        return must_wait or self._scanner.is_behind

    async def drained(self) -> None:
        """Wait until what was fed is scanned and out of memory.

        Raises DiskLow, StoreUnavailable, SyncFailed.
        """
        await self._catch_up()
        await self._staging.drained()

    async def end(self) -> int:
        """All of it was fed; returns how many octets the header block has, all of them."""
        assert self._scanner is not None, "it is not read"
        self._scanner.end()
        await self._catch_up()
        self._structure = self._scanner.finish()
        return self._structure.root.body_start

    async def finish(self) -> tuple[StagedContent, Analysis]:
        """The content and what is kept beside it; give it to one write or discard it.

        Raises DiskLow, StoreUnavailable, SyncFailed.
        """
        structure, header = self._structure, self.header
        assert structure is not None, "end comes first"
        staged = await self._staging.finish()
        try:
            if staged.in_memory and staged.size <= INLINE_OCTETS:
                return staged, analyze(structure, header, staged.read)
            return staged, await asyncio.to_thread(analyze, structure, header, staged.read)
        except BaseException:  # whatever it was, no write will have the octets
            staged.discard()
            raise

    async def finish_unread(self) -> StagedContent:
        """The content alone, as finish gives it."""
        return await self._staging.finish()

    def discard(self) -> None:
        """Forget it; silent after finish."""
        self._staging.discard()

    async def _catch_up(self) -> None:
        while self._scanner is not None and self._scanner.is_behind:
            await asyncio.sleep(0)
            self._scanner.catch_up()
