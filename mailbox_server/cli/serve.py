"""`serve`."""

import click

from mailbox_server.app.run import serve
from mailbox_server.cli.outcome import Surroundings


@click.command("serve")
@click.pass_obj
def verb(surroundings: Surroundings) -> None:
    """Run the server in the foreground until SIGTERM or Ctrl-C; SIGHUP reloads."""
    serve(surroundings.config)
