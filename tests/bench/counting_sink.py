"""One smtp-sink for all destinations: it swallows mail, counts it, and can be away for a while."""

import os
import re
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from tests.e2e.appliance import free_port
from tests.e2e.peers.programs import find

DOMAINS: Final = tuple(f"d{number}.example" for number in range(20))

_READY_SECONDS: Final = 30.0
_COUNT: Final = re.compile(rb"mesg=(\d+)")
_LAST_OCTETS: Final = 200


def address_of(domain: str) -> str:
    """The loopback address at which mail for one of DOMAINS is taken."""
    return f"127.9.0.{1 + DOMAINS.index(domain)}"


class CountingSink:
    """Listens on one port of every loopback address, so that each domain is a destination."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._told = folder / "sink"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *flags: str) -> None:
        """Take mail; the count begins at 0."""
        program = find("smtp-sink")
        assert program is not None
        user = ["-u", "root"] if os.geteuid() == 0 else []
        with self._told.open("wb") as told:
            self._process = subprocess.Popen(
                [program, *user, "-c", *flags, f"0.0.0.0:{self.port}", "100"],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.DEVNULL,
            )
        until = time.monotonic() + _READY_SECONDS
        while not self._listens():
            assert self._process.poll() is None and time.monotonic() < until
            time.sleep(0.01)

    def stop(self) -> None:
        """Refuse connections from now on."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    @property
    def count(self) -> int:
        """Messages taken since the start."""
        with self._told.open("rb") as told:
            told.seek(max(0, os.fstat(told.fileno()).st_size - _LAST_OCTETS))
            found = _COUNT.findall(told.read().rpartition(b"\r")[0])
        return int(found[-1]) if found else 0

    def _listens(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0
