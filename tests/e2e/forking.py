"""Our program as a fork of a process that has it imported, which is nine tenths of its start.

There is one such parent for each process that runs tests, from its first child to its end.
"""

import atexit
import functools
import io
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.e2e.parent import PACKET_OCTETS, Birth

_ROOT: Final = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS: Final = 60.0


@functools.cache
def _parent() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * PACKET_OCTETS)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.parent", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd=_ROOT,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class Child:
    """A running child, with as much of subprocess.Popen as its users need."""

    def __init__(self, told: int) -> None:
        self._told = told
        self._words = b""
        self.returncode: int | None = None
        self.pid = self._number(_PATIENCE_SECONDS)

    def poll(self) -> int | None:
        """The exit code, or None while it lives."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float = _PATIENCE_SECONDS) -> int:
        """The exit code, once it ends by itself.  Raises TimeoutExpired."""
        if self.returncode is None:
            self.returncode = self._number(timeout)
            os.close(self._told)
        return self.returncode

    def _number(self, timeout: float) -> int:
        until = time.monotonic() + timeout
        while b"\n" not in self._words:
            left = max(until - time.monotonic(), 0)
            if not select.select([self._told], [], [], left)[0]:
                raise subprocess.TimeoutExpired("mailbox-server", timeout)
            came = os.read(self._told, 100)
            assert came, "the parent is gone"
            self._words += came
        number, _, self._words = self._words.partition(b"\n")
        return int(number)


def fork(
    words: Sequence[str],
    environment: dict[str, str],
    standard: tuple[int, int, int],
    *,
    leads: bool = False,
) -> Child:
    """Begin `mailbox-server words` with these as standard input, output and errors.

    leads: in a session of its own.
    """
    birth = Birth(list(words), environment, os.getcwd(), leads)
    told, telling = os.pipe()
    try:
        socket.send_fds(_parent(), [msgspec.json.encode(birth)], [*standard, telling])
    finally:
        os.close(telling)
    return Child(told)


def run_forked(
    words: Sequence[str], environment: dict[str, str], stdin: bytes, timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """Run `mailbox-server words` to its end.  Raises TimeoutExpired; then it lives on."""
    with _in_memory("in") as taken, _in_memory("out") as given, _in_memory("err") as errors:
        taken.write(stdin)
        taken.seek(0)
        standard = taken.fileno(), given.fileno(), errors.fileno()
        code = fork(words, environment, standard).wait(timeout)
        given.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(list(words), code, given.read(), errors.read())


def _in_memory(name: str) -> io.FileIO:
    return io.FileIO(os.memfd_create(name), "r+")
