"""`message list|show|trace|raw|import`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from mailbox_server.cli.message_files import MessageFile, messages_in
from mailbox_server.cli.moments import AGE
from mailbox_server.cli.operator import Operator, ask, run_with_operator
from mailbox_server.cli.outcome import (
    REFUSED,
    Surroundings,
    complain,
    exit_with,
    octets,
    printable,
    said,
    show_json,
)
from mailbox_server.cli.tables import RowStream, show_rows
from mailbox_server.cli.timeline import timeline
from mailbox_server.cli.verbs import Noun
from mailbox_server.model.errors import BadInput, MessageMalformed, MessageMissing, OutboundMissing
from mailbox_server.ops import requests
from mailbox_server.ops.story_requests import MessageStory, MessageTrace

_COLUMNS = (
    ("ID", "id"),
    ("UID", "uid"),
    ("RECEIVED", "received"),
    ("SIZE", "size"),
    ("FLAGS", "flags"),
    ("FROM", "sender"),
    ("SUBJECT", "subject"),
)


@click.group("message", cls=Noun)
def verb() -> None:
    """Messages: list, show, trace, raw, import."""


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
        show_json(row)
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


@verb.command("trace")
@click.argument("what", metavar="ID|MESSAGE-ID|ADDRESS")
@click.option("--since", metavar="AGE", type=AGE, help="Came since then, as 2h, 7d or a date.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@click.pass_obj
def trace(surroundings: Surroundings, what: str, since: str | None, limit: int) -> None:
    """Tell the way of messages, newest first: who, when, each decision and each attempt.

    ID is that of a message here (m…), of one that left (s…) or of one recipient in the queue
    (q…); all that has the same Message-ID is told with it.
    """
    stream = RowStream((), surroundings)
    found = 0

    async def work(operator: Operator) -> None:
        nonlocal found
        for row in await operator.ask(MessageTrace(what, since, limit)):
            try:
                (story,) = await operator.ask(MessageStory(row.id))
            except (MessageMissing, OutboundMissing):
                # Forgotten between the two questions.
                continue
            if surroundings.as_json:
                stream.show([story])
            else:
                click.echo("\n\n" if found else "", nl=False)
                for line in timeline(story):
                    click.echo(line)
            found += 1

    run_with_operator(surroundings, work)
    if surroundings.as_json:
        stream.end()
    elif not found:
        exit_with(f"nothing is known of {what}", REFUSED)


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

    Octets are kept as they are, with CRLF line ends. Each message is stored durably before
    the next is read. One that cannot be a message (it is empty, or holds a NUL) is named
    and passed over, and the verb ends with 1; on any other trouble it stops, and what was
    stored stays stored. Messages get the date of their newest Received field, else of Date.
    """
    stored: list[Any] = []
    passed_over = 0

    async def work(operator: Operator) -> None:
        nonlocal passed_over
        with _progress(files) as counted:
            for path in files:
                for message in _readable(path, counted):
                    asked = requests.MessageImport(address, mailbox, keywords, message.source)
                    try:
                        stored.extend(await operator.ask(asked, upload=message.octets))
                    except MessageMalformed as fault:
                        passed_over += 1
                        complain(f"{message.source}: {fault}")
                        for _ in message.octets:
                            pass

    try:
        run_with_operator(surroundings, work)
    finally:
        # Also when it stops early: what was stored stays, and the operator must know.
        if surroundings.as_json:
            show_json(stored)
        else:
            said(f"{len(stored)} imported into {mailbox} of {address}", surroundings)
    if passed_over:
        sys.exit(REFUSED)


def _readable(path: Path, counted: Callable[[int], None]) -> Iterator[MessageFile]:
    """The messages of a file; trouble with reading is told with its name."""
    try:
        yield from messages_in(path, counted)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from error


@contextmanager
def _progress(files: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error where that is a terminal; call with octets read."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        bar = progress.add_task("importing", total=sum(path.stat().st_size for path in files))
        yield lambda octets_read: progress.advance(bar, octets_read)
