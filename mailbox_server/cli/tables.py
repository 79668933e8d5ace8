"""Rows as tables for people, or as one JSON array."""

import sys
import textwrap
from collections.abc import Sequence
from typing import Any, Final

import click
import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailbox_server.cli.outcome import (
    Surroundings,
    json_text,
    octets,
    printable,
    show_json,
)

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


class RowStream:
    """Rows that come in pages, of which none is held: one table, or one JSON array.

    The first page decides how wide the columns are.
    """

    def __init__(self, columns: Sequence[tuple[str, str]], surroundings: Surroundings) -> None:
        self._columns = columns
        self._as_json = surroundings.as_json
        self._widths: list[int] = []
        self._is_first = True

    def show(self, rows: Sequence[msgspec.Struct]) -> None:
        """Print one page."""
        if not rows:
            return
        if self._as_json:
            for row in rows:
                self._show_json(row)
        else:
            lines = [_cells(row, self._columns) for row in rows]
            if self._is_first:
                lines.insert(0, [heading for heading, _ in self._columns])
                self._widths = _widths(lines)
            _echo_lines(lines, self._widths, _numbers(rows[0], self._columns))
        self._is_first = False

    def end(self) -> None:
        """No more comes."""
        if not self._as_json:
            if self._is_first:
                click.echo("none")
        else:
            click.echo("[]" if self._is_first else "\n]")

    def _show_json(self, row: msgspec.Struct) -> None:
        click.echo("[" if self._is_first else ",")
        click.echo(textwrap.indent(json_text(row), "  "), nl=False)
        self._is_first = False


def _show_lines(rows: Sequence[msgspec.Struct], columns: Sequence[tuple[str, str]]) -> None:
    """A row a line; a cell longer than _PADDED moves what follows it in its own line only."""
    lines = [[heading for heading, _ in columns]]
    lines += [_cells(row, columns) for row in rows]
    _echo_lines(lines, _widths(lines), _numbers(rows[0], columns))


def _cells(row: msgspec.Struct, columns: Sequence[tuple[str, str]]) -> list[str]:
    return [_cell(name, getattr(row, name)).plain for _, name in columns]


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [min(_PADDED, max(map(cell_len, cells))) for cells in zip(*lines, strict=True)]


def _numbers(row: msgspec.Struct, columns: Sequence[tuple[str, str]]) -> list[bool]:
    """Which columns hold numbers."""
    return [isinstance(getattr(row, name), int) for _, name in columns]


def _echo_lines(
    lines: Sequence[Sequence[str]], widths: Sequence[int], numbers: Sequence[bool]
) -> None:
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
