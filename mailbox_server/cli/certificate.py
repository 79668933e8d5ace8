"""`account certificate add|list|remove`."""

from pathlib import Path
from typing import Final

import click

from mailbox_server.cli.operator import ask
from mailbox_server.cli.outcome import Surroundings, said
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.ops import requests

_MOST_OCTETS: Final = 256 * 1024
_COLUMNS: Final = (
    ("CERTIFICATE", "certificate"),
    ("NAME", "name"),
    ("SCOPE", "scope"),
    ("SUBJECT", "subject"),
    ("FINGERPRINT", "fingerprint"),
    ("SINCE", "created"),
    ("EXPIRES", "expires"),
    ("LAST USED", "last_used"),
)


@click.group("certificate", cls=Noun)
def certificate() -> None:
    """Certificates that log in to an account (EXTERNAL); see tls.client_certificates."""


@certificate.command("add")
@click.argument("account")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", default="certificate", show_default=True, help="What it is for.")
@click.option(
    "--scope",
    type=click.Choice(("read", "send", "all")),
    default="all",
    show_default=True,
    help="What it may be used for.",
)
@click.pass_obj
def add(surroundings: Surroundings, account: str, file: Path, name: str, scope: str) -> None:
    """Let the certificate in FILE (PEM, the first in it) log in to ACCOUNT."""
    with file.open("rb") as stream:
        pem = stream.read(_MOST_OCTETS).decode("ascii", "replace")
    asked = requests.CertificateAdd(account, pem, name, scope)
    show_rows(ask(surroundings, asked), _COLUMNS, surroundings)


@certificate.command("list")
@click.argument("account")
@click.pass_obj
def list_certificates(surroundings: Surroundings, account: str) -> None:
    """List the certificates that log in to ACCOUNT."""
    show_rows(ask(surroundings, requests.CertificateList(account)), _COLUMNS, surroundings)


@certificate.command("remove")
@click.argument("account")
@click.argument("number", type=click.IntRange(min=1), metavar="CERTIFICATE")
@click.pass_obj
def remove(surroundings: Surroundings, account: str, number: int) -> None:
    """Let CERTIFICATE (its number in the list) log in to ACCOUNT no more."""
    ask(surroundings, requests.CertificateRemove(account, number))
    said(f"certificate {number} logs in no more", surroundings)
