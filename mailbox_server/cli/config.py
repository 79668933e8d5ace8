"""`config check|show|switches`."""

from typing import Final

import click
import msgspec

from mailbox_server.app.configuration import load, settings_table, value_of
from mailbox_server.app.consistency import check, warnings
from mailbox_server.app.switching import check_switches, imap_rules, pop3_rules
from mailbox_server.auth.sasl import MECHANISMS
from mailbox_server.cli.outcome import Surroundings, printable, said, show_json
from mailbox_server.cli.tables import show_rows
from mailbox_server.cli.verbs import Noun
from mailbox_server.imap.capabilities import CAPABILITIES
from mailbox_server.imap.known_clients import KNOWN_CASES
from mailbox_server.model.switches import Deed, SwitchRule
from mailbox_server.net.descriptors import highest_limit


@click.group("config", cls=Noun)
def verb() -> None:
    """The configuration file."""


@verb.command("check")
@click.pass_obj
def check_file(surroundings: Surroundings) -> None:
    """Say whether the configuration can be used: syntax, values, files and folders."""
    settings = load(surroundings.config)
    check(settings, str(surroundings.config))
    for warning in warnings(settings, highest_limit()):
        click.echo(f"warning: {printable(warning)}", err=True)
    said(f"{surroundings.config}: can be used", surroundings)


@verb.command("show")
@click.pass_obj
def show(surroundings: Surroundings) -> None:
    """Show every setting in force, with those that differ from the default marked."""
    settings = load(surroundings.config)
    if surroundings.as_json:
        show_json(msgspec.to_builtins(settings))
        return
    for setting in settings_table():
        value = value_of(settings, setting.key)
        mark = "*" if value != setting.default else " "
        click.echo(f"{mark} {setting.key} = {msgspec.json.encode(value).decode()}")


class Switched(msgspec.Struct, frozen=True):
    """One line of `config switches`."""

    protocol: str
    whom: str
    deed: str
    capabilities: list[str]
    reason: str


_SWITCHED: Final = (
    ("PROTOCOL", "protocol"),
    ("FOR", "whom"),
    ("IS", "deed"),
    ("CAPABILITIES", "capabilities"),
    ("BECAUSE", "reason"),
)


@verb.command("switches")
@click.pass_obj
def show_switches(surroundings: Surroundings) -> None:
    """List the capabilities that are hidden from, or shown to, some programs or accounts."""
    settings = load(surroundings.config)
    check_switches(settings, str(surroundings.config))
    rows = [
        Switched("imap", "everyone", "hidden", [row.name], f"by default; {row.rfc}")
        for row in CAPABILITIES
        if row.by_default is Deed.HIDE
    ]
    rows += [
        Switched("pop3", "everyone", "hidden", [f"AUTH={row.name}"], f"by default; {row.rfc}")
        for row in MECHANISMS
        if row.by_default is Deed.HIDE
    ]
    rows += [_switched("imap", case.rule, f"{case.reason} ({case.seen})") for case in KNOWN_CASES]
    rows += [_switched("imap", rule, "configured") for rule in imap_rules(settings)]
    rows += [_switched("pop3", rule, "configured") for rule in pop3_rules(settings)]
    show_rows(rows, _SWITCHED, surroundings)


def _switched(protocol: str, rule: SwitchRule, reason: str) -> Switched:
    deed = "hidden" if rule.deed is Deed.HIDE else "shown"
    return Switched(protocol, str(rule), deed, sorted(rule.capabilities), reason)
