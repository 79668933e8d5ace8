"""Outcomes that wait at the same moment are written down together, in one write.

Each write takes what has gathered while the one before it went on, in its order.  So there
is one write at a time, and as many mails share it as the disk is slower than they are.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.errors import CommitUnknown, SyncFailed
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.queue.decision import Decision

_AT_ONCE: Final = 200
"""Recipients in one write, if they are not all of one waiter."""


@dataclass(frozen=True, slots=True)
class _Waiter:
    """Who waits for the outcomes of one message to be on the disk."""

    decisions: Sequence[Decision]
    written: "asyncio.Future[None]"


class Recording:
    """Gathers outcomes of which nobody need be told.

    write: puts decisions on the disk, all or none, however often the store must be asked.
    """

    def __init__(
        self, write: Callable[[Sequence[Decision]], Awaitable[None]], tasks: TaskKeeper
    ) -> None:
        self._write = write
        self._tasks = tasks
        self._waiting: deque[_Waiter] = deque()
        self._is_writing = False

    async def record(self, decisions: Sequence[Decision]) -> None:
        """Return when they are on the disk; raises what write raises.

        Who is cancelled has them written all the same.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiter(decisions, written))
        if not self._is_writing:
            self._is_writing = True
            self._tasks.spawn("relay record", self._write_all())
        await written

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._write_some(self._next())
        finally:
            self._is_writing = False
            _give_up(self._waiting)
            self._waiting.clear()

    def _next(self) -> list[_Waiter]:
        some = [self._waiting.popleft()]
        left = _AT_ONCE - len(some[0].decisions)
        while self._waiting and len(self._waiting[0].decisions) <= left:
            some.append(self._waiting.popleft())
            left -= len(some[-1].decisions)
        return some

    async def _write_some(self, waiters: Sequence[_Waiter]) -> None:
        try:
            await self._write([each for one in waiters for each in one.decisions])
        except (SyncFailed, CommitUnknown) as error:
            _fail(waiters, error)
        except Exception as error:  # a bug with one must not cost the others their outcome
            if len(waiters) == 1:
                _fail(waiters, error)
            else:
                for one in waiters:
                    await self._write_some([one])
        except BaseException:  # the process ends; nobody is told that it was written
            _give_up(waiters)
            raise
        else:
            for one in waiters:
                if not one.written.done():
                    one.written.set_result(None)


def _give_up(waiters: Iterable[_Waiter]) -> None:
    for one in waiters:
        one.written.cancel()


def _fail(waiters: Sequence[_Waiter], error: Exception) -> None:
    for one in waiters:
        if not one.written.done():
            one.written.set_exception(error)
