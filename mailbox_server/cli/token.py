"""`token add|list|revoke`."""

import click

from mailbox_server.cli.moments import EXPIRY
from mailbox_server.cli.operator import ask
from mailbox_server.cli.outcome import Surroundings, said
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.ops import requests

_COLUMNS = (
    ("TOKEN", "token"),
    ("NAME", "name"),
    ("SCOPE", "scope"),
    ("SINCE", "created"),
    ("EXPIRES", "expires"),
    ("LAST USED", "last_used"),
)


@click.group("token", cls=Noun)
def verb() -> None:
    """App passwords of an account: one for each program or device."""


@verb.command("add")
@click.argument("account")
@click.option("--name", default="app password", show_default=True, help="What it is for.")
@click.option(
    "--scope",
    type=click.Choice(("read", "send", "all")),
    default="all",
    show_default=True,
    help="What it may be used for.",
)
@click.option(
    "--expires",
    metavar="DATE",
    type=EXPIRY,
    help="The beginning of a day in UTC, as 2030-12-31, or from now, as 12h, 90d, 8w or 1y; "
    "without, never.",
)
@click.pass_obj
def add(
    surroundings: Surroundings, account: str, name: str, scope: str, expires: str | None
) -> None:
    """Make an app password for ACCOUNT; it is shown this once."""
    rows = ask(surroundings, requests.TokenAdd(account, name, scope, expires))
    if surroundings.as_json:
        show_rows(rows, _COLUMNS, surroundings)
        return
    click.echo(rows[0].secret)
    click.echo("Use it as the password of this one program; it will not be shown again.", err=True)


@verb.command("list")
@click.argument("account")
@click.pass_obj
def list_tokens(surroundings: Surroundings, account: str) -> None:
    """List the app passwords of ACCOUNT."""
    show_rows(ask(surroundings, requests.TokenList(account)), _COLUMNS, surroundings)


@verb.command("revoke")
@click.argument("account")
@click.argument("token", type=click.IntRange(min=1))
@click.pass_obj
def revoke(surroundings: Surroundings, account: str, token: int) -> None:
    """Revoke TOKEN (its number in the list) of ACCOUNT."""
    ask(surroundings, requests.TokenRevoke(account, token))
    said(f"token {token} is revoked", surroundings)
