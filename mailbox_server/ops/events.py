"""Where events and counts go: one structured line an event, written by a thread of its own.

The event loop never waits for a slow terminal or pipe: lines pass through a bounded queue,
and what does not fit is dropped and counted in one `log.dropped` line.  Control characters
in fields are escaped by the renderers, so that no peer can forge a line.
"""

import logging
import logging.handlers
import os
import queue
import sys
from collections import Counter
from typing import Any, Final, Literal, TextIO

import structlog

from mailbox_server.model.ports import EventField

Format = Literal["auto", "human", "json", "journald"]

_QUEUE_LINES: Final = 10_000
_LEVELS: Final = (("info", logging.INFO), ("warning", logging.WARNING), ("error", logging.ERROR))
_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_FIELD_CHARACTERS: Final = 1_000


class _BoundedQueueHandler(logging.handlers.QueueHandler):
    """Hand records to the writing thread; drop and count when it falls behind."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1
            return
        if self.dropped:
            count, self.dropped = self.dropped, 0
            self.handle(
                logging.LogRecord(
                    "log",
                    logging.WARNING,
                    "",
                    0,
                    {"event": "log.dropped", "count": count},
                    (),
                    None,
                )
            )

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


class _JournalFormatter(logging.Formatter):
    """A priority prefix as systemd reads it from a service's standard error."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        priority = next((p for level, p in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in self._inner.format(record).split("\n"))


class EventLog:
    """Events as lines on a stream."""

    def __init__(
        self, chosen: Format = "auto", level: str = "info", stream: TextIO | None = None
    ) -> None:
        self._stream = stream or sys.stderr
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(_formatter(_resolve(chosen, self._stream), self._stream))
        lines: queue.Queue[Any] = queue.Queue(_QUEUE_LINES)
        self._handler = _BoundedQueueHandler(lines)
        self._listener = logging.handlers.QueueListener(lines, handler)
        self._root = logging.getLogger()
        self._root.handlers[:] = [self._handler]
        for noisy in ("mail.log", "asyncio", "sqlalchemy", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._logger = logging.getLogger("mailbox_server")
        self.set_level(level)
        self._listener.start()

    def set_level(self, level: str) -> None:
        """Drop events less important than level from now on."""
        self._root.setLevel(dict(_LEVELS)[level])

    def info(self, event: str, /, **fields: EventField) -> None:
        """Something an operator may want to follow."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: EventField) -> None:
        """Something an operator should look at."""
        self._write(logging.WARNING, event, fields)

    def fault(self, event: str, error: BaseException, /, **fields: EventField) -> None:
        """A bug or trouble of ours, with its traceback."""
        self._write(logging.ERROR, event, fields, error)

    def close(self) -> None:
        """Write what is queued and stop the thread."""
        self._listener.stop()
        self._stream.flush()

    def _write(
        self,
        level: int,
        event: str,
        fields: dict[str, EventField],
        error: BaseException | None = None,
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        line: dict[str, Any] = {"event": event}
        for name, value in fields.items():
            if value is not None:
                line[name] = value[:_FIELD_CHARACTERS] if isinstance(value, str) else value
        trace = (type(error), error, error.__traceback__) if error is not None else None
        self._handler.handle(logging.LogRecord("mailbox_server", level, "", 0, line, (), trace))


class Tally:
    """Counts since the start, in memory."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        """Count amount more of name."""
        self._counts[name] += amount

    def read(self) -> dict[str, int]:
        """Every count by name."""
        return dict(sorted(self._counts.items()))


def _resolve(chosen: Format, stream: TextIO) -> Format:
    if chosen != "auto":
        return chosen
    if stream.isatty():
        return "human"
    return "journald" if "JOURNAL_STREAM" in os.environ else "json"


def _take_fields(_logger: Any, _method: str, line: Any) -> Any:
    """Join the fields of our own records; keep a library's message as one escaped text."""
    record: logging.LogRecord = line["_record"]
    if isinstance(record.msg, dict):
        line.update(record.msg)
    else:
        line["event"] = f"{record.name}: {line['event']}"[:_FIELD_CHARACTERS]
    return line


def _escape(_logger: Any, _method: str, line: Any) -> Any:
    for name, value in line.items():
        if isinstance(value, str) and name != "exception" and not value.isprintable():
            line[name] = value.encode("unicode_escape").decode("ascii")
    return line


def _formatter(chosen: Format, stream: TextIO) -> logging.Formatter:
    renderer: Any
    if chosen == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=chosen == "human" and stream.isatty() and "NO_COLOR" not in os.environ,
            pad_event_to=28,
        )
    steps: list[Any] = [
        _take_fields,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _escape,
        renderer,
    ]
    if chosen != "journald":
        steps.insert(2, structlog.processors.TimeStamper(fmt="iso", utc=True))
    formatter = structlog.stdlib.ProcessorFormatter(processors=steps)
    return _JournalFormatter(formatter) if chosen == "journald" else formatter
