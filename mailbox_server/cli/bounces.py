"""`bounces list|show|clear`."""

import click

from mailbox_server.cli.operator import ask
from mailbox_server.cli.outcome import Surroundings, said
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.ops import requests

_LISTED = (
    ("ADDRESS", "address"),
    ("OF", "of"),
    ("STATE", "state"),
    ("SCORE", "score"),
    ("CAUSE", "cause"),
    ("TIMES", "times"),
    ("LAST", "last"),
)
_SHOWN = (
    ("OF", "of"),
    ("STATE", "state"),
    ("SCORE", "score"),
    ("CAUSE", "cause"),
    ("TIMES", "times"),
    ("SINCE", "since"),
    ("LAST", "last"),
    ("THEY SAID", "words"),
)


@click.group("bounces", cls=Noun)
def verb() -> None:
    """Addresses from which mail came back, of accounts and of lists."""


@verb.command("list")
@click.option("--of", metavar="ADDRESS", help="Only those of this account or list.")
@click.pass_obj
def list_bounces(surroundings: Surroundings, of: str | None) -> None:
    """List addresses from which mail came back, the latest first."""
    show_rows(ask(surroundings, requests.BouncesList(of=of)), _LISTED, surroundings)


@verb.command("show")
@click.argument("address")
@click.pass_obj
def show(surroundings: Surroundings, address: str) -> None:
    """Show what is remembered of ADDRESS, and what was said of it last."""
    show_rows(ask(surroundings, requests.BouncesList(address=address)), _SHOWN, surroundings)


@verb.command("clear")
@click.argument("address", required=False)
@click.option("--of", metavar="ADDRESS", help="Only for this account or list.")
@click.pass_obj
def clear(surroundings: Surroundings, address: str | None, of: str | None) -> None:
    """Forget ADDRESS, or all addresses of an account or list: mail goes there again."""
    rows = ask(surroundings, requests.BouncesClear(address, of))
    said(f"{rows[0].cleared} forgotten", surroundings)
