"""How a verb ends, and what it prints: sentences or JSON on stdout, faults on stderr."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import click
import msgspec

from mailbox_server.model.errors import (
    MailboxServerFault,
    SettingsMalformed,
    Unavailable,
)
from mailbox_server.ops.answers import ServerFault

DONE: Final = 0
REFUSED: Final = 1
WRONG_USAGE: Final = 2
MAY_PASS: Final = 3
SETTINGS_UNUSABLE: Final = 4
OUR_FAULT: Final = 5
INTERRUPTED: Final = 130

_BEYOND_ASCII: Final = re.compile(r"[^\n -~]+")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the global options said."""

    config: Path
    as_json: bool


def exit_code(fault: MailboxServerFault) -> int:
    """The exit code that fits a fault."""
    if isinstance(fault, SettingsMalformed):
        return SETTINGS_UNUSABLE
    if isinstance(fault, ServerFault):
        return OUR_FAULT
    return MAY_PASS if isinstance(fault, Unavailable) else REFUSED


def complain(sentence: str) -> None:
    """Say one sentence on standard error."""
    click.echo(f"mailbox-server: {printable(sentence)}", err=True)


def exit_with(sentence: str, code: int) -> NoReturn:
    """Say one sentence on standard error and end with code."""
    complain(sentence)
    sys.exit(code)


def said(sentence: str, surroundings: Surroundings) -> None:
    """Tell that it is done: one sentence, or with --json one object that holds it."""
    if surroundings.as_json:
        show_json({"done": sentence})
    else:
        click.echo(printable(sentence))


def octets(count: int) -> str:
    """A count of octets for people: `1.5 MiB`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def show_json(value: Any) -> None:
    """Print one JSON value, indented; rows lose the tag that they travel with."""
    click.echo(json_text([_plain(row) for row in value] if isinstance(value, list) else value))


def json_text(value: Any) -> str:
    """One JSON value, indented, with escapes for all that could drive a terminal."""
    text = msgspec.json.format(msgspec.json.encode(_plain(value)), indent=2).decode("utf-8")
    return _BEYOND_ASCII.sub(_escaped, text)


def printable(text: str) -> str:
    """text without control characters, so that it cannot drive a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _escaped(match: re.Match[str]) -> str:
    """What is no plain character, as JSON escapes it (RFC 8259 §7)."""
    units = ((c, c.encode("utf-16-be").hex()) for c in match[0])
    return "".join(
        c if c.isprintable() else "".join(f"\\u{h[i : i + 4]}" for i in range(0, len(h), 4))
        for c, h in units
    )


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        found = msgspec.to_builtins(value)
        found.pop("row", None)
        return found
    return value


def warn_missing(rows: Sequence[Any]) -> None:
    """Tell on standard error which targets in an answer are nobody's address yet."""
    for row in rows:
        for target in row.missing:
            click.echo(f"warning: {printable(target)} is nobody's address yet", err=True)
