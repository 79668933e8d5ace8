"""How a verb ends, and what it prints: tables or JSON on stdout, faults on stderr."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailbox_server.model.errors import (
    MailboxServerFault,
    SettingsMalformed,
    Unavailable,
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the global options said."""

    config: Path
    as_json: bool


def exit_with(sentence: str, why: MailboxServerFault | int) -> NoReturn:
    """Say one sentence on standard error and end with the exit code that fits."""
    click.echo(f"mailbox-server: {sentence}", err=True)
    if isinstance(why, int):
        sys.exit(why)
    if isinstance(why, SettingsMalformed):
        sys.exit(4)
    sys.exit(3 if isinstance(why, Unavailable) else 1)


def said(sentence: str, surroundings: Surroundings) -> None:
    """Tell a person that it is done; silent with --json."""
    if not surroundings.as_json:
        click.echo(sentence)


def octets(count: int) -> str:
    """A count of octets for people: `1.5 MiB`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def show_rows(
    rows: Sequence[msgspec.Struct],
    columns: Sequence[tuple[str, str]],
    surroundings: Surroundings,
) -> None:
    """Print rows; columns are (heading, attribute) pairs, in order.

    JSON prints all attributes of all rows as one array.  Control characters never reach
    the terminal.
    """
    if surroundings.as_json:
        show_json([_plain(row) for row in rows])
        return
    if not rows:
        click.echo("none")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, attribute in columns:
        number = isinstance(getattr(rows[0], attribute), int)
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(attribute, getattr(row, attribute)) for _, attribute in columns))
    Console(soft_wrap=not sys.stdout.isatty()).print(table)


def show_json(value: Any) -> None:
    """Print one JSON value, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8"))


def printable(text: str) -> str:
    """text without control characters, so that it cannot drive a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _plain(row: msgspec.Struct) -> Any:
    value = msgspec.to_builtins(row)
    value.pop("row", None)
    return value


def _cell(attribute: str, value: Any) -> Text:
    if value is None:
        return Text("-", style="dim")
    if attribute.endswith("octets") or attribute == "size":
        return Text("unlimited" if attribute == "quota_octets" and not value else octets(value))
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list):
        return Text(printable(" ".join(map(str, value))))
    return Text(printable(str(value)))
