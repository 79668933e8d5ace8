"""`mailbox list`."""

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


@click.group("mailbox", cls=Noun)
def verb() -> None:
    """Mailboxes of an account."""


@verb.command("list")
@click.argument("address")
@click.pass_obj
def list_mailboxes(surroundings: Surroundings, address: str) -> None:
    """List the mailboxes of the account ADDRESS."""
    show_rows(ask(surroundings, requests.MailboxList(address)), _COLUMNS, surroundings)
