"""Where events go: one structured line an event, written by a thread of its own.

Whoever tells an event never waits for a slow terminal or pipe: lines pass through a
bounded queue, and what does not fit is dropped and counted in one `log.dropped` line.
The thread writes what has gathered in a few milliseconds at once: waking it for every
event would cost the event loop more than telling it does.
Warnings of the libraries (through logging) take the same way.  How a line looks is
ops.event_lines.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Final, Literal, TextIO

from mailbox_server.model.ports import Clock, EventField, SystemClock
from mailbox_server.ops.event_lines import (
    FIELD_CHARACTERS,
    Event,
    Severity,
    human_line,
    journal_line,
    json_line,
)

Format = Literal["auto", "human", "json", "journald"]

QUEUE_LINES: Final = 10_000
CLOSE_SECONDS: Final = 2.0
GATHER_SECONDS: Final = 0.005
_AT_ONCE: Final = 1_000

_BY_NAME: Final = (
    ("info", Severity.INFO),
    ("warning", Severity.WARNING),
    ("error", Severity.ERROR),
)


class EventLog:
    """Events as lines on a stream (model.ports.Events); safe to use from any thread."""

    def __init__(
        self,
        chosen: Format = "auto",
        level: str = "info",
        stream: TextIO | None = None,
        clock: Clock | None = None,
        environ: Mapping[str, str] = os.environ,
        queue_lines: int = QUEUE_LINES,
    ) -> None:
        """stream: standard error where None.  Takes over the logging of the libraries."""
        self._stream = stream or sys.stderr
        self._clock = clock or SystemClock()
        self._render = _renderer(chosen, self._stream, environ)
        self._least = dict(_BY_NAME)[level]
        self._lines: SimpleQueue[Event | None] = SimpleQueue()
        self._most = queue_lines
        self._counting = threading.Lock()
        self._dropped = 0
        # A daemon: a stream that nobody reads must not keep the process from ending.
        self._thread = threading.Thread(target=self._write_all, name="event-log", daemon=True)
        self._library = _LibraryHandler(self._put)
        root = logging.getLogger()
        root.handlers[:] = [self._library]
        root.setLevel(logging.WARNING)
        self._thread.start()

    def set_level(self, level: str) -> None:
        """Drop events less important than level from now on."""
        self._least = dict(_BY_NAME)[level]

    def info(self, event: str, /, **fields: EventField) -> None:
        """Something an operator may want to follow."""
        self._put(Severity.INFO, event, fields, None)

    def warning(self, event: str, /, **fields: EventField) -> None:
        """Something an operator should look at."""
        self._put(Severity.WARNING, event, fields, None)

    def fault(self, event: str, error: BaseException, /, **fields: EventField) -> None:
        """A bug or trouble of ours, with its traceback."""
        self._put(Severity.ERROR, event, fields, error)

    def close(self) -> None:
        """Write what is queued and stop the thread; gives up on a stream that does not move."""
        logging.getLogger().removeHandler(self._library)
        self._lines.put(None)
        self._thread.join(CLOSE_SECONDS)

    def _put(
        self,
        severity: Severity,
        name: str,
        fields: Mapping[str, EventField],
        error: BaseException | None,
    ) -> None:
        if severity < self._least:
            return
        if self._lines.qsize() < self._most:
            self._lines.put(Event(self._clock.now(), severity, name, fields, error))
        else:
            self._drop(1)

    def _drop(self, count: int) -> None:
        with self._counting:
            self._dropped += count

    def _write_all(self) -> None:
        while True:
            event = self._lines.get()
            if event is not None:
                time.sleep(GATHER_SECONDS)
            gathered: list[Event] = []
            while event is not None:
                gathered.append(event)
                if len(gathered) >= _AT_ONCE:
                    break
                try:
                    event = self._lines.get_nowait()
                except Empty:
                    break
            self._write(gathered)
            if event is None:
                return

    def _write(self, events: list[Event]) -> None:
        with self._counting:
            dropped, self._dropped = self._dropped, 0
        # The count is told as soon as there is room again, before what came after.
        if dropped:
            lost = {"count": dropped}
            events = [
                Event(self._clock.now(), Severity.WARNING, "log.dropped", lost, None),
                *events,
            ]
        lines = [line for event in events if (line := self._rendered(event)) is not None]
        try:
            _write_octets(self._stream, lines)
        except (OSError, ValueError):
            self._drop(len(lines))

    def _rendered(self, event: Event) -> str | None:
        try:
            return self._render(event)
        except Exception as error:  # a field that cannot be shown must not end the log
            self._put(Severity.ERROR, "log.unwritable", {"kind": type(error).__name__}, None)
            return None


def _write_octets(stream: TextIO, lines: list[str]) -> None:
    """Past the stream's buffer, whose lock a daemon thread must not hold at the end."""
    text = "".join(f"{line}\n" for line in lines)
    try:
        descriptor = stream.fileno()
    except OSError:
        stream.write(text)
        return
    octets = text.encode("utf-8", "backslashreplace")
    while octets:
        octets = octets[os.write(descriptor, octets) :]


class _LibraryHandler(logging.Handler):
    """Turns what libraries log into events: `asyncio` becomes `library.asyncio`."""

    def __init__(
        self,
        put: Callable[[Severity, str, Mapping[str, EventField], BaseException | None], None],
    ) -> None:
        super().__init__()
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        severity = Severity.ERROR if record.levelno >= logging.ERROR else Severity.WARNING
        error = record.exc_info[1] if record.exc_info else None
        text = record.getMessage()[:FIELD_CHARACTERS]
        self._put(severity, f"library.{record.name}", {"text": text}, error)


def _renderer(chosen: Format, stream: TextIO, environ: Mapping[str, str]) -> Callable[[Event], str]:
    if chosen == "auto":
        if stream.isatty():
            chosen = "human"
        else:
            chosen = "journald" if "JOURNAL_STREAM" in environ else "json"
    if chosen == "json":
        return json_line
    if chosen == "journald":
        return journal_line
    colored = stream.isatty() and "NO_COLOR" not in environ
    return lambda event: human_line(event, colored=colored)
