"""`store check|migrate`."""

import asyncio
import sys

import click

from mailbox_server.app.compose import migrate_store
from mailbox_server.app.configuration import load
from mailbox_server.cli.operator import ask
from mailbox_server.cli.outcome import Surroundings, said, show_rows
from mailbox_server.ops import requests

_COLUMNS = (("INVARIANT", "invariant"), ("FOUND", "detail"))


@click.group("store")
def verb() -> None:
    """The mailbox store: check, migrate."""


@verb.command("check")
@click.option("--deep", is_flag=True, help="Read every content and compare its digest, too.")
@click.pass_obj
def check(surroundings: Surroundings, deep: bool) -> None:
    """Run the integrity list; ends with 1 when an invariant is violated."""
    findings = ask(surroundings, requests.StoreCheck(deep))
    if findings or surroundings.as_json:
        show_rows(findings, _COLUMNS, surroundings)
    if findings:
        sys.exit(1)
    said("the store is sound", surroundings)


@verb.command("migrate")
@click.pass_obj
def migrate(surroundings: Surroundings) -> None:
    """Bring the store's schema up to this program, after a backup; the server must be down."""
    said(asyncio.run(migrate_store(load(surroundings.config))), surroundings)
