"""One event as one line of text: for people, as JSON, or as systemd's journal takes it.

No field can forge a line or drive a terminal: whatever is not printable is escaped, line
separators and bidirectional controls included.  Long texts are cut.
"""

import enum
import json
import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from mailbox_server.model.ports import EventField

_encoded: Final = json.JSONEncoder(ensure_ascii=False).encode

FIELD_CHARACTERS: Final = 1_000
_TRACE_CHARACTERS: Final = 20_000
_SEVERITY_WIDTH: Final = 7
_NAME_WIDTH: Final = 22


class Severity(enum.IntEnum):
    """How important an event is."""

    INFO = 1
    WARNING = 2
    ERROR = 3


# RFC 5424 §6.2.1: informational, warning, error.
_PRIORITIES: Final = MappingProxyType({Severity.INFO: 6, Severity.WARNING: 4, Severity.ERROR: 3})
_COLORS: Final = MappingProxyType(
    {Severity.INFO: "32", Severity.WARNING: "33", Severity.ERROR: "31"}
)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, when; error is what was raised, if anything."""

    at: datetime
    severity: Severity
    name: str
    fields: Mapping[str, EventField]
    error: BaseException | None


def json_line(event: Event) -> str:
    """One JSON object: time, level, event, then the fields that are not None."""
    line: dict[str, object] = {
        "time": event.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "level": event.severity.name.lower(),
        "event": event.name,
    }
    for name, value in _shown(event.fields):
        line.setdefault(name, value)
    if event.error is not None:
        line["exception"] = _trace(event.error)
    return _escaped(_encoded(line))


def journal_line(event: Event) -> str:
    """A priority as systemd reads it from standard error, and no time: the journal has its own.

    sd-daemon(3).
    """
    text = " ".join([event.name, *_pairs(event)])
    if event.error is not None:
        text += f" exception={_quoted(_trace(event.error))}"
    return f"<{_PRIORITIES[event.severity]}>{text}"


def human_line(event: Event, *, colored: bool) -> str:
    """Local time, level, event and fields; a traceback follows on lines of its own."""
    level = f"{event.severity.name.lower():<{_SEVERITY_WIDTH}}"
    if colored:
        level = f"\x1b[{_COLORS[event.severity]}m{level}\x1b[0m"
    name = f"{event.name:<{_NAME_WIDTH}}"
    text = " ".join([f"{event.at.astimezone():%H:%M:%S}", level, name, *_pairs(event)]).rstrip()
    if event.error is not None:
        for line in _trace(event.error).splitlines():
            text += "\n    " + _escaped(line)
    return text


def _pairs(event: Event) -> list[str]:
    return [f"{name}={_plain(value)}" for name, value in _shown(event.fields)]


def _shown(fields: Mapping[str, EventField]) -> list[tuple[str, EventField]]:
    shown: list[tuple[str, EventField]] = []
    for name, value in fields.items():
        if value is None:
            continue
        if isinstance(value, float) and not math.isfinite(value):
            value = str(value)
        shown.append((name, value[:FIELD_CHARACTERS] if isinstance(value, str) else value))
    return shown


def _plain(value: EventField) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    simple = value and value.isprintable() and not set(value) & set(' "=\\')
    return value if simple else _quoted(value)


def _quoted(text: str) -> str:
    return _escaped(json.dumps(text, ensure_ascii=False))


def _escaped(text: str) -> str:
    """Escape as JSON does what is not printable; in JSON only strings can hold such."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _trace(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error)).rstrip("\n")
    return text if len(text) <= _TRACE_CHARACTERS else "… " + text[-_TRACE_CHARACTERS:]
