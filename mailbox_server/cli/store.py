"""`store check|migrate|reindex|status`."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from mailbox_server.app.configuration import load
from mailbox_server.app.store_opening import migrate_store
from mailbox_server.cli.operator import Operator, ask, run_with_operator, server_answers
from mailbox_server.cli.outcome import REFUSED, Surroundings, said
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.model.errors import Refused
from mailbox_server.ops import requests
from mailbox_server.ops.rows import SampleRow

_COLUMNS = (("INVARIANT", "invariant"), ("FOUND", "detail"))
_INDEX_COLUMNS = (
    ("INDEXED", "messages"),
    ("BEHIND", "behind"),
    ("OCTETS", "octets"),
    ("ATTACHED DOCUMENTS", "documents"),
    ("BEHIND", "documents_behind"),
    ("OCTETS", "documents_octets"),
)


@click.group("store", cls=Noun)
def verb() -> None:
    """The mailbox store: check, migrate, reindex, status."""


@verb.command("check")
@click.option("--deep", is_flag=True, help="Read every content and compare its digest, too.")
@click.pass_obj
def check(surroundings: Surroundings, deep: bool) -> None:
    """Run the integrity list; ends with 1 when an invariant is violated."""
    findings = ask(surroundings, requests.StoreCheck(deep))
    if findings or surroundings.as_json:
        show_rows(findings, _COLUMNS, surroundings)
    else:
        said("the store is sound", surroundings)
    if findings:
        sys.exit(REFUSED)


@verb.command("migrate")
@click.pass_obj
def migrate(surroundings: Surroundings) -> None:
    """Bring the store's schema up to this program, after a backup; the server must be down."""
    settings = load(surroundings.config)
    if asyncio.run(server_answers(Path(settings.server.data))):
        raise Refused(
            f"a server runs on {settings.server.data}; stop it first (it migrates by itself "
            "when it starts)"
        )
    said(asyncio.run(migrate_store(settings)), surroundings)


@verb.command("reindex")
@click.pass_obj
def reindex(surroundings: Surroundings) -> None:
    """Make the search index anew and read attachments again; one interrupted goes on.

    Also while the server runs.
    """
    (row,) = run_with_operator(surroundings, lambda operator: _reindexing(operator, surroundings))
    show_rows([row], _INDEX_COLUMNS, surroundings)


async def _reindexing(operator: Operator, surroundings: Surroundings) -> list[Any]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=surroundings.as_json or not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("Indexing", total=None)

        def tell(line: bytes) -> None:
            left, whole = map(int, line.split())
            bar.update(task, total=whole, completed=whole - left)

        return await operator.ask(requests.StoreReindex(), take=tell)


@verb.command("status")
@click.pass_obj
def status(surroundings: Surroundings) -> None:
    """Show how far the search index has come, what was read of attachments, and whether the
    nightly samples of both went wrong.
    """
    (row,) = ask(surroundings, requests.StoreStatus())
    show_rows([row], _INDEX_COLUMNS, surroundings)
    if not surroundings.as_json:
        click.echo(f"search index last sampled: {_told(row.sampled)}")
        click.echo(f"attached texts last sampled: {_told(row.documents_sampled)}")


def _told(sample: SampleRow | None) -> str:
    if sample is None:
        return "never"
    return f"{sample.ended} ({sample.tried} searches, {sample.wrong} wrong)"
