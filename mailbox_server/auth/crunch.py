"""Work that burns CPU, off the event loop, on few threads and with a bounded queue."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from mailbox_server.model.errors import TooBusy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CrunchLimits:
    """threads: at work at once, each with one hash's memory; waiting: further ones in line."""

    threads: int = 2
    waiting: int = 64


class Crunch:
    """A small pool for password hashes; argon2 and PBKDF2 let go of the interpreter lock."""

    def __init__(self, limits: CrunchLimits) -> None:
        self._limits = limits
        self._taken = 0
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="crunch")

    async def run(self, work: Callable[[], T]) -> T:
        """Run work on a thread; what it raises passes.

        Raises TooBusy at once when the line is full.  A caller that is cancelled leaves its
        work in the line, counted until it is done.
        """
        if self._taken >= self._limits.threads + self._limits.waiting:
            raise TooBusy("too many passwords are being checked")
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, work)
        self._taken += 1
        future.add_done_callback(self._done)
        return await asyncio.shield(future)

    def _done(self, future: "asyncio.Future[Any]") -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # Retrieved here, for the caller may have been cancelled.

    def close(self) -> None:
        """Wait for what runs, drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)
