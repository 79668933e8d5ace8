"""`config check|show`."""

import click
import msgspec

from mailbox_server.app.configuration import load, settings_table, value_of
from mailbox_server.app.consistency import check, warnings
from mailbox_server.cli.outcome import Surroundings, printable, said, show_json
from mailbox_server.cli.verbs import Noun
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
