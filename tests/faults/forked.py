"""An appliance whose lives are forked from a parent that has imported everything.

Its start costs a tenth of a process of its own, so that a server can die forty times in a
short test.  Nothing is open when it is forked: no database, no loop, no thread, no socket.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tests.e2e.appliance import DOMAIN, PASSWORDS, Appliance
from tests.faults.lives import Life, Nursery
from tests.faults.template import furnish, inside


class ForkedAppliance(Appliance):
    """As an Appliance, but for how it starts; close it at the end.

    preloaded: environment of the parent process, and so of each life, but not of verbs.
    """

    def __init__(
        self,
        home: Path,
        extra: str = "",
        preloaded: Mapping[str, str] = MappingProxyType({}),
        *,
        domain: str = DOMAIN,
    ) -> None:
        super().__init__(home, extra, domain=domain)
        self._preloaded = dict(preloaded)
        self._nursery: Nursery | None = None
        self._life: Life | None = None

    def open_accounts(self, names: Sequence[str] = ("ann", "bob")) -> None:
        """Host the domain and open the test accounts, without a process for each verb."""
        passwords = {name: PASSWORDS[name] for name in names}
        asyncio.run(inside(self.data, lambda store: furnish(store, passwords, self.domain)))

    def start(self, *, forked: bool = True) -> None:
        """Begin a life and return when it is ready; not forked, it is a process from exec on."""
        if not forked:
            self.execute()
            return
        if self._nursery is None:
            self._nursery = Nursery(self.config, self._preloaded, self.log)
        life = self._nursery.bear()
        assert life.is_ready, f"the server did not start: {self.log.read_text()[-4000:]}"
        self._life = life

    @property
    def pid(self) -> int:
        """The server's process id."""
        return super().pid if self._life is None else self._life.pid

    def wait(self) -> int:
        """Wait for the life to end by itself; returns the exit code."""
        life, self._life = self._life, None
        return super().wait() if life is None else life.wait()

    def stop(self) -> int:
        """SIGTERM and wait; returns the exit code."""
        life, self._life = self._life, None
        return super().stop() if life is None else life.stop()

    def kill(self) -> None:
        """SIGKILL and wait."""
        if self._life is None:
            super().kill()
        else:
            # It may have ended by itself: its disk may have failed under it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def close(self) -> None:
        """No more lives."""
        self.kill()
        nursery, self._nursery = self._nursery, None
        if nursery is not None:
            nursery.close()
