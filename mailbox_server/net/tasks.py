"""The one place that makes tasks: named, kept, and never failing in silence."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class TaskKeeper:
    """Makes tasks, holds them until they end, and reports what they raise.

    on_failure: called with the task's name and the exception of a task that nobody
        awaited to its failure; called once a task, never for a cancellation.
    """

    def __init__(self, on_failure: Callable[[str, BaseException], None]) -> None:
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        """How many tasks have not ended."""
        return len(self._tasks)

    def spawn(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work on the running loop; it may be cancelled or awaited by its owner."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self.report(task.get_name(), error)

    def report(self, name: str, error: BaseException) -> None:
        """Report trouble of a callback that is no task as if it were one."""
        self._on_failure(name, error)

    async def rest(self, seconds: float) -> bool:
        """Wait at most seconds for all tasks; whether they have ended.

        Tasks spawned meanwhile are waited for as well.  A task that calls this itself is
        left alone.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := self._others()) and (remaining := until - loop.time()) > 0:
            await asyncio.wait(left, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        return not self._others()

    async def drain(self, seconds: float) -> tuple[str, ...]:
        """Rest for at most seconds, then cancel what goes on and wait for its end.

        Returns the names of those that had to be cancelled.
        """
        await self.rest(seconds)
        cancelled: list[str] = []
        while left := self._others():
            for task in left:
                cancelled.append(task.get_name())
                task.cancel()
            await asyncio.wait(left)
        return tuple(cancelled)

    def _others(self) -> set[asyncio.Task[Any]]:
        return self._tasks - {asyncio.current_task()}
