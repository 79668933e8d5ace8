"""`alias add|list|remove`."""

import click

from mailbox_server.cli.operator import ask
from mailbox_server.cli.outcome import Surroundings, said, warn_missing
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.ops import requests

_COLUMNS = (("ALIAS", "address"), ("STANDS FOR", "targets"), ("SINCE", "created"))


@click.group("alias", cls=Noun)
def verb() -> None:
    """Addresses that stand for others."""


@verb.command("add")
@click.argument("address")
@click.argument("targets", nargs=-1, required=True)
@click.pass_obj
def add(surroundings: Surroundings, address: str, targets: tuple[str, ...]) -> None:
    """Let ADDRESS stand for TARGETS, here or on other servers."""
    rows = ask(surroundings, requests.AliasAdd(address, list(targets)))
    warn_missing(rows)
    show_rows(rows, _COLUMNS, surroundings)


@verb.command("list")
@click.option("--domain", help="Only aliases of this domain.")
@click.pass_obj
def list_aliases(surroundings: Surroundings, domain: str | None) -> None:
    """List aliases."""
    show_rows(ask(surroundings, requests.AliasList(domain)), _COLUMNS, surroundings)


@verb.command("remove")
@click.argument("address")
@click.pass_obj
def remove(surroundings: Surroundings, address: str) -> None:
    """Remove the alias ADDRESS."""
    ask(surroundings, requests.AliasRemove(address))
    said(f"{address} is no alias any more", surroundings)
