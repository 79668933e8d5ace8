"""Rows as tables for people, or as one JSON array."""

import sys
from collections.abc import Sequence
from typing import Any, Final

import click
import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailbox_server.cli.outcome import Surroundings, octets, printable, show_json

_PADDED: Final = 40
_WIDEST: Final = 60


def show_rows(
    rows: Sequence[msgspec.Struct],
    columns: Sequence[tuple[str, str]],
    surroundings: Surroundings,
) -> None:
    """Print rows; columns are (heading, attribute) pairs, in order.

    JSON prints all attributes of all rows as one array.  Control characters never reach
    the terminal.  On a terminal long cells are folded, so that one of them does not push all
    other columns away; in a pipe a row is a line.
    """
    if surroundings.as_json:
        show_json(list(rows))
        return
    if not rows:
        click.echo("none")
        return
    if not sys.stdout.isatty():
        _show_lines(rows, columns)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, attribute in columns:
        number = isinstance(getattr(rows[0], attribute), int)
        table.add_column(
            heading,
            justify="right" if number else "left",
            overflow="fold",
            max_width=_WIDEST,
        )
    for row in rows:
        table.add_row(*(_cell(attribute, getattr(row, attribute)) for _, attribute in columns))
    console = Console()
    with console.capture() as captured:
        console.print(table)
    # Cells are padded to their column; a line's end needs no padding.
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _show_lines(rows: Sequence[msgspec.Struct], columns: Sequence[tuple[str, str]]) -> None:
    """A row a line; a cell longer than _PADDED moves what follows it in its own line only."""
    lines = [[heading for heading, _ in columns]]
    lines += [[_cell(name, getattr(row, name)).plain for _, name in columns] for row in rows]
    widths = [min(_PADDED, max(map(cell_len, cells))) for cells in zip(*lines, strict=True)]
    numbers = [isinstance(getattr(rows[0], name), int) for _, name in columns]
    for line in lines:
        padded = []
        for cell, width, is_number in zip(line, widths, numbers, strict=True):
            space = " " * (width - cell_len(cell))
            padded.append(space + cell if is_number else cell + space)
        click.echo("  ".join(padded).rstrip())


def _cell(attribute: str, value: Any) -> Text:
    if value is None:
        return Text("-", style="dim")
    if attribute.endswith("octets") or attribute == "size":
        return Text("unlimited" if attribute == "quota_octets" and not value else octets(value))
    if attribute == "quota_messages" and not value:
        return Text("unlimited")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list):
        return Text(printable(" ".join(map(str, value))))
    return Text(printable(str(value)))
