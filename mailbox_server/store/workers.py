"""A few threads that run plain functions for the event loop.

Smaller than asyncio's executor: a hop there and back costs 50 to 90 µs, most of it two
thread switches.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

T = TypeVar("T")

_Job = Callable[[], None]

_HURRY_SECONDS: Final = 0.05


class _Parked:
    """A thread that waits for its next job; None is the end."""

    __slots__ = ("_woken", "job")

    def __init__(self) -> None:
        self._woken = threading.Lock()
        self._woken.acquire()
        self.job: _Job | None = None

    def wake(self, job: _Job | None) -> None:
        """Let it go on; once for each time that it waits."""
        self.job = job
        self._woken.release()

    def wait(self) -> _Job | None:
        """Wait for the next job."""
        self._woken.acquire()
        job, self.job = self.job, None
        return job


class Workers:
    """A few threads; jobs start in the order they came.

    A job is handed to the thread that waits since last, whose caches are warm: of several that
    wait at one queue more than one would wake.
    """

    def __init__(self, name: str, count: int) -> None:
        self._gate = threading.Lock()
        self._parked: list[_Parked] = []
        self._queue: deque[_Job | None] = deque()
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
        self._hand_on(partial(_answered, job, future, loop))
        return future

    def begin(self, job: Callable[[], None]) -> None:
        """Run job in a thread; whoever wants to know asks it.

        What it raises is shown as where it ends a thread, but ends none.
        """
        self._hand_on(partial(_shown, job))

    def close(self, hurry: Callable[[], None] | None = None) -> None:
        """Finish all that waits, then end the threads; blocks until then.

        hurry: called until they have ended; it ends what runs.
        """
        for _ in self._threads:
            self._hand_on(None)
        for thread in self._threads:
            while hurry is not None and thread.is_alive():
                hurry()
                thread.join(_HURRY_SECONDS)
            thread.join()

    def _hand_on(self, job: _Job | None) -> None:
        with self._gate:
            # Where one waits nothing is queued.
            parked = self._parked.pop() if self._parked else None
            if parked is None:
                self._queue.append(job)
        if parked is not None:
            parked.wake(job)

    def _serve(self) -> None:
        here = _Parked()
        while True:
            with self._gate:
                is_queued = bool(self._queue)
                job = self._queue.popleft() if is_queued else None
                if not is_queued:
                    self._parked.append(here)
            if not is_queued:
                job = here.wait()
            if job is None:
                return
            job()
            # Nothing may keep the last job's values alive while the thread waits.
            del job


def _shown(job: _Job) -> None:
    try:
        job()
    except Exception as error:  # a bug of ours, or no memory: the next job needs the thread
        thread = threading.current_thread()
        threading.excepthook(
            threading.ExceptHookArgs((type(error), error, error.__traceback__, thread))
        )


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
