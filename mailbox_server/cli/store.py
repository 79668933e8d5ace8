"""`store check|migrate`."""

import asyncio
import sys
from pathlib import Path

import click

from mailbox_server.app.configuration import load
from mailbox_server.app.store_opening import migrate_store
from mailbox_server.cli.operator import ask, server_answers
from mailbox_server.cli.outcome import REFUSED, Surroundings, said
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.model.errors import Refused
from mailbox_server.ops import requests

_COLUMNS = (("INVARIANT", "invariant"), ("FOUND", "detail"))


@click.group("store", cls=Noun)
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
