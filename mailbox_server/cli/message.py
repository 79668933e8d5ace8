"""`message list|show|raw|import`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from mailbox_server.cli.message_files import messages_in
from mailbox_server.cli.operator import Operator, ask, run_with_operator
from mailbox_server.cli.outcome import Surroundings, octets, printable, said, show_json, show_rows
from mailbox_server.ops import requests

_COLUMNS = (
    ("ID", "id"),
    ("UID", "uid"),
    ("RECEIVED", "received"),
    ("SIZE", "size"),
    ("FLAGS", "flags"),
    ("FROM", "sender"),
    ("SUBJECT", "subject"),
)


@click.group("message")
def verb() -> None:
    """Messages: list, show, raw, import."""


@verb.command("list")
@click.argument("address")
@click.option("--mailbox", default="INBOX", show_default=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.pass_obj
def list_messages(surroundings: Surroundings, address: str, mailbox: str, limit: int) -> None:
    """List the newest messages of a mailbox of the account ADDRESS."""
    rows = ask(surroundings, requests.MessageList(address, mailbox, limit))
    show_rows(rows, _COLUMNS, surroundings)


@verb.command("show")
@click.argument("message")
@click.pass_obj
def show(surroundings: Surroundings, message: str) -> None:
    """Show what is known of MESSAGE (its id), and why: its passport."""
    (row,) = ask(surroundings, requests.MessageShow(message))
    if surroundings.as_json:
        show_rows([row], (), surroundings)
        return
    for label, value in (
        ("Message", f"{row.id}, thread {row.thread}"),
        ("Account", row.account),
        ("From", row.sender),
        ("Subject", row.subject),
        ("Size", octets(row.size)),
        ("Received", row.received),
        ("Lies in", ", ".join(row.places) or "no mailbox (expunged)"),
    ):
        click.echo(f"{label + ':':<10}{printable(value)}")
    for stamp in row.evidence:
        click.echo(f"\n{stamp.at}  {stamp.stage}")
        for name, value in stamp.facts.items():
            click.echo(f"    {printable(name)}: {printable(value)}")


@verb.command("raw")
@click.argument("message")
@click.pass_obj
def raw(surroundings: Surroundings, message: str) -> None:
    """Write the octets of MESSAGE (its id) to standard output, as readers get them."""

    def take(block: bytes) -> None:
        sys.stdout.buffer.write(block)

    run_with_operator(
        surroundings, lambda operator: operator.ask(requests.MessageRaw(message), take=take)
    )
    sys.stdout.buffer.flush()


@verb.command("import")
@click.argument("address")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--mailbox", default="INBOX", show_default=True)
@click.option("--keyword", "keywords", multiple=True, help="A flag to set, for example \\\\Seen.")
@click.pass_obj
def import_files(
    surroundings: Surroundings,
    address: str,
    files: tuple[Path, ...],
    mailbox: str,
    keywords: tuple[str, ...],
) -> None:
    """Store messages from FILEs (one message each, or mbox) for the account ADDRESS.

    Each message is stored durably before the next is read; what was stored stays stored
    when a later one is refused.
    """

    async def work(operator: Operator) -> list[Any]:
        stored: list[Any] = []
        with _progress() as progress:
            total = sum(path.stat().st_size for path in files)
            bar = progress.add_task("importing", total=total)
            for path in files:
                for message in messages_in(path):
                    asked = requests.MessageImport(address, mailbox, keywords, None, message.source)

                    def counted(blocks: Iterator[bytes]) -> Iterator[bytes]:
                        for block in blocks:
                            yield block
                            progress.advance(bar, len(block))

                    stored += await operator.ask(asked, upload=counted(message.octets))
        return stored

    stored = run_with_operator(surroundings, work)
    if surroundings.as_json:
        show_json(stored)
    said(f"{len(stored)} imported into {mailbox} of {address}", surroundings)


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
