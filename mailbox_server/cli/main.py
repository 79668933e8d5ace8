"""The command line: global options, the table of verbs, exit codes.

A verb's module is imported when it is called, so that `--help` and small verbs stay quick;
this is one of the two places where an import is not at the head of a file.
"""

import asyncio
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Final, NoReturn

import click

from mailbox_server import __version__
from mailbox_server.cli.outcome import (
    INTERRUPTED,
    MAY_PASS,
    OUR_FAULT,
    REFUSED,
    Surroundings,
    exit_code,
    exit_with,
)
from mailbox_server.cli.verbs import FILE
from mailbox_server.model.errors import MailboxServerFault

DEFAULT_CONFIG: Final = "/etc/mailbox-server/config.toml"
DEBUG_VARIABLE: Final = "MAILBOX_SERVER_DEBUG"

VERBS: Final = (
    ("serve", "mailbox_server.cli.serve", "Run the server."),
    ("try", "mailbox_server.cli.try_out", "Run a demonstration on loopback, no root needed."),
    ("domain", "mailbox_server.cli.domain", "Domains this server answers for."),
    ("account", "mailbox_server.cli.account", "Accounts: who has mailboxes here."),
    ("alias", "mailbox_server.cli.alias", "Addresses that stand for others."),
    ("mailbox", "mailbox_server.cli.mailbox", "Mailboxes of an account."),
    ("message", "mailbox_server.cli.message", "Messages: list, show, trace, raw, import."),
    ("queue", "mailbox_server.cli.queue", "Mail on its way out: list, show, retry, hold, end."),
    ("bounces", "mailbox_server.cli.bounces", "Addresses from which mail came back."),
    ("config", "mailbox_server.cli.config", "The configuration file."),
    ("store", "mailbox_server.cli.store", "The mailbox store: check, migrate."),
    ("token", "mailbox_server.cli.token", "App passwords of an account."),
)


class _VerbTable(click.Group):
    """A group whose members come from VERBS."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [name for name, _, _ in VERBS]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        for verb, module, _ in VERBS:
            if verb == name:
                command = importlib.import_module(module).verb
                assert isinstance(command, click.Command)
                return command
        return None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, help_text) for name, _, help_text in VERBS])


@click.group(
    cls=_VerbTable,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="--config and --json may also stand behind a verb. Exit codes: 0 done, 1 refused, "
    "2 wrong usage, 3 trouble that may pass, 4 configuration unusable, 5 a fault of this "
    "program, 130 interrupted.",
)
@click.option(
    "--config",
    "config",
    type=FILE,
    envvar="MAILBOX_SERVER_CONFIG",
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The configuration file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.version_option(__version__, prog_name="mailbox-server")
@click.pass_context
def commands(context: click.Context, config: Path, as_json: bool) -> None:
    """An all-in-one personal mail server."""
    context.obj = Surroundings(config, as_json)


def main() -> None:
    """Run the command line and end the process with a meaningful exit code."""
    # All that is made from here on is its owner's alone (the shell made what it redirects to).
    os.umask(0o077)
    try:
        commands.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except (click.Abort, KeyboardInterrupt, asyncio.CancelledError):
        exit_with("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output is gone; nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(REFUSED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        exit_with(f"{place}{error.strerror or error}", MAY_PASS)
    except MailboxServerFault as fault:
        exit_with(str(fault), exit_code(fault))
    except Exception as error:  # a bug of ours: one sentence, its place where it is asked for
        _confess(error)


def _confess(error: Exception) -> NoReturn:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    exit_with(
        f"a fault of this program, {type(error).__name__}: {error} "
        f"({DEBUG_VARIABLE}=1 shows where)",
        OUR_FAULT,
    )
