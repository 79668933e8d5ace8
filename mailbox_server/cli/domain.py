"""`domain add|catch-all|list|remove`."""

import click

from mailbox_server.cli.operator import ask
from mailbox_server.cli.outcome import Surroundings, said, warn_missing
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.ops import requests

_COLUMNS = (("DOMAIN", "domain"), ("CATCH-ALL", "catch_all"), ("SINCE", "created"))


@click.group("domain", cls=Noun)
def verb() -> None:
    """Domains this server answers for."""


@verb.command("add")
@click.argument("domain")
@click.option("--catch-all", metavar="ADDRESS", help="Where mail to unknown names goes.")
@click.pass_obj
def add(surroundings: Surroundings, domain: str, catch_all: str | None) -> None:
    """Host DOMAIN."""
    rows = ask(surroundings, requests.DomainAdd(domain, catch_all))
    warn_missing(rows)
    show_rows(rows, _COLUMNS, surroundings)


@verb.command("catch-all")
@click.argument("domain")
@click.argument("address", required=False)
@click.option("--none", "nowhere", is_flag=True, help="Refuse mail to unknown names.")
@click.pass_obj
def catch_all(surroundings: Surroundings, domain: str, address: str | None, nowhere: bool) -> None:
    """Send mail to unknown names of DOMAIN to ADDRESS."""
    if (address is None) is not nowhere:
        raise click.UsageError("either an address or --none is expected")
    rows = ask(surroundings, requests.DomainCatchAll(domain, address))
    warn_missing(rows)
    show_rows(rows, _COLUMNS, surroundings)


@verb.command("list")
@click.pass_obj
def list_domains(surroundings: Surroundings) -> None:
    """List hosted domains."""
    show_rows(ask(surroundings, requests.DomainList()), _COLUMNS, surroundings)


@verb.command("remove")
@click.argument("domain")
@click.pass_obj
def remove(surroundings: Surroundings, domain: str) -> None:
    """Stop hosting DOMAIN; its accounts and aliases must be gone."""
    ask(surroundings, requests.DomainRemove(domain))
    said(f"{domain} is no longer hosted", surroundings)
