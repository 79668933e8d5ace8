"""The kinds of commands: each takes the global options behind its own name, too.

`mailbox-server --json account list` and `mailbox-server account list --json` are the same.
"""

import dataclasses
from pathlib import Path
from typing import Any, Final

import click

from mailbox_server.cli.outcome import Surroundings

FILE: Final = click.Path(path_type=Path, dir_okay=False)


def _surroundings(context: click.Context) -> Surroundings:
    found = context.find_object(Surroundings)
    assert found is not None, "the command line begins with Surroundings"
    return found


def _take_config(context: click.Context, _: click.Parameter, config: Path | None) -> None:
    if config is not None:
        context.obj = dataclasses.replace(_surroundings(context), config=config)


def _take_json(context: click.Context, _: click.Parameter, as_json: bool) -> None:
    if as_json:
        context.obj = dataclasses.replace(_surroundings(context), as_json=True)


# They carry no default and no environment variable: what stands before the verb holds then.
_ANYWHERE: Final[tuple[click.Parameter, ...]] = (
    click.Option(
        ["--config", "anywhere_config"],
        type=FILE,
        expose_value=False,
        callback=_take_config,
        help="The configuration file.",
    ),
    click.Option(
        ["--json", "anywhere_json"],
        is_flag=True,
        expose_value=False,
        callback=_take_json,
        help="Print JSON instead of tables.",
    ),
)


class Verb(click.Command):
    """A command that does something."""

    def get_params(self, context: click.Context) -> list[click.Parameter]:
        return _with_anywhere(super().get_params(context))


class Noun(click.Group):
    """A group of verbs about one noun."""

    command_class = Verb

    def get_params(self, context: click.Context) -> list[click.Parameter]:
        return _with_anywhere(super().get_params(context))


def _with_anywhere(own: list[Any]) -> list[click.Parameter]:
    """The command's own parameters, the global options, and --help as the last."""
    helps = [one for one in own if one.name == "help"]
    return [one for one in own if one.name != "help"] + [*_ANYWHERE] + helps
