"""Compress a store again and again, each time killed one step further, until one run ends.

Run by test_cold_contents_killed: `killed_compressing.py STORE COPIES` leaves COPIES/N, the
data folder as it was when the process had taken N steps.  A step is whatever changes what
is named on the disk: a sync, rename or unlink of a file, and both sides of a commit.  (How
many writes a file takes is a matter of chance, and it has no name before it is synced.)
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mailbox_server.model.ports import Silence, SystemClock, SystemEntropy
from mailbox_server.store.cold_contents import ColdContents
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.group_commit import GroupCommit
from tests.small_store import SMALL_STORE

KILLED = 9


class Steps:
    """Ends the process at once when it comes to a step."""

    def __init__(self, last: int) -> None:
        self._left = last

    def take(self) -> None:
        """One step is about to be made."""
        if self._left == 0:
            os._exit(KILLED)
        self._left -= 1

    def before(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.take()
            return real(*arguments, **named)

        return call

    def around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.take()
            value = real(*arguments)
            self.take()
            return value

        return call


async def compress(data: Path, last: int) -> None:
    store = await SqliteStore.open(
        data,
        SMALL_STORE,
        SystemClock(),
        SystemEntropy(),
        Silence(),
        lambda error: None,
    )
    steps = Steps(last)
    for name in ("fsync", "rename", "unlink"):
        setattr(os, name, steps.before(getattr(os, name)))
    GroupCommit._commit = steps.around(GroupCommit._commit)  # type: ignore[method-assign]
    await ColdContents(store).compress(int(SystemClock().now().timestamp()), 1 << 40)
    os._exit(0)


def main(store: Path, copies: Path) -> None:
    outcome, last = KILLED, 0
    while outcome == KILLED:
        data = copies / str(last)
        shutil.copytree(store, data)
        child = os.fork()
        if child == 0:
            asyncio.run(compress(data, last))
        _, status = os.waitpid(child, 0)
        outcome = os.waitstatus_to_exitcode(status)
        last += 1
    sys.exit(outcome)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
