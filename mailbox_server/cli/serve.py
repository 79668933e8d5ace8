"""`serve`."""

import click

from mailbox_server.app.run import serve
from mailbox_server.cli.outcome import Surroundings
from mailbox_server.cli.verbs import Verb


@click.command("serve", cls=Verb)
@click.pass_obj
def verb(surroundings: Surroundings) -> None:
    """Run the server in the foreground until SIGTERM or Ctrl-C; SIGHUP reloads."""
    serve(surroundings.config)
