"""What a thread computes while others go on: they look at it later, or hear when it is there.

The event loop may await it; a write can be told to begin after it (ports.Store.write), which
costs the loop no turn in between.
"""

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from mailbox_server.store.workers import answer, post

T = TypeVar("T")


class Aside(Generic[T]):
    """One outcome: a value, or what job raised.  Any thread may use it."""

    __slots__ = ("_calls", "_error", "_gate", "_is_done", "_job", "_value")

    def __init__(self, job: Callable[[], T]) -> None:
        """job: what run computes."""
        self._job: Callable[[], T] | None = job
        self._gate = threading.Lock()
        self._is_done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._calls: list[Callable[[], None]] = []

    @property
    def is_done(self) -> bool:
        """Whether the outcome is there."""
        return self._is_done

    def run(self) -> None:
        """Compute it, in the thread that calls; once."""
        assert self._job is not None, "it was run before"
        try:
            self._value = self._job()
        except BaseException as error:  # whatever it is belongs to who looks at it
            self._error = error
        self._job = None
        with self._gate:
            self._is_done = True
            calls, self._calls = self._calls, []
        for call in calls:
            call()

    def when_done(self, call: Callable[[], None]) -> None:
        """Have call called where it is computed, once it is; here and now if it is already.

        It must not raise, nor take long.
        """
        with self._gate:
            if not self._is_done:
                self._calls.append(call)
                return
        call()

    def result(self) -> T:
        """The value; raises what the job raised.  It must be done."""
        assert self._is_done, "it is still being computed"
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def __await__(self) -> Generator[Any, None, T]:
        if not self._is_done:
            loop = asyncio.get_running_loop()
            done: asyncio.Future[None] = loop.create_future()
            self.when_done(lambda: post(loop, answer, done, None, None))
            yield from done
        return self.result()
