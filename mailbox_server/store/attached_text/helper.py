"""The server's end of the reading process: starts it, asks it, kills it.

Everything blocks, with a deadline, so it is called on a thread for that; only `kill` may come
from any other.  No shell, a session of its own, nothing of our environment, and no descriptor
but the three pipes, of which the third goes nowhere.
"""

import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

import mailbox_server
from mailbox_server.mime.documents.outcomes import Outcome
from mailbox_server.store.attached_text.frames import (
    LENGTH_OCTETS,
    READY,
    Question,
    framed,
)

CHILD: Final = "mailbox_server.store.attached_text.child"
_ANSWER_OCTETS: Final = 16 * 1024 * 1024
_READ_OCTETS: Final = 64 * 1024
_START_SECONDS: Final = 60.0
_POLLED_READ: Final = select.POLLIN | select.POLLHUP | select.POLLERR
_POLLED_WRITE: Final = select.POLLOUT | select.POLLERR


@dataclass(frozen=True, slots=True)
class HelperLimits:
    """What the process may take.

    memory_octets: of address space.  processor_seconds: for one document.  wall_seconds: the
    same from the question to the answer, also where others keep the processor.
    documents: after so many a new process takes over.
    """

    memory_octets: int = 512 * 1024 * 1024
    processor_seconds: int = 20
    wall_seconds: float = 120.0
    documents: int = 100


class HelperDied(Exception):
    """The process ended, or was ended, with a document in its hands."""


class HelperUnusable(Exception):
    """The process could not be started, or could not give up what it must."""


class DocumentAnswer(msgspec.Struct, frozen=True):
    """What the process said of a document (mime.documents.reading.DocumentText)."""

    outcome: Outcome
    text: str = ""


class ReadingHelper:
    """One process; ask, give until all octets are given, take the answer."""

    def __init__(self, limits: HelperLimits) -> None:
        """Starts it, and waits until it is confined.  Raises HelperUnusable."""
        self._limits = limits
        self._left = limits.documents
        self._held = b""
        life = limits.processor_seconds * (limits.documents + 1)
        arguments = (limits.memory_octets, limits.processor_seconds, life)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-B", "-P", "-s", "-m", CHILD, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                env={"PYTHONPATH": str(Path(mailbox_server.__file__).parents[1])},
                start_new_session=True,
            )
        except OSError as error:
            raise HelperUnusable(f"no process can be started: {error}") from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._input.fileno(), False)
        os.set_blocking(self._output.fileno(), False)
        self._deadline = time.monotonic() + _START_SECONDS
        try:
            if self._next_frame() != READY:
                raise HelperDied("it said something else")
        except HelperDied as died:
            self.end()
            raise HelperUnusable(f"the reading process is not ready: {died}") from died

    @property
    def is_usable(self) -> bool:
        """Whether it may be asked again: it is there, and has not read enough by now."""
        return self._left > 0 and self._process.poll() is None

    @property
    def number(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, question: Question) -> None:
        """Begin a document; its time runs from now on.  Raises HelperDied."""
        self._left -= 1
        self._deadline = time.monotonic() + self._limits.wall_seconds
        self.give(framed(msgspec.json.encode(question)))

    def give(self, octets: bytes) -> None:
        """The next octets of the document.  Raises HelperDied."""
        rest = memoryview(octets)
        while rest:
            self._wait(self._input.fileno(), _POLLED_WRITE)
            try:
                rest = rest[os.write(self._input.fileno(), rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise HelperDied(f"it hears nothing: {error}") from error

    def answer(self) -> DocumentAnswer:
        """What it says once it has all octets.  Raises HelperDied."""
        try:
            answer = msgspec.json.decode(self._next_frame(), type=DocumentAnswer)
        except msgspec.MsgspecError as error:
            raise HelperDied(f"it said what cannot be: {error}") from error
        if answer.outcome is Outcome.EXHAUSTED:
            # It ends after that word, and may not have ended yet.
            self._left = 0
        return answer

    def kill(self) -> None:
        """End it at once, whatever it does; from any thread."""
        self._left = 0
        self._process.kill()

    def end(self) -> None:
        """Kill it, and let go of all that it took of ours."""
        self._process.kill()
        self._input.close()
        self._output.close()
        self._process.wait()

    def _next_frame(self) -> bytes:
        length = int.from_bytes(self._take(LENGTH_OCTETS), "big")
        if length > _ANSWER_OCTETS:
            raise HelperDied("it says too much")
        return self._take(length)

    def _take(self, octets: int) -> bytes:
        pieces = [self._held]
        count = len(self._held)
        while count < octets:
            self._wait(self._output.fileno(), _POLLED_READ)
            try:
                piece = os.read(self._output.fileno(), _READ_OCTETS)
            except BlockingIOError:
                continue
            if not piece:
                raise HelperDied("it ended")
            pieces.append(piece)
            count += len(piece)
        whole = b"".join(pieces)
        self._held = whole[octets:]
        return whole[:octets]

    def _wait(self, descriptor: int, events: int) -> None:
        """Until the pipe can be used.  Raises HelperDied when the time is over."""
        left = self._deadline - time.monotonic()
        poll = select.poll()
        poll.register(descriptor, events)
        if left <= 0 or not poll.poll(1000 * left):
            raise HelperDied("it took too long")
