"""A few threads that run plain functions for the event loop.

Smaller than asyncio's executor: a hop there and back costs 50 to 90 µs, most of it two
thread switches.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, TypeVar

T = TypeVar("T")

_HURRY_SECONDS: Final = 0.05


class Workers:
    """Threads with one queue; jobs start in the order they came."""

    def __init__(self, name: str, count: int) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, job: Callable[[], T]) -> "asyncio.Future[T]":
        """Run job in a thread; cancelling the future does not stop it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(partial(_answered, job, future, loop))
        return future

    def begin(self, job: Callable[[], None]) -> None:
        """Run job in a thread; it must not raise, and whoever wants to know asks it."""
        self._queue.put(job)

    def close(self, hurry: Callable[[], None] | None = None) -> None:
        """Finish all that waits, then end the threads; blocks until then.

        hurry: called until they have ended; it ends what runs.
        """
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            while hurry is not None and thread.is_alive():
                hurry()
                thread.join(_HURRY_SECONDS)
            thread.join()

    def _serve(self) -> None:
        while True:
            job = self._queue.get()
            if job is None:
                return
            job()
            # Nothing may keep the last job's values alive while the thread waits.
            del job


def _answered(
    job: Callable[[], Any], future: "asyncio.Future[Any]", loop: asyncio.AbstractEventLoop
) -> None:
    try:
        value = job()
    except BaseException as error:  # whatever it is belongs to who waits for it
        post(loop, answer, future, None, error)
    else:
        post(loop, answer, future, value, None)


def post(loop: asyncio.AbstractEventLoop, action: Callable[..., None], *arguments: Any) -> None:
    """Have the loop call action; silent where the loop has ended and nobody waits."""
    try:
        loop.call_soon_threadsafe(action, *arguments)
    except RuntimeError:
        if not loop.is_closed():
            raise


def answer(future: "asyncio.Future[Any]", value: Any, error: BaseException | None) -> None:
    """Settle a future whose waiter may have gone."""
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
