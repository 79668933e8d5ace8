"""Lives of a server that the nursery bears, and the plain client that talks to it."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.e2e.appliance import REPOSITORY

PATIENCE_SECONDS: Final = 60.0


class Gone(Exception):
    """The connection is over, or could not be made."""


class Refused(Exception):
    """The answer was not the wanted one; it is the argument."""

    @property
    def answer(self) -> bytes:
        """What the server said."""
        answer: bytes = self.args[0]
        return answer


class Nursery:
    """The preloaded parent process, from which lives are forked one after the other."""

    def __init__(self, config: Path, environment: Mapping[str, str], log: Path) -> None:
        surroundings = {**os.environ, "PYTHONPATH": str(REPOSITORY), **environment}
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery", str(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=surroundings,
                cwd=REPOSITORY,
            )
        self._unread = b""

    def close(self) -> None:
        """No more lives."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_SECONDS)

    def bear(self, *, armed: bool = False) -> "Life":
        """Begin a life, and return when it is ready or over; the one before must have ended.

        armed: from its birth on.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(b"armed\n" if armed else b"free\n")
        self._process.stdin.flush()
        return Life(self)

    def told(self, seconds: float = PATIENCE_SECONDS) -> list[str]:
        """The next line as words.  Raises TimeoutError when none comes."""
        assert self._process.stdout is not None
        until = time.monotonic() + seconds
        while b"\n" not in self._unread:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise TimeoutError("the server hangs")
            came = os.read(self._process.stdout.fileno(), 4096)
            assert came, "the nursery is gone"
            self._unread += came
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode().split()


class Life:
    """One forked server."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self.pid = 0
        self._code: int | None = None
        self.is_ready = False
        while not self.is_ready and self._code is None:
            self._hear()

    def _hear(self, seconds: float = PATIENCE_SECONDS) -> None:
        what, *rest = self._nursery.told(seconds)
        match what:
            case "born":
                self.pid = int(rest[0])
            case "ready":
                self.is_ready = True
            case _:
                self._code = int(rest[0])

    def stop(self) -> int:
        """SIGTERM, and the exit code; negative for the signal that killed it."""
        if self._code is None:
            # The nursery may have reaped it, but nobody else has its number so soon.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """The exit code, once it ends by itself.  Raises TimeoutError when it does not."""
        while self._code is None:
            self._hear(seconds)
        return self._code


class Talk:
    """One client connection, as dumb as can be."""

    def __init__(self, port: int, on_acknowledged: Callable[[], None] = lambda: None) -> None:
        """on_acknowledged: called when a step of a transaction has its yes.  Raises Gone."""
        self.acknowledge = on_acknowledged
        self._unread = b""
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        except OSError as error:
            raise Gone from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def say(self, octets: bytes) -> None:
        """Send.  Raises Gone."""
        try:
            self._socket.sendall(octets)
        except OSError as error:
            raise Gone from error

    def line(self) -> bytes:
        """The next line.  Raises Gone, TimeoutError."""
        while b"\n" not in self._unread:
            try:
                came = self._socket.recv(65536)
            except TimeoutError:
                raise
            except OSError as error:
                raise Gone from error
            if not came:
                raise Gone
            self._unread += came
        line, _, self._unread = self._unread.partition(b"\n")
        return line + b"\n"

    def reply(self, wanted: bytes, times: int = 1) -> None:
        """That many whole SMTP replies that begin so.  Raises Refused, Gone."""
        for _ in range(times):
            line = self.line()
            while line[3:4] == b"-":
                line = self.line()
            if not line.startswith(wanted):
                raise Refused(line)

    def tagged(self, command: bytes) -> None:
        """An IMAP command and its tagged OK; `+` is passed over.  Raises Refused, Gone."""
        self.say(b"t " + command + b"\r\n")
        self.until_tagged()

    def until_tagged(self) -> None:
        """The tagged OK of a command that was sent.  Raises Refused, Gone."""
        while not (line := self.line()).startswith(b"t "):
            if line.startswith(b"* BYE"):
                raise Refused(line)
        if not line.startswith(b"t OK"):
            raise Refused(line)

    def pop(self, command: bytes, *, long: bool = False) -> None:
        """A POP3 command and its +OK; long: to the end of a multi-line one."""
        self.say(command + b"\r\n")
        line = self.line()
        if not line.startswith(b"+OK"):
            raise Refused(line)
        while long and self.line() != b".\r\n":
            pass
