"""`domain add|catch-all|list|remove|keys|rotate-keys|dns`."""

import sys

import click

from mailbox_server.cli.operator import ask
from mailbox_server.cli.outcome import REFUSED, Surroundings, printable, said, warn_missing
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.cli.zone_file import zone_file
from mailbox_server.model.address import Domain
from mailbox_server.ops import requests
from mailbox_server.ops.rows import RecordRow

_COLUMNS = (("DOMAIN", "domain"), ("CATCH-ALL", "catch_all"), ("SINCE", "created"))
_KEY_COLUMNS = (
    ("SELECTOR", "selector"),
    ("KIND", "algorithm"),
    ("STATE", "state"),
    ("SINCE", "since"),
    ("IN THE DNS SINCE", "seen"),
)
_RECORD_COLUMNS = (("NAME", "name"), ("TYPE", "type"), ("VALUE", "value"), ("NEED", "need"))
_CHECK_COLUMNS = (
    ("NAME", "name"),
    ("TYPE", "type"),
    ("NEED", "need"),
    ("STANDS", "standing"),
    ("FOUND", "found"),
)


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


@verb.command("keys")
@click.argument("domain")
@click.pass_obj
def keys(surroundings: Surroundings, domain: str) -> None:
    """List the keys that mail of DOMAIN is signed with."""
    show_rows(ask(surroundings, requests.DomainKeys(domain)), _KEY_COLUMNS, surroundings)


@verb.command("rotate-keys")
@click.argument("domain")
@click.option(
    "--at-once",
    is_flag=True,
    help="Forget the old keys and sign with new ones now: the old ones are in wrong hands.",
)
@click.pass_obj
def rotate_keys(surroundings: Surroundings, domain: str, at_once: bool) -> None:
    """Make new keys for DOMAIN; they sign once their records have been seen in the DNS."""
    rows = ask(surroundings, requests.DomainRotateKeys(domain, at_once))
    show_rows(rows, _KEY_COLUMNS, surroundings)
    revoked = [row.record for row in rows if row.state == "revoked"]
    if revoked and not surroundings.as_json:
        click.echo(printable(f"take these out of the DNS now: {', '.join(revoked)}"))


@verb.command("dns")
@click.argument("domain")
@click.option("--zone", "as_zone", is_flag=True, help="Print a zone file.")
@click.option(
    "--check",
    is_flag=True,
    help="Compare with what the DNS says; ends with 1 where a required record is not right.",
)
@click.pass_obj
def dns(surroundings: Surroundings, domain: str, as_zone: bool, check: bool) -> None:
    """Print the records to publish for DOMAIN."""
    if as_zone and (check or surroundings.as_json):
        raise click.UsageError("--zone stands alone")
    rows = ask(surroundings, requests.DomainDns(domain, check))
    if as_zone:
        click.echo(zone_file(Domain.parse(domain).ascii, rows), nl=False)
    else:
        show_rows(rows, _CHECK_COLUMNS if check else _RECORD_COLUMNS, surroundings)
        if not surroundings.as_json:
            _show_notes(rows)
    if check and any(row.need == "required" and row.standing != "ok" for row in rows):
        sys.exit(REFUSED)


def _show_notes(rows: list[RecordRow]) -> None:
    """Below the table what each record is for, those of one note together."""
    named: dict[str, list[str]] = {}
    for row in rows:
        named.setdefault(row.note, []).append(f"{row.name} {row.type}")
    click.echo()
    for note, names in named.items():
        click.echo(printable(f"{', '.join(names)}: {note}"))
