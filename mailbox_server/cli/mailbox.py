"""`mailbox list|rights|share`."""

import click

from mailbox_server.cli.operator import ask
from mailbox_server.cli.outcome import Surroundings
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.ops import requests

_COLUMNS = (
    ("MAILBOX", "name"),
    ("ROLE", "role"),
    ("MESSAGES", "messages"),
    ("UNSEEN", "unseen"),
    ("HOLDS", "octets"),
    ("NEXT UID", "uid_next"),
    ("SUBSCRIBED", "subscribed"),
    ("ID", "id"),
)

_RIGHTS = (("WHO", "holder"), ("MAY", "rights"))


@click.group("mailbox", cls=Noun)
def verb() -> None:
    """Mailboxes of an account."""


@verb.command("list")
@click.argument("address")
@click.pass_obj
def list_mailboxes(surroundings: Surroundings, address: str) -> None:
    """List the mailboxes of the account ADDRESS."""
    show_rows(ask(surroundings, requests.MailboxList(address)), _COLUMNS, surroundings)


@verb.command("rights")
@click.argument("address")
@click.argument("mailbox")
@click.pass_obj
def list_rights(surroundings: Surroundings, address: str, mailbox: str) -> None:
    """List who may do what in MAILBOX of ADDRESS, as letters of RFC 4314."""
    show_rows(ask(surroundings, requests.MailboxRights(address, mailbox)), _RIGHTS, surroundings)


@verb.command("share")
@click.argument("address")
@click.argument("mailbox")
@click.argument("holder", metavar="WHO")
@click.argument("rights")
@click.option("--deny", is_flag=True, help="Take RIGHTS from WHO whatever else gives them.")
@click.pass_obj
def share(
    surroundings: Surroundings, address: str, mailbox: str, holder: str, rights: str, deny: bool
) -> None:
    """Let WHO, an account's address or `anyone`, use MAILBOX of ADDRESS.

    RIGHTS are read, write, all or none, or letters of RFC 4314 (lrs is read); they replace
    what WHO had.  WHO finds the mailbox below `Other users/ADDRESS`.
    """
    asked = requests.MailboxShare(address, mailbox, holder, rights, deny)
    show_rows(ask(surroundings, asked), _RIGHTS, surroundings)
