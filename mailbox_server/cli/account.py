"""`account add|list|password|quota|set|disable|remove|certificate`."""

import sys
from typing import Final

import click

from mailbox_server.cli.certificate import certificate
from mailbox_server.cli.operator import ask
from mailbox_server.cli.outcome import Surroundings, said
from mailbox_server.cli.sizes import SIZE
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.model.errors import Refused
from mailbox_server.ops import requests

_LINE_OCTETS: Final = 4096

_COLUMNS: Final = (
    ("ADDRESS", "address"),
    ("STATE", "state"),
    ("MESSAGES", "messages"),
    ("HOLDS", "octets"),
    ("QUOTA", "quota_octets"),
    ("MOST MESSAGES", "quota_messages"),
    ("ADMINISTRATOR", "is_administrator"),
    ("SHARED", "is_shared"),
    ("SINCE", "created"),
)


def read_password() -> str:
    """A password from a prompt, typed twice, or one line of standard input.

    It is never taken from the command line, where other users could see it.
    """
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    line = sys.stdin.buffer.readline(_LINE_OCTETS).rstrip(b"\r\n")
    if not line:
        raise click.UsageError("a password was expected on standard input")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise click.UsageError("the password on standard input is not UTF-8") from None


@click.group("account", cls=Noun)
def verb() -> None:
    """Accounts: who has mailboxes here."""


verb.add_command(certificate)


@verb.command("add")
@click.argument("address")
@click.option("--quota", type=SIZE, default="0", help="For example 5G; 0 is unlimited.")
@click.option("--no-password", is_flag=True, help="Only app passwords (token add) log in.")
@click.pass_obj
def add(surroundings: Surroundings, address: str, quota: int, no_password: bool) -> None:
    """Open an account for ADDRESS; the password is prompted or read from standard input."""
    password = None if no_password else read_password()
    rows = ask(surroundings, requests.AccountAdd(address, password, quota))
    show_rows(rows, _COLUMNS, surroundings)


@verb.command("list")
@click.option("--domain", help="Only accounts of this domain.")
@click.pass_obj
def list_accounts(surroundings: Surroundings, domain: str | None) -> None:
    """List accounts."""
    show_rows(ask(surroundings, requests.AccountList(domain)), _COLUMNS, surroundings)


@verb.command("password")
@click.argument("address")
@click.pass_obj
def password(surroundings: Surroundings, address: str) -> None:
    """Set a new password, prompted or read from standard input."""
    ask(surroundings, requests.AccountPassword(address, read_password()))
    said(f"{address} has a new password", surroundings)


# So that -5 is a wrong size and not an unknown option.
@verb.command("quota", context_settings={"ignore_unknown_options": True})
@click.argument("address")
@click.argument("quota", type=SIZE)
@click.pass_obj
def quota(surroundings: Surroundings, address: str, quota: int) -> None:
    """Let ADDRESS hold at most QUOTA, for example 5G; 0 is unlimited."""
    ask(surroundings, requests.AccountQuota(address, quota))
    said(f"{address} has a new quota", surroundings)


@verb.command("set")
@click.argument("address")
@click.option("--quota", type=SIZE, help="What it may hold, for example 5G; 0 is unlimited.")
@click.option(
    "--messages", type=click.IntRange(0), help="How many messages it may hold; 0 is unlimited."
)
@click.option(
    "--administrator/--no-administrator",
    default=None,
    help="Whether it may set the quota of every account (IMAP SETQUOTA).",
)
@click.option(
    "--shared/--not-shared",
    default=None,
    help="Whether others find its mailboxes below `Shared mailboxes`, not `Other users`.",
)
@click.pass_obj
def set_account(
    surroundings: Surroundings,
    address: str,
    quota: int | None,
    messages: int | None,
    administrator: bool | None,
    shared: bool | None,
) -> None:
    """Change what ADDRESS may hold and do; what is not named stays as it is."""
    wanted = (quota, messages, administrator, shared)
    if all(each is None for each in wanted):
        raise click.UsageError("say what to set")
    asked = requests.AccountSet(address, *wanted)
    show_rows(ask(surroundings, asked), _COLUMNS, surroundings)


@verb.command("disable")
@click.argument("address")
@click.option("--undo", is_flag=True, help="Allow logins again.")
@click.pass_obj
def disable(surroundings: Surroundings, address: str, undo: bool) -> None:
    """Refuse logins of ADDRESS; its mail still arrives."""
    ask(surroundings, requests.AccountDisable(address, not undo))
    said(f"{address} may {'log in again' if undo else 'no longer log in'}", surroundings)


@verb.command("remove")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(surroundings: Surroundings, address: str, yes: bool) -> None:
    """Remove the account and all its mail, for good."""
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("--yes is needed where nobody can be asked")
        if not click.confirm(f"Remove {address} and all its mail?"):
            raise Refused(f"{address} stays")
    ask(surroundings, requests.AccountRemove(address))
    said(f"{address} is removed", surroundings)
